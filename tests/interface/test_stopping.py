"""A stage, or a run, that a program stops hears it wherever it is, and waits for nobody who takes nothing."""

from __future__ import annotations

import io
import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyrage
import pytest

import playstream
from playstream.compat import ansible_runner
from playstream.interface import handlers
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, CallbackError, SilentPeer
from playstream.pipeline.io import age, cancellation, files
from playstream.pipeline.protocol import Failure, Job
from playstream.pipeline.protocol.order import Direction
from tests.conftest import MakeDir
from tests.processes import marked_processes
from tests.stages import SAY_STARTED, read_records

FAKE = """\
#!/usr/bin/env python3
import os, time
for _ in range(4000):
    print(os.urandom(50).hex())  # which cannot be made much smaller
print(flush=True)
open(os.environ["STARTED"], "w").close()
time.sleep(600)
"""


def run(**options: Any) -> playstream.Runner:
    return playstream.run(**options)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancel callback is asked at every look."""
    monkeypatch.setattr(handlers, "LOOK_SECONDS", 0.0)


@pytest.fixture
def at_once(looking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that does not pass: the time for delivery is over when somebody asks to stop."""
    for module in (cancellation, files):
        monkeypatch.setattr(module, "DELIVERY_SECONDS", 0.0)
    monkeypatch.setattr(age, "_STUCK_SECONDS", 0.0)


