"""What an earlier run has left in --private-data-dir gives way when the job has started, and not when it is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import ExecutableNotFound, JobError, PlaystreamError
from playstream.pipeline.protocol import Job
from playstream.pipeline.protocol.order import Direction
from playstream.worker.spool import Spool
from tests.pipeline.runner_dialect.wire import END, line
from tests.stress.hostile.streams import KWARGS, native

REFUSED: dict[str, tuple[bytes, type[PlaystreamError]]] = {
    "no Ansible": (native([Job("run", module="ping", binary="no-such-ansible")], Direction.JOB), ExecutableNotFound),
    "no Ansible, runner dialect": (line(kwargs={**KWARGS, "binary": "no-such-ansible"}) + END, ExecutableNotFound),
    "no engine": (
        native(
            [
                Job(
                    "run",
                    command=("true",),
                    settings={
                        "process_isolation": True,
                        "process_isolation_executable": "/nowhere/podman",
                        "container_image": "x",
                    },
                )
            ],
            Direction.JOB,
        ),
        ExecutableNotFound,
    ),
    "no playbook": (native([Job("run", playbook="missing.yml", binary="/bin/true")], Direction.JOB), JobError),
    "too long": (native([Job("run", command=("true", "x" * (1 << 18)))], Direction.JOB), JobError),
}


def left_by_an_earlier_run(place: Path) -> Callable[[], dict[str, bytes]]:
    """Put artifacts there; return what tells all that is there."""
    (place / "artifacts" / "run" / "fact_cache").mkdir(parents=True)
    for name in ("stdout", "rc", "fact_cache/node1"):
        (place / "artifacts" / "run" / name).write_text("precious")
    return lambda: {str(path): path.read_bytes() for path in (place / "artifacts").rglob("*") if path.is_file()}


def serve(job: bytes, place: Path) -> playstream.Runner:
    return playstream.run(streamer="worker", _input=io.BytesIO(job), _output=io.BytesIO(), private_data_dir=place)


@pytest.mark.parametrize("why", REFUSED)
def test_a_job_that_is_refused(tmp_path: Path, why: str) -> None:
    found = left_by_an_earlier_run(tmp_path)
    before = found()
    job, error = REFUSED[why]
    with pytest.raises(error):
        serve(job, tmp_path)
    assert found() == before
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["run"]


def test_a_job_that_starts(tmp_path: Path) -> None:
    found = left_by_an_earlier_run(tmp_path)
    job = native(
        [Job("run", command=("/bin/sh", "-c", 'ls -A "$0"', str(tmp_path / "artifacts" / "run")))], Direction.JOB
    )
    assert serve(job, tmp_path).status == "successful"
    assert {text for text in found().values() if b"precious" in text} == set()
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["run"]
    assert b"fact_cache" not in (tmp_path / "artifacts" / "run" / "stdout").read_bytes()


@pytest.mark.parametrize("started", [False, True])
def test_what_a_killed_worker_had_set_aside(tmp_path: Path, started: bool) -> None:
    found = left_by_an_earlier_run(tmp_path)
    before = found()
    (tmp_path / "artifacts" / "run").rename(tmp_path / "artifacts" / ".earlier-run")
    (tmp_path / "artifacts" / "run").mkdir()
    if started:
        (tmp_path / "artifacts" / "run" / "stdout").write_text("of the job that was killed")
    spool = Spool(tmp_path)
    assert list(spool.artifact_dir("run").iterdir()) == []
    spool.remove()
    expected = {str(tmp_path / "artifacts" / "run" / "stdout"): b"of the job that was killed"} if started else before
    assert found() == expected
