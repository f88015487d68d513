"""The fact cache in the layout for clients: `fact_cache/<host>`, a JSON object of facts.

ansible-core 2.19 and later write `s1_<host>` instead, which contains JSON in JSON with each value wrapped in its tags
(seen in its `plugins/cache` and in its files). playstream's worker converts its cache to the plain form; process
converts the cache of an ansible-runner worker.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from playstream.pipeline.io import system
from playstream.pipeline.io.json_text import dump_json

PREFIX = "s1_"
"""The prefix of a host's name since ansible-core 2.19."""
_NAME = re.compile(r"s\d+_(?P<host>.+)", re.DOTALL)
PAYLOAD = "__payload__"
"""The key of the wrapper's content."""
_TYPE = "__ansible_type"
_MAX_FILE = 1 << 22
"""Maximum size of one host's facts in bytes; larger files stay as they are."""
_MAX_VALUES = 200_000
"""Maximum number of values in one host's facts. Each takes 100 bytes or more in memory, and process does not trust its
worker."""


def write_facts(path: Path, text: str) -> None:
    """Write one file of a cache, private to this user, without following a link or blocking on a FIFO.

    Raises:
        OSError: it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | system.O_NOFOLLOW | system.O_NONBLOCK | system.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)


def read_facts(directory: Path, host: str) -> dict[str, Any]:
    """Return the facts of a host from the layout that was written last; empty if there are none.

    Raises:
        OSError: they cannot be read.
        ValueError: they are not a JSON object.
    """
    plain, wrapped = directory / host, directory / f"{PREFIX}{host}"
    if wrapped.is_file() and not (plain.is_file() and plain.stat().st_mtime_ns > wrapped.stat().st_mtime_ns):
        facts = _read_facts(wrapped)
        if isinstance(facts, dict):
            return facts
    try:
        known = json.loads(_read(plain))
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(known, dict):
        raise ValueError(f"expected an object, got {type(known).__name__}")  # noqa: TRY004 - as for other damage
    return known


def simplify_fact_cache(directory: Path) -> None:
    """Convert the files of a fact cache to the layout for clients; leave files that are not Ansible's.

    Files that are removed meanwhile by a process of the job, or are not accessible to this user, are skipped.

    Raises:
        OSError: a file cannot be read or written.
    """
    if directory.is_symlink() or not directory.is_dir():
        return
    try:
        entries = os.scandir(directory)
    except PermissionError:
        return
    with entries:  # not a list, which could have any length
        for entry in entries:
            if name := _NAME.fullmatch(entry.name):
                try:
                    _simplify(directory / entry.name, directory / name["host"])
                except (FileNotFoundError, PermissionError):
                    continue


def _simplify(path: Path, plain: Path) -> None:
    """Write the facts of a wrapped file to the plain one, and remove the wrapped one."""
    facts = _read_as_json(path) if _is_small_file(path) else None
    if facts is None or plain.is_symlink() or (plain.exists() and not plain.is_file()):
        return
    # An older Ansible does not touch the wrapped copy that it was offered, so the plain file is newer.
    if not plain.exists() or plain.stat().st_mtime_ns <= path.stat().st_mtime_ns:
        write_facts(plain, facts)
    path.unlink()


def _is_small_file(path: Path) -> bool:
    return not path.is_symlink() and path.is_file() and path.stat().st_size <= _MAX_FILE


def _read_as_json(path: Path) -> str | None:
    """Return the facts of one wrapped file as JSON for clients; None if it is not one."""
    facts = _read_facts(path)
    try:
        return None if facts is None else dump_json(facts)
    except RecursionError:
        return None


def _read_facts(path: Path) -> Any:
    """Return the facts of one wrapped file; None if it is not one."""
    try:
        wrapper = _load(_read(path).decode())
        return untag(_load(wrapper[PAYLOAD])) if isinstance(wrapper, dict) and PAYLOAD in wrapper else None
    except (ValueError, TypeError, RecursionError, AttributeError):
        return None


def _read(path: Path) -> bytes:
    """Return the content of a file. A FIFO, which a job may have created in its place, counts as empty."""
    with open(path, "rb", opener=_open_at_once) as file:
        return file.read()


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | system.O_NONBLOCK | system.O_CLOEXEC)


def _load(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is not JSON, or has too many values.
    """
    if text.count(",") + text.count("[") + text.count("{") > _MAX_VALUES:
        raise ValueError
    return json.loads(text)


def untag(value: Any) -> Any:
    """Return a value without the objects that hold its tags."""
    if isinstance(value, list):
        return [untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TYPE in value:
        for key in ("value", "iso8601"):
            if key in value:
                return untag(value[key])
    return {key: untag(item) for key, item in value.items()}


def restore_fact_cache(source: Path, target: Path) -> None:
    """Copy the facts in `source`, which has the layout for clients, to `target`, which Ansible uses as its cache.

    If `source` is below a directory in which this user can look up nothing, there are none; writing the artifacts says
    what is wrong. The facts of each host are written in both layouts, because the version of Ansible is not known here.

    Raises:
        OSError: a file cannot be read or written.
    """
    if not os.path.isdir(source):
        return
    target.mkdir(mode=0o700, parents=True)
    for path in source.iterdir():
        if not path.is_file():
            continue
        facts = path.read_text(encoding="utf-8")
        write_facts(target / path.name, facts)
        write_facts(target / f"{PREFIX}{path.name}", json.dumps({PAYLOAD: facts}))