@pytest.fixture
def endless(private_data_dir: MakeDir, tmp_path: Path) -> dict[str, Any]:
    """The options of a job that shows something and never ends; `tmp_path / "started"` says that it has begun."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    (fakes / "ansible-playbook").write_text(FAKE)
    (fakes / "ansible-playbook").chmod(0o755)
    return {
        "private_data_dir": private_data_dir({"site.yml": "[]\n"}),
        "playbook": "site.yml",
        "envvars": {"PATH": f"{fakes}:{os.environ['PATH']}", "STARTED": str(tmp_path / "started")},
    }


@pytest.fixture
def large(private_data_dir: MakeDir) -> dict[str, Any]:
    """The options of a job with more files, and more bytes, than pipes and queues hold."""
    directory = private_data_dir({"site.yml": "[]\n"})
    for number in range(300):
        (directory / "project" / f"file{number}").write_bytes(os.urandom(50_000))
    return {"private_data_dir": directory, "playbook": "site.yml"}


class After:
    """A cancel callback that says so when it has been asked often enough."""

    def __init__(self, times: int) -> None:
        self._times = times
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > self._times


@pytest.mark.usefixtures("at_once")
def test_a_local_run_with_a_slow_handler(endless: dict[str, Any], tmp_path: Path) -> None:
    handled: list[int] = []

    def handle(event: dict[str, Any]) -> bool:
        handled.append(event["counter"])
        return True

    runner = run(**endless, quiet=True, event_handler=handle, cancel_callback=lambda: bool(handled))
    assert handled == [1]
    assert (runner.status, runner.exit_status) == ("canceled", CANCELED_EXIT_STATUS)
    assert (runner.artifact_path / "status").read_text() == "canceled"
    assert marked_processes(tmp_path) == []


def test_the_time_for_delivery_is_what_the_taker_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("playstream.pipeline.io.cancellation.time.monotonic", lambda: now)
    with closing(cancellation.Cancellation()) as request:
        left = cancellation.DeliveryTime(request)
        with left.taking():
            now = 100.0
            request.request("canceled")
            now = 103.0
        assert not left.over, "what passed before the request does not count"
        now = 200.0
        assert not left.over, "nor what passes while nothing waits"
        with left.taking():
            now = 201.9
            assert not left.over
            now = 202.0
            assert left.over


SLOW_TO_GO = f"""\
#!/bin/sh
[ "$1" = rm ] && exec sleep 1.2
[ "$1" = run ] || exit 0
{SAY_STARTED}
echo started
: > "$0.started"
exec sleep 600
"""


@pytest.mark.parametrize("way", ["run", "worker"])
def test_a_job_that_takes_long_to_end(
    endless: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """A container that is slow to go takes nothing from the time for delivery."""
    monkeypatch.setattr(cancellation, "DELIVERY_SECONDS", 1.0)
    engine = tmp_path / "podman"
    engine.write_text(SLOW_TO_GO)
    engine.chmod(0o755)
    options = {**endless, "container_image": "x", "process_isolation_executable": str(engine)}
    started = (tmp_path / "podman.started").exists
    if way == "run":
        runner = run(**options, quiet=True, ident="x", cancel_callback=started)
    else:
        job, results = io.BytesIO(), io.BytesIO()
        run(**options, streamer="transmit", _output=job)
        job.seek(0)
        run(streamer="worker", _input=job, _output=results, cancel_callback=started)
        results.seek(0)
        runner = run(
            streamer="process", private_data_dir=endless["private_data_dir"], _input=results, ident="x", quiet=True
        )
    assert (runner.status, runner.rc) == ("canceled", 254)
    assert (runner.artifact_path / "stdout").read_text() == "started\n"
    assert "did not take all" not in caplog.text


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
@pytest.mark.usefixtures("looking")
def test_a_worker_in_the_middle_of_a_tree(large: dict[str, Any], dialect: str) -> None:
    job = io.BytesIO()
    run(streamer="transmit", **large, dialect=dialect, _output=job)
    callback = After(100)
    runner = run(streamer="worker", _input=io.BytesIO(job.getvalue()), _output=io.BytesIO(), cancel_callback=callback)
    assert callback.asked == 101
    assert (runner.status, runner.exit_status) == ("canceled", CANCELED_EXIT_STATUS)


def run_worker(job: bytes, **options: Any) -> playstream.Runner:
    return run(streamer="worker", _input=io.BytesIO(job), **options)


def run_compat_worker(job: bytes, **options: Any) -> playstream.Runner:
    worker = ansible_runner.streaming.Worker(_input=io.BytesIO(job), **options)
    worker.run()
    return worker


@pytest.mark.parametrize("serve", [run_worker, run_compat_worker])
def test_a_worker_while_the_job_runs(
    endless: dict[str, Any], tmp_path: Path, serve: Callable[..., playstream.Runner]
) -> None:
    job, results = io.BytesIO(), io.BytesIO()
    run(streamer="transmit", **endless, _output=job)
    runner = serve(job.getvalue(), _output=results, cancel_callback=(tmp_path / "started").exists)
    assert (runner.status, runner.exit_status) == ("canceled", CANCELED_EXIT_STATUS)
    assert "canceled by the cancel callback" in str(read_records(results.getvalue()))


def test_a_worker_whose_callback_raises(endless: dict[str, Any], tmp_path: Path) -> None:
    def callback() -> bool:
        if (tmp_path / "started").exists():
            raise ValueError("no")
        return False

    job, results = io.BytesIO(), io.BytesIO()
    run(streamer="transmit", **endless, _output=job)
    with pytest.raises(CallbackError, match="cancel_callback raised ValueError: no"):
        run_worker(job.getvalue(), _output=results, cancel_callback=callback)
    assert [record.error for record in read_records(results.getvalue()) if isinstance(record, Failure)] == [
        "CallbackError"
    ]
    assert marked_processes(tmp_path) == []


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.usefixtures("looking")
def test_a_transmission(large: dict[str, Any], *, hold: bool) -> None:
    job = io.BytesIO()
    runner = run(streamer="transmit", **large, _output=job, hold=hold, cancel_callback=After(5))
    assert (runner.status, runner.exit_status) == ("canceled", CANCELED_EXIT_STATUS)
    records = read_records(job.getvalue(), Direction.JOB)
    assert isinstance(records[0], Job)
    failure = records[-2]
    assert isinstance(failure, Failure), records
    assert failure.message == "canceled by the cancel callback"


class Unread:
    """A file object without a descriptor whose `write` waits until the test has ended."""

    def __init__(self) -> None:
        self._begun, self.ended = threading.Event(), threading.Event()

    def write(self, data: bytes) -> int:
        self._begun.set()
        self.ended.wait()
        return len(data)

    def flush(self) -> None:
        """Nothing is held."""

    def is_stuck(self) -> bool:
        return self._begun.is_set()


class Pipe:
    """A file object that leads into a pipe which nobody reads."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.reading = reading
        self.file = os.fdopen(writing, "wb")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def is_stuck(self) -> bool:
        poll = select.poll()
        poll.register(self.file, select.POLLOUT)
        return not poll.poll(0)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with joined_threads():
        pipe = Pipe()
        yield pipe
        os.close(pipe.reading)
        pipe.file.close()


