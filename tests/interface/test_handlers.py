"""The caller's functions: when they are called, where, and what becomes of what they return and raise."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.interface.execution_drive import ExecutionDrive
from playstream.interface.handlers import CancelPoll
from playstream.pipeline.errors import CallbackError, ConfigurationError
from playstream.process import Processor
from tests.interface.programs import INVENTORY, debug, fake, leftovers, play
from tests.processes import marked_processes

PLAYS = [play(debug("one"), debug("two"))]


class Diary:
    """Handlers that write down their calls."""

    def __init__(self, artifact_dir: Path) -> None:
        self.artifact_dir = artifact_dir
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.configs: list[Any] = []
        self.statuses: list[dict[str, Any]] = []

    def note(self, call: str) -> None:
        self.threads.add(threading.get_ident())
        files = [name for name in ("status", "rc", "stdout") if (self.artifact_dir / name).exists()]
        self.calls.append(f"{call} {' '.join(files)}")

    def event(self, data: dict[str, Any]) -> bool:
        self.note("event")
        data["added"] = data["counter"] * 10
        return bool(data["event"] != "playbook_on_task_start")

    def status(self, data: dict[str, Any], runner_config: Any) -> None:
        self.note(data["status"])
        self.statuses.append(data)
        self.configs.append(runner_config)

    def artifacts(self, directory: str) -> None:
        assert directory == str(self.artifact_dir)
        self.note("artifacts")

    def finished(self, runner: playstream.Runner) -> None:
        assert (runner.status, runner.rc) == ("successful", 0)
        self.note("finished")

    @property
    def handlers(self) -> dict[str, Any]:
        return {
            "event_handler": self.event,
            "status_handler": self.status,
            "artifacts_handler": self.artifacts,
            "finished_callback": self.finished,
        }


@pytest.fixture(scope="module")
def told(shared_demo: Path) -> tuple[playstream.Runner, Diary]:
    diary = Diary(shared_demo / "artifacts" / "7")
    runner = playstream.run(private_data_dir=shared_demo, playbook="site.yml", ident=7, quiet=True, **diary.handlers)
    return runner, diary


def test_the_order_of_the_calls(told: tuple[playstream.Runner, Diary]) -> None:
    calls = told[1].calls
    assert calls[:2] == ["starting stdout", "running stdout"]
    assert set(calls[2:-3]) == {"event stdout"}
    assert calls[-3:] == ["successful stdout", "artifacts status rc stdout", "finished status rc stdout"]


def test_run_calls_in_the_callers_thread(told: tuple[playstream.Runner, Diary]) -> None:
    assert told[1].threads == {threading.get_ident()}


def test_the_status_handler_gets_the_command_and_the_configuration(told: tuple[playstream.Runner, Diary]) -> None:
    runner, diary = told
    assert all(config is runner.config for config in diary.configs)
    starting = diary.statuses[0]
    assert starting["status"] == "starting"
    assert starting["runner_ident"] == "7"
    assert starting["command"] == runner.config.command
    assert starting["cwd"] == runner.config.cwd
    assert starting["env"]["PLAYSTREAM_IDENT"] == "7"
    assert [status["status"] for status in diary.statuses] == ["starting", "running", "successful"]


def test_what_the_event_handler_adds_and_discards(told: tuple[playstream.Runner, Diary]) -> None:
    runner, _ = told
    events = list(runner.events)
    assert events
    assert all(event["added"] == event["counter"] * 10 for event in events)
    assert "playbook_on_task_start" not in {event["event"] for event in events}
    names = {path.name for path in (runner.artifact_path / "job_events").iterdir()}
    assert names == {f"{event['counter']}-{event['uuid']}.json" for event in events}
    assert runner.stats is not None
    with runner.stdout as output:
        assert "TASK [Say it]" in output.read()


@pytest.mark.parametrize("answer", [False, None, 0])
def test_a_falsy_answer_keeps_no_event(temporary: Path, tmp_path: Path, answer: object) -> None:
    seen = []

    def handler(event: dict[str, Any]) -> object:
        seen.append(event["counter"])
        return answer

    runner = playstream.run(
        binary=fake(tmp_path, "echo a; echo b"), playbook=PLAYS, inventory=INVENTORY, event_handler=handler, quiet=True
    )
    assert runner.status == "successful"
    assert seen
    assert list(runner.events) == []
    assert runner.stats is None
    assert list((runner.artifact_path / "job_events").iterdir()) == []
    with runner.stdout as output:
        assert output.read() == "a\nb\n"


def test_run_async_calls_in_the_runs_thread(tmp_path: Path) -> None:
    threads = []

    def note(*_: object, **__: object) -> bool:
        threads.append(threading.current_thread())
        return False

    thread, runner = playstream.run_async(
        binary=fake(tmp_path, "echo a"),
        playbook=PLAYS,
        quiet=True,
        artifact_dir=tmp_path / "artifacts",
        event_handler=note,
        status_handler=note,
        artifacts_handler=note,
        finished_callback=note,
        cancel_callback=note,
    )
    thread.join()
    assert runner.status == "successful"
    assert len(threads) >= 6
    assert set(threads) == {thread}


def test_the_cancel_callback_is_asked_while_nothing_is_printed(tmp_path: Path) -> None:
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(len(asked))
        return len(asked) == 4

    started = time.monotonic()
    runner = playstream.run(binary=fake(tmp_path, "exec sleep 60"), playbook=PLAYS, quiet=True, cancel_callback=cancel)
    assert (runner.status, runner.rc, runner.canceled, runner.errored) == ("canceled", 254, True, False)
    assert runner.explanation == "canceled by the cancel callback"
    assert len(asked) == 4
    assert time.monotonic() - started < 30


@pytest.mark.keeps_descriptors("what was logged holds the Runner")
def test_an_oserror_of_the_event_handler_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def handler(event: dict[str, Any]) -> bool:
        raise ConnectionRefusedError("nobody there")

    with caplog.at_level(logging.WARNING, "playstream"):
        runner = playstream.run(binary=fake(tmp_path, "echo a"), playbook=PLAYS, quiet=True, event_handler=handler)
    assert runner.status == "successful"
    assert [event["stdout"] for event in runner.events] == ["a"]
    assert "nobody there" in caplog.text


class Boom(Exception):
    """What a handler raises."""


def explode(*_: object, **__: object) -> bool:
    raise Boom("boom")


def explode_when_running(data: dict[str, Any], runner_config: Any) -> None:
    if data["status"] == "running":
        raise Boom("boom")


def explode_at_the_end(data: dict[str, Any], runner_config: Any) -> None:
    if data["status"] == "failed":
        raise Boom("boom")


@pytest.mark.parametrize(
    ("name", "function", "raised"),
    [
        ("event_handler", explode, Boom),
        ("status_handler", explode_when_running, Boom),
        ("cancel_callback", explode, CallbackError),
    ],
)
def test_an_exception_ends_the_job_and_keeps_what_came(
    temporary: Path, tmp_path: Path, name: str, function: Callable[..., Any], raised: type[Exception]
) -> None:
    script = "echo one; echo two; exec sleep 100"
    finished: list[object] = []
    options: dict[str, Any] = {name: function, "finished_callback": finished.append}
    runner = playstream.init_runner(
        binary=fake(tmp_path, script), playbook=PLAYS, quiet=True, artifact_dir=tmp_path / "kept", ident="x", **options
    )
    with pytest.raises(raised, match="boom") as caught:
        runner.run()
    if raised is CallbackError:
        assert isinstance(caught.value.__cause__, Boom)
    assert marked_processes(temporary) == []
    assert leftovers(temporary) == []
    assert (runner.status, runner.errored) == ("error", True)
    assert runner.explanation is not None
    assert "boom" in runner.explanation
    assert (tmp_path / "kept" / "x" / "status").read_text() == "error"
    assert finished == [runner]
    if name == "event_handler":
        assert [event["stdout"] for event in runner.events][:1] == ["one"]
        kept = [json.loads(path.read_text()) for path in (tmp_path / "kept" / "x" / "job_events").iterdir()]
        assert sorted(event["counter"] for event in runner.events) == sorted(event["counter"] for event in kept)


def test_a_run_that_goes_on_is_not_started_again(tmp_path: Path) -> None:
    """By a handler, or by another thread; what it has is the run's that goes on."""
    refused: list[str] = []

    def start_again(_event: dict[str, Any]) -> bool:
        with pytest.raises(ConfigurationError, match="this run is active") as caught:
            runner.run()
        refused.append(str(caught.value))
        return True

    runner = playstream.init_runner(
        binary=fake(tmp_path, "echo one"), playbook=PLAYS, quiet=True, event_handler=start_again
    )
    assert runner.run() == ("successful", 0)
    assert len(refused) == len(list(runner.events)) == 1
    assert runner.run() == ("successful", 0)


