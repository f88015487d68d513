"""A private data directory and stages whose Ansible floods them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import LOCAL_HOSTS
from tests.processes import marked_processes, wait_until
from tests.stages import Stages

FAKES = Path(__file__).parent / "flood_fakes"
PLAYBOOKS = ("text.yml", "result.yml")


@contextmanager
def flooded(
    directory: Path, size: int, *, settings: Mapping[str, object] | None = None, fakes: Path = FAKES
) -> Iterator[tuple[Stages, Path]]:
    """Stages, and a private data directory for them. No process of a job may be left at the end.

    Args:
        directory: where all of it goes.
        size: FLOOD_BYTES for the fake, LOAD_EVENTS for that of the load tests.
        settings: the job's.
        fakes: directory of the fake.
    """
    demo, temporary = directory / "demo", directory / "tmp"
    for place in (demo / "project", demo / "inventory", demo / "env", temporary):
        place.mkdir(parents=True)
    (demo / "inventory" / "hosts").write_text(f"{LOCAL_HOSTS}node1\n")
    (demo / "env" / "envvars").write_text(json.dumps({"FLOOD_BYTES": str(size), "LOAD_EVENTS": str(size)}))
    (demo / "env" / "settings").write_text(json.dumps(settings or {}))
    for name in PLAYBOOKS:
        (demo / "project" / name).write_text("[]\n")
    stages = Stages(temporary)
    stages.path_before.append(fakes)
    yield stages, demo
    wait_until(lambda: not marked_processes(temporary))
    assert stages.leftovers() == []
