"""The fact cache as clients know it: `fact_cache/<host>`, a JSON object of facts.

ansible-core 2.19 and later write `s1_<host>` instead, holding JSON in JSON with each value wrapped in its tags (seen in
its `plugins/cache` and in what it writes).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

_NAME = re.compile(r"s\d+_(?P<host>.+)", re.DOTALL)
_PREFIX = "s1_"
_PAYLOAD = "__payload__"
_TYPE = "__ansible_type"


def restore_fact_cache(source: Path, target: Path) -> None:
    """Let Ansible know the facts in `source`, which has the layout that clients know. `target` becomes its cache.

    Each host's are written in both layouts, since which one this host's Ansible reads is its own affair.

    Raises:
        OSError: a file cannot be read or written.
    """
    if not source.is_dir():
        return
    target.mkdir(mode=0o700, parents=True)
    for path in source.iterdir():
        if not path.is_file():
            continue
        facts = path.read_text(encoding="utf-8")
        _write(target / path.name, facts)
        _write(target / f"{_PREFIX}{path.name}", json.dumps({_PAYLOAD: facts}))


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)


def simplify_fact_cache(directory: Path) -> None:
    """Bring the files of a fact cache to the layout that clients know; leave alone what is not Ansible's.

    Raises:
        OSError: a file cannot be read or written.
    """
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        name = _NAME.fullmatch(path.name)
        facts = _read_facts(path) if name and path.is_file() else None
        if name and facts is not None:
            plain = directory / name["host"]
            # An older Ansible leaves alone the copy that it was offered here, and the plain one is the newer.
            if not plain.exists() or plain.stat().st_mtime_ns <= path.stat().st_mtime_ns:
                _write(plain, json.dumps(facts))
            path.unlink()


def _read_facts(path: Path) -> Any:
    """The facts of one wrapped file; None when it is not one."""
    try:
        wrapper = json.loads(path.read_bytes())
        return untag(json.loads(wrapper[_PAYLOAD])) if isinstance(wrapper, dict) and _PAYLOAD in wrapper else None
    except (ValueError, TypeError, RecursionError):
        return None


def untag(value: Any) -> Any:
    """A value without the objects that carry its tags."""
    if isinstance(value, list):
        return [untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TYPE in value:
        for key in ("value", "iso8601"):
            if key in value:
                return untag(value[key])
    return {key: untag(item) for key, item in value.items()}