def test_a_stage_that_goes_on_is_not_started_again(tmp_path: Path) -> None:
    def start_again() -> bool:
        with pytest.raises(ConfigurationError, match="this run is active"):
            runner.run()
        return True

    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as link, os.fdopen(writing, "wb"):
        runner = playstream.init_runner(
            streamer="process", private_data_dir=tmp_path, _input=link, quiet=True, cancel_callback=start_again
        )
        assert runner.run() == ("canceled", 254)


def test_a_handler_may_change_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative names are meant from where the run was asked for: of the artifacts, and of those to rotate out."""
    elsewhere = tmp_path / "elsewhere"
    for place in (tmp_path / "kept", elsewhere / "kept"):
        (place / "old" / "job_events").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    runner = playstream.run(
        binary=fake(tmp_path, "echo one"),
        playbook=PLAYS,
        quiet=True,
        artifact_dir="kept",
        ident="new",
        rotate_artifacts=1,
        status_handler=lambda _data, runner_config: os.chdir(elsewhere),  # noqa: ARG005
    )
    assert [event["stdout"] for event in runner.events] == ["one"]
    assert (sorted(os.listdir(tmp_path / "kept")), os.listdir(elsewhere / "kept")) == (["latest", "new"], ["old"])


def test_an_interrupt_between_two_records_ends_the_job(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(thread: threading.Thread) -> None:
        if thread.name == "playstream-execution" and not interrupts:
            interrupts.append(thread)
            raise KeyboardInterrupt
        join(thread)

    interrupts: list[threading.Thread] = []
    join = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", interrupted)
    finished: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        playstream.run(
            binary=fake(tmp_path, "echo one"),
            playbook=PLAYS,
            quiet=True,
            artifact_dir=tmp_path / "kept",
            finished_callback=finished.append,
        )
    assert (len(interrupts), len(finished)) == (1, 1)
    assert not interrupts[0].is_alive()
    assert leftovers(temporary) == []


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "canceled"), (OSError, "error")])
def test_what_breaks_the_run_itself_is_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], status: str
) -> None:
    """Programs poll the status until the run has ended."""

    def broken(self: ExecutionDrive, processor: Processor, poll: CancelPoll) -> None:
        run(self, processor, poll)
        processor.finish()
        runner.status = "running"
        raise error("broken")

    run = ExecutionDrive.run
    monkeypatch.setattr(ExecutionDrive, "run", broken)
    runner = playstream.init_runner(binary=fake(tmp_path, "echo one"), playbook=PLAYS, quiet=True)
    with pytest.raises(error):
        runner.run()
    assert (runner.status, runner.wait(0)) == (status, True)
    assert runner.explanation


@pytest.mark.parametrize("name", ["artifacts_handler", "finished_callback"])
def test_an_exception_at_the_end_is_a_callback_error(temporary: Path, tmp_path: Path, name: str) -> None:
    options: dict[str, Any] = {name: explode}
    with pytest.raises(CallbackError, match=f"{name} raised Boom: boom"):
        playstream.run(
            binary=fake(tmp_path, "echo one"), playbook=PLAYS, quiet=True, artifact_dir=tmp_path, ident="x", **options
        )
    assert (tmp_path / "x" / "status").read_text() == "successful"
    assert leftovers(temporary) == []


def test_an_exception_on_the_last_status_leaves_everything_done(temporary: Path, tmp_path: Path) -> None:
    finished: list[object] = []
    with pytest.raises(Boom):
        playstream.run(
            binary=fake(tmp_path, "exit 3"),
            playbook=PLAYS,
            quiet=True,
            artifact_dir=tmp_path,
            ident="x",
            status_handler=explode_at_the_end,
            finished_callback=finished.append,
        )
    assert (tmp_path / "x" / "status").read_text() == "error"
    assert len(finished) == 1
    assert leftovers(temporary) == []


@pytest.mark.parametrize("stream", [b"", b"not a stream\n"], ids=["empty", "foreign"])
@pytest.mark.parametrize("raised", [Boom, KeyboardInterrupt, SystemExit])
def test_an_exception_on_the_status_of_a_broken_stream(
    tmp_path: Path, stream: bytes, raised: type[BaseException]
) -> None:
    """What is wrong with the stream is a status; what the handler of that status raises is an error all the same."""

    def explode(*_: object, **__: object) -> None:
        raise raised

    finished: list[playstream.Runner] = []
    with pytest.raises(raised):
        playstream.run(
            streamer="process",
            private_data_dir=tmp_path,
            _input=io.BytesIO(stream),
            quiet=True,
            status_handler=explode,
            finished_callback=finished.append,
        )
    assert [runner.status for runner in finished] == ["error"]


def test_a_cancel_callback_that_raises_is_not_asked_again(tmp_path: Path) -> None:
    """The job takes a while to end; its artifacts are waited for."""
    script = "trap 'echo later' TERM; echo first; while :; do sleep 0.1; done"
    ready, asked = threading.Event(), []

    def note(_: dict[str, Any]) -> bool:
        ready.set()
        return True

    def explode_when_ready() -> bool:
        if ready.is_set():
            asked.append(1)
            raise Boom("boom")
        return False

    with pytest.raises(CallbackError):
        playstream.run(
            binary=fake(tmp_path, script),
            playbook=PLAYS,
            quiet=True,
            artifact_dir=tmp_path,
            ident="x",
            event_handler=note,
            cancel_callback=explode_when_ready,
        )
    assert asked == [1]
    lines = (tmp_path / "x" / "stdout").read_text().splitlines()
    # The shell may say besides what became of its `sleep`.
    assert [line for line in lines if line != "Terminated"][:2] == ["first", "later"]
    assert (tmp_path / "x" / "stderr").exists()


def test_an_event_handler_may_add_anything(tmp_path: Path) -> None:
    def handler(event: dict[str, Any]) -> bool:
        event["where"] = tmp_path
        return True

    runner = playstream.run(binary=fake(tmp_path, "echo 1"), playbook=PLAYS, quiet=True, event_handler=handler)
    assert [event["where"] for event in runner.events] == [str(tmp_path)]


def test_an_exception_in_run_async_becomes_the_status(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    thread, runner = playstream.run_async(
        binary=fake(tmp_path, "echo one"), playbook=PLAYS, quiet=True, event_handler=explode
    )
    thread.join()
    assert runner.wait(0)
    assert runner.status == "error"
    assert runner.explanation == "a handler raised Boom: boom"


def test_an_event_handler_may_read_what_there_is(tmp_path: Path) -> None:
    """Reading events, output and statistics in the thread that makes them does not wait for more."""
    seen: list[int] = []
    holder: list[playstream.Runner] = []

    def handler(event: dict[str, Any]) -> bool:
        seen.append(len(list(holder[0].events)))
        holder[0].stdout.close()
        assert holder[0].stats is None
        return True

    holder.append(
        playstream.init_runner(
            binary=fake(tmp_path, "echo a; sleep 0.3; echo b; sleep 0.3; echo c"),
            playbook=PLAYS,
            quiet=True,
            event_handler=handler,
        )
    )
    holder[0].run()
    assert seen == [0, 1, 2]
    assert len(list(holder[0].events)) == 3


def test_an_event_handler_may_not_move_a_file(tmp_path: Path) -> None:
    def rewrite(event: dict[str, Any]) -> bool:
        event["uuid"] = "../../elsewhere"
        return True

    runner = playstream.run(
        private_data_dir=tmp_path, playbook=PLAYS, inventory=INVENTORY, quiet=True, event_handler=rewrite
    )
    kept = sorted((Path(runner.config.artifact_dir) / "job_events").iterdir())
    assert len(kept) == len(list(runner.events)) > 0
    assert all(json.loads(path.read_text())["uuid"] == "../../elsewhere" for path in kept)


def test_an_event_that_a_handler_has_made_no_json(tmp_path: Path) -> None:
    def tangle(event: dict[str, Any]) -> bool:
        event["self"] = event
        return True

    with pytest.raises(CallbackError, match="after a handler or a plugin changed it"):
        playstream.run(private_data_dir=tmp_path, playbook=PLAYS, inventory=INVENTORY, quiet=True, event_handler=tangle)
    assert not marked_processes(tmp_path)
