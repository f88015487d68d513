"""A run as records, wherever it is kept: the same events and the same end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from playstream.captures.pieces import Lack
from playstream.captures.runs import open_run
from playstream.pipeline.errors import ConfigurationError, IncompleteStream, PlaystreamError, RemoteProtocolError
from playstream.pipeline.protocol import Event, Record, Status, StatusName
from playstream.worker.paths import PLUGIN_DIR
from tests.captures.reading import a_run, an_event
from tests.conftest import MakeDir
from tests.stages import Stages

PLAY = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: hello}\n    - fail: {msg: no}\n"


def records_of(path: Path) -> list[Record]:
    with open_run(path, {}, pytest.fail) as run:
        return list(run.records())  # type: ignore[arg-type]  # there is no noise


def lacks_of(path: Path) -> frozenset[Lack]:
    with open_run(path, {}, pytest.fail) as run:
        return run.lacks


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": PLAY})


def native(stages: Stages, demo: Path, file: Path) -> None:
    job = stages.transmit(demo, "-p", "site.yml")
    file.write_bytes(stages.call("worker", stdin=job).stdout)


def runner(stages: Stages, demo: Path, file: Path) -> None:
    job = stages.transmit(demo, "-p", "site.yml", "--dialect", "runner")
    file.write_bytes(stages.call("worker", stdin=job).stdout)


def recording(stages: Stages, demo: Path, file: Path) -> None:
    subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", demo / "inventory", demo / "project" / "site.yml"],
        env={**stages.env, "ANSIBLE_CALLBACK_PLUGINS": str(PLUGIN_DIR), "PLAYSTREAM_EVENTS": str(file)},
        capture_output=True,
        check=False,
    )


def artifacts(stages: Stages, demo: Path, file: Path) -> None:
    stages.call("run", demo, "-p", "site.yml", "-i", "x")
    file.symlink_to(demo / "artifacts" / "x")


@pytest.mark.parametrize(
    ("make", "lacks"),
    [
        (native, set()),
        (runner, {Lack.TIMES_OF_STATUSES, Lack.MESSAGES}),
        (recording, set(Lack)),
        (artifacts, {Lack.TIMES_OF_STATUSES, Lack.ARTIFACTS, Lack.MESSAGES}),
    ],
)
def test_every_source(
    stages: Stages, demo: Path, tmp_path: Path, make: Callable[[Stages, Path, Path], None], lacks: set[Lack]
) -> None:
    file = tmp_path / "kept"
    make(stages, demo, file)
    records = records_of(file)
    events = [record for record in records if isinstance(record, Event)]
    assert [event.counter for event in events] == list(range(1, len(events) + 1))
    assert sum(b'"runner_on_failed"' in event.json for event in events) == 1
    last = [record for record in records if isinstance(record, Status)][-1]
    assert (last.status, last.rc) == (StatusName.FAILED, 2)
    assert lacks_of(file) == lacks
    commands = [record.command for record in records if isinstance(record, Status) and record.command is not None]
    assert len(commands) == (0 if Lack.START in lacks else 1)


def test_a_directory_with_one_run_or_several(stages: Stages, demo: Path) -> None:
    stages.call("run", demo, "-p", "site.yml", "-i", "x")
    assert records_of(demo) == records_of(demo / "artifacts") == records_of(demo / "artifacts" / "x")
    assert records_of(demo / "artifacts" / "latest") == records_of(demo)
    stages.call("run", demo, "-p", "site.yml", "-i", "y")
    with pytest.raises(ConfigurationError, match=r"has several runs: pass one of .*artifacts/x, .*artifacts/y$"):
        records_of(demo)


def test_what_has_no_run(stages: Stages, demo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no run: expected a directory"):
        records_of(demo)
    job = tmp_path / "job"
    job.write_bytes(stages.transmit(demo, "-p", "site.yml"))
    with pytest.raises(ConfigurationError, match="got a job, which has not run yet"):
        records_of(job)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        records_of(tmp_path / "none")


@pytest.fixture
def kept(stages: Stages, tmp_path: Path) -> Path:
    """The artifacts of a run with three events."""
    events = (an_event(1), an_event(2), an_event(3))
    assert stages.call("process", tmp_path, "-i", "x", stdin=a_run(*events)).returncode == 0
    return tmp_path / "artifacts" / "x"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("status", None, IncompleteStream),
        ("status", "running", IncompleteStream),
        ("status", "nonsense", RemoteProtocolError),
        ("command", "[1, 2", None),
        ("command", '{"command": 5, "env": {}, "cwd": ""}', None),
        ("rc", "many", None),
    ],
)
def test_damaged_artifacts(kept: Path, name: str, content: str | None, error: type[PlaystreamError] | None) -> None:
    if content is None:
        (kept / name).unlink()
    else:
        (kept / name).unlink(missing_ok=True)
        (kept / name).write_text(content)
    if error is None:
        assert [record.counter for record in records_of(kept) if isinstance(record, Event)] == [1, 2, 3]
    else:
        with pytest.raises(error):
            records_of(kept)


def test_no_link_is_followed(kept: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    (event,) = (kept / "job_events").glob("2-*")
    event.unlink()
    event.symlink_to(secret)
    with pytest.raises(RemoteProtocolError, match=r"event 2 in .* cannot be read"):
        records_of(kept)