@pytest.fixture
def unread() -> Iterator[Unread]:
    with joined_threads():
        unread = Unread()
        yield unread
        unread.ended.set()


@contextmanager
def joined_threads() -> Iterator[None]:
    """Wait at the end for the threads that were started meanwhile."""
    before = threading.enumerate()
    yield
    for thread in threading.enumerate():
        if thread not in before:
            thread.join()


@pytest.fixture(scope="module")
def recipient() -> str:
    return str(pyrage.x25519.Identity.generate().to_public())


KEEPS = pytest.mark.keeps_descriptors("a number that a thread still writes to is nobody else's")


@KEEPS
@pytest.mark.parametrize("options", [{}, {"hold": True}, {"encrypt_to": ...}], ids=["plain", "hold", "encrypted"])
@pytest.mark.usefixtures("at_once")
def test_a_transmission_that_nobody_takes(
    large: dict[str, Any], pipe: Pipe, recipient: str, options: dict[str, Any]
) -> None:
    options = {name: recipient if value is ... else value for name, value in options.items()}
    with pytest.raises(SilentPeer, match=r"canceled by the cancel callback, and the worker did not read"):
        run(streamer="transmit", **large, **options, _output=pipe, cancel_callback=pipe.is_stuck)


@pytest.mark.usefixtures("at_once")
def test_a_transmission_in_the_runner_dialect_that_nobody_takes(large: dict[str, Any], pipe: Pipe) -> None:
    runner = run(streamer="transmit", **large, dialect="runner", _output=pipe, cancel_callback=pipe.is_stuck)
    assert runner.status == "canceled"


@KEEPS
@pytest.mark.usefixtures("at_once")
def test_a_transmission_into_an_object_that_takes_nothing(large: dict[str, Any], unread: Unread) -> None:
    with pytest.raises(SilentPeer, match="canceled by the cancel callback"):
        run(streamer="transmit", **large, _output=unread, cancel_callback=unread.is_stuck)


@KEEPS
@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.usefixtures("at_once")
def test_results_that_nobody_takes(
    endless: dict[str, Any], tmp_path: Path, pipe: Pipe, recipient: str, *, encrypt: bool
) -> None:
    job = io.BytesIO()
    run(streamer="transmit", **endless, _output=job)
    options = {"encrypt_to": recipient} if encrypt else {}
    with pytest.raises(SilentPeer, match=r"canceled by the cancel callback, and the process stage did not read"):
        run_worker(job.getvalue(), _output=pipe, cancel_callback=pipe.is_stuck, **options)
    assert marked_processes(tmp_path) == []


@pytest.mark.usefixtures("at_once")
def test_a_program_whose_output_nobody_takes(
    endless: dict[str, Any], tmp_path: Path, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with io.TextIOWrapper(io.BufferedWriter(io.FileIO(pipe.fileno(), "wb", closefd=False))) as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        runner = run(**endless, cancel_callback=pipe.is_stuck)
        monkeypatch.undo()
    assert (runner.status, runner.exit_status) == ("canceled", CANCELED_EXIT_STATUS)
    assert marked_processes(tmp_path) == []
