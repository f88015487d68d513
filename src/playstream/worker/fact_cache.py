"""The facts that a run begins with: those of the artifacts, for whichever Ansible runs."""

from __future__ import annotations

import json
from pathlib import Path

from playstream.pipeline.job.fact_cache import PAYLOAD, PREFIX, write_facts


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
        write_facts(target / path.name, facts)
        write_facts(target / f"{PREFIX}{path.name}", json.dumps({PAYLOAD: facts}))
