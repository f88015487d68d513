"""A job whose tree brings directories that nobody may write, and that makes more, leaves nothing, whoever runs it.

What it closes in its artifacts takes nothing else from them.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from playstream.pipeline.protocol import FileData, Job, Log, Record, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.paths import MAX_DEPTH
from tests.pipeline.runner_dialect.wire import END, line
from tests.processes import MODES_BIND, guards_of, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_records
from tests.stress.hostile.place import call_process, open_place
from tests.stress.hostile.streams import JOB, KWARGS, ROOT, directory, file, native

CLOSE = 'mkdir -p "$PLAYSTREAM_SPOOL/run/made/below" && chmod 0 "$PLAYSTREAM_SPOOL/run/made"'
STAY = f"{CLOSE}; exec sleep 600"
IN_ARTIFACTS = f"""cd "${{ANSIBLE_CACHE_PLUGIN_CONNECTION%/fact_cache}}" || exit 1
mkdir -p closed/below fact_cache listed; echo x | tee closed/x file listed/x report fact_cache/s1_h >/dev/null
d={"/".join(["d"] * MAX_DEPTH)}; mkdir -p $d/deeper
chmod 0 closed file fact_cache; chmod 0600 listed"""
USERS = pytest.mark.parametrize("prefix", [(), MODES_BIND], ids=["this-user", "modes-bind"])


def stream(job: Job) -> bytes:
    """A job stream whose tree has a directory of mode 0555 with something in it."""
    tree: list[Record] = [ROOT, directory(b"closed", 0o555), file(b"closed/file", 1), FileData(b"x"), TreeEnd(3, 1)]
    return native([replace(job, tree=True), *tree], Direction.JOB)


def shell_job(script: str) -> Job:
    return Job("run", command=("/bin/sh", "-c", script))


def call(stages: Stages, prefix: tuple[str, ...], job: Job, *words: str | Path) -> None:
    worker = stages.start("worker", *words, prefix=prefix)
    _, stderr = worker.communicate(stream(job), timeout=LIMIT_SECONDS)
    assert (worker.returncode, stderr) == (0, b"")


def start(stages: Stages, prefix: tuple[str, ...], *words: str | Path) -> subprocess.Popen[bytes]:
    """A worker whose job has closed its directories."""
    worker = stages.start("worker", *words, prefix=prefix)
    assert worker.stdin is not None
    worker.stdin.write(stream(shell_job(STAY)))
    worker.stdin.flush()
    wait_until(
        lambda: any(
            (root / "run/made").exists() and not (root / "run/made").stat().st_mode & 0o777
            for root in stages.leftovers()
        )
    )
    return worker


def kill(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.communicate(timeout=LIMIT_SECONDS)


@USERS
@pytest.mark.parametrize("delete", [False, True])
def test_a_worker_that_ends(stages: Stages, tmp_path: Path, prefix: tuple[str, ...], delete: bool) -> None:
    place = tmp_path / "x"
    words = ("--private-data-dir", place, "--delete") if delete else ()
    if delete:
        (place / "old/below").mkdir(parents=True)
        (place / "old").chmod(0o555)
    call(stages, prefix, shell_job(CLOSE), *words)
    assert stages.leftovers() == []
    assert not place.exists()


@USERS
@pytest.mark.parametrize("delete", [False, True])
def test_a_worker_that_is_killed(stages: Stages, tmp_path: Path, prefix: tuple[str, ...], delete: bool) -> None:
    place = tmp_path / "x"
    kill(start(stages, prefix, *(("--private-data-dir", place, "--delete") if delete else ())))
    wait_until(lambda: stages.leftovers() == [] and not place.exists())


@USERS
def test_a_worker_that_is_killed_with_its_guard(stages: Stages, prefix: tuple[str, ...]) -> None:
    worker = start(stages, prefix)
    os.kill(worker.pid, signal.SIGSTOP)
    os.kill(guards_of(worker.pid)[0], signal.SIGKILL)
    kill(worker)
    assert len(stages.leftovers()) == 1
    call(stages, prefix, JOB)
    assert stages.leftovers() == []
    assert marked_processes(stages.temporary) == []


@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_artifacts_that_a_job_has_closed(stages: Stages, tmp_path: Path, dialect: str) -> None:
    (tmp_path / "close").write_text(f"#!/bin/sh\n{IN_ARTIFACTS}\n")
    (tmp_path / "close").chmod(0o755)
    job = stream(shell_job(IN_ARTIFACTS))
    if dialect == "runner":
        job = line(kwargs={**KWARGS, "binary": str(tmp_path / "close")}) + END
    worker = stages.start("worker", prefix=MODES_BIND)
    results, stderr = worker.communicate(job, timeout=LIMIT_SECONDS)
    assert (worker.returncode, stderr) == (0, b"")
    with open_place() as place:
        answer = call_process(place, results)
        assert answer.error is None, answer.message
        assert {"report", "rc", "status", "listed", "/".join(["d"] * MAX_DEPTH)} <= answer.kept
        assert not {"closed", "file", "fact_cache", "listed/x"} & answer.kept
    if dialect == "native":
        told = [record.message for record in read_records(results) if isinstance(record, Log)]
        assert [text.partition(" is not sent: ")[0] for text in told if "may not read" in text] == [
            "'closed'",
            "'fact_cache'",
            "'file'",
            "'listed/x'",
        ]
        assert sum("too long or too deep" in text for text in told) == 1
