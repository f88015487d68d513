"""A file of an event is whole or absent when there is no room for all of it.

A limit on the size of files (RLIMIT_FSIZE) stands for the full disk, so that nobody has to be root: what is within the
limit is written, and the rest is refused. `make faults` has real full disks.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import JobError
from playstream.pipeline.protocol import Event, Record, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.process.event_files import BACKLOG
from tests.processes import MOUNTS_ALONE
from tests.stages import Stages, read_events
from tests.stress.faults.resources import check_full_cache
from tests.stress.faults.sessions import NOW, make_event, pieces, tree

ROOM = 50_000
"""More than the artifact `stdout` takes here."""
WRITERS = {"written here": 3, "another process writes too": BACKLOG + 50}


def event_of(counter: int, size: int) -> Event:
    values = json.loads(make_event(counter, 0, random.Random(1)).json)
    values["event_data"] = {"text": ""}
    values["event_data"]["text"] = "x" * (size - len(json.dumps(values)))
    return Event(counter, json.dumps(values).encode())


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("count", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("excess", [-1, 0, 1, 100_000])
def test_an_event_that_there_is_no_room_for(
    stages: Stages, tmp_path: Path, dialect: Dialect, count: int, excess: int
) -> None:
    records: list[Record] = [
        Status(StatusName.STARTING, NOW, command=("a",), env={}, cwd="/"),
        *(make_event(counter, 0, random.Random(1)) for counter in range(1, count)),
        event_of(count, ROOM + excess),
        Status(StatusName.SUCCESSFUL, NOW, rc=0),
        *tree({"rc": b"0"}),
    ]
    stream = b"".join(pieces(dialect, Direction.RESULT, records))
    process = stages.start("process", tmp_path, "-q", prefix=("prlimit", f"--fsize={ROOM}"))
    _, stderr = process.communicate(stream)
    kept = [event["counter"] for event in read_events(tmp_path / "artifacts")]
    if excess <= 0:
        assert stderr == b""
        assert (tmp_path / "artifacts" / "status").read_text() == "successful"
        assert kept == list(range(1, count + 1))
        return
    assert process.returncode == JobError.exit_status, stderr
    assert b"the artifacts cannot be written" in stderr
    assert len(stderr.splitlines()) == 1
    assert kept == list(range(1, count)), "each that there was room for, and no half of the other"
    assert (tmp_path / "artifacts" / "status").read_text() == "error"


@pytest.mark.parametrize("dialect", list(Dialect))
def test_how_a_run_ended_that_there_is_no_room_for(stages: Stages, tmp_path: Path, dialect: Dialect) -> None:
    records: list[Record] = [
        Status(StatusName.STARTING, NOW, command=("a",), env={}, cwd="/"),
        Status(StatusName.SUCCESSFUL, NOW, rc=0),
    ]
    stream = b"".join(pieces(dialect, Direction.RESULT, records))
    process = stages.start("process", tmp_path, "-q", prefix=("prlimit", "--fsize=4"))
    _, stderr = process.communicate(stream)
    assert process.returncode == JobError.exit_status, stderr
    assert b"the artifacts cannot be written" in stderr
    kept = {path.name: path.read_bytes() for path in (tmp_path / "artifacts").iterdir() if path.is_file()}
    assert not {"status", "command"} & kept.keys(), "no half of them"


def test_the_results_of_a_worker_that_there_is_no_room_for(stages: Stages, tmp_path: Path) -> None:
    """What ended the job is told, and not that its status cannot be kept beside its output."""
    fake = tmp_path / "fakes" / "ansible-playbook"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nprintf 'more than there is room for\\n'; sleep 600\n")
    fake.chmod(0o755)
    stages.path_before.append(fake.parent)
    (tmp_path / "demo" / "project").mkdir(parents=True)
    (tmp_path / "demo" / "project" / "site.yml").write_text("[]\n")
    job = stages.transmit(tmp_path / "demo", "-p", "site.yml", "--inventory", "a,")
    worker = stages.start("worker", prefix=("prlimit", "--fsize=4"))
    _, stderr = worker.communicate(job)
    assert worker.returncode == JobError.exit_status, stderr
    assert b"/stdout cannot be written: File too large. Allow larger files (ulimit -f)" in stderr
    assert stages.leftovers() == []


def test_a_cache_that_there_is_no_room_for(stages: Stages, tmp_path: Path) -> None:
    """The job runs, and the results do not name its tree."""
    stages.path_before.append(Path(__file__).parents[2] / "worker" / "fakes")
    demo, cache = tmp_path / "demo", tmp_path / "cache"
    (demo / "project").mkdir(parents=True)
    (demo / "project" / "quiet.yml").write_text("[]\n")
    cache.mkdir(mode=0o700)
    mount = 'mount -t tmpfs -o size=1m,mode=700 none "$0" && exec "$@"'
    check_full_cache(stages, demo, cache, (*MOUNTS_ALONE, "sh", "-c", mount, str(cache)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run",), b"/run/extravars-1' cannot be written: File too large. Allow larger files"),
        (("transmit", "--dialect", "runner"), b"cannot be created in "),
    ],
    ids=["run", "transmit"],
)
def test_a_temporary_file_that_there_is_no_room_for(
    stages: Stages, tmp_path: Path, words: tuple[str, ...], message: bytes
) -> None:
    directory = tmp_path / "demo"
    (directory / "project").mkdir(parents=True)
    (directory / "project" / "site.yml").write_text("[]\n")
    (directory / "project" / "blob").write_bytes(random.Random(1).randbytes(ROOM * 2))
    (directory / "env").mkdir()
    (directory / "env" / "extravars").write_text(f"a: {'x' * ROOM * 2}\n")
    command, *flags = words
    process = stages.start(command, directory, "-p", "site.yml", *flags, prefix=("prlimit", f"--fsize={ROOM}"))
    _, stderr = process.communicate()
    assert process.returncode == JobError.exit_status, stderr
    assert message in stderr
    assert len(stderr.splitlines()) == 1, stderr
    assert stages.leftovers() == []
