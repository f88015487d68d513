"""Events that are read while the run goes on, afterwards, again, and by several at once."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.interface.event_log import EventLog
from tests.interface.programs import fake, play
from tests.processes import wait_until

SLOW = "echo 1; sleep 0.5; echo 2; sleep 0.5; echo 3"
PLAYS = [play()]


def texts(events: Any) -> list[str]:
    return [event["stdout"] for event in events]


def test_events_follow_a_live_run(tmp_path: Path) -> None:
    """Ansible waits for the reader to have each before it goes on; a reader that waits uses no processor time."""
    script = f"for n in 1 2 3; do echo $n; while [ ! -e {tmp_path}/seen-$n ]; do sleep 0.3; done; done"
    thread, runner = playstream.run_async(binary=fake(tmp_path, script), playbook=PLAYS, quiet=True)
    assert runner.status in {"unstarted", "starting", "running"}
    seen = []
    before = time.thread_time()
    for event in runner.events:
        seen.append((event["stdout"], runner.status))
        (tmp_path / f"seen-{event['stdout']}").touch()
    used = time.thread_time() - before
    thread.join()
    assert seen == [("1", "running"), ("2", "running"), ("3", "running")]
    assert used < 0.25, "a reader that waits a second should not be busy"


def test_a_reader_opens_each_event_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    lists: list[Path] = []
    read_bytes, iterdir = Path.read_bytes, Path.iterdir

    def count_read(path: Path) -> bytes:
        reads.append(path.name)
        return read_bytes(path)

    def count_list(path: Path) -> Any:
        lists.append(path)
        return iterdir(path)

    thread, runner = playstream.run_async(binary=fake(tmp_path, SLOW), playbook=PLAYS, quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", count_read)
        patch.setattr(Path, "iterdir", count_list)
        assert texts(runner.events) == ["1", "2", "3"]
    thread.join()
    assert len([name for name in reads if name.endswith(".json")]) == 3
    assert not [path for path in lists if path.name == "job_events"]


def test_more_readers_at_once_and_again(tmp_path: Path) -> None:
    thread, runner = playstream.run_async(binary=fake(tmp_path, SLOW), playbook=PLAYS, quiet=True)
    found: list[list[str]] = []
    readers = [threading.Thread(target=lambda: found.append(texts(runner.events))) for _ in range(5)]
    for reader in readers:
        reader.start()
    half = iter(runner.events)
    assert next(half)["stdout"] == "1"
    for reader in [*readers, thread]:
        reader.join(60)
    assert found == [["1", "2", "3"]] * 5
    assert texts(half) == ["2", "3"]
    assert texts(runner.events) == texts(runner.events) == ["1", "2", "3"]


def test_events_outlive_the_name_of_their_runner(tmp_path: Path) -> None:
    """for event in run(…).events: nobody but the iterator holds the run from memory and its artifacts."""
    options: dict[str, Any] = {"binary": fake(tmp_path, "echo 1; echo 2"), "playbook": PLAYS, "quiet": True}
    found = []
    for event in playstream.run(**options).events:
        gc.collect()
        found.append(event["stdout"])
    assert found == ["1", "2"]
    hosts = playstream.run(**options).host_events("node1")
    gc.collect()
    assert list(hosts) == []
    with playstream.run(**options).stdout as output:
        gc.collect()
        assert output.read() == "1\n2\n"


def test_events_of_an_earlier_run_are_not_this_runs(tmp_path: Path) -> None:
    """A directory's events can be read before the run; then they are the run's."""
    for word in ("first", "second"):
        runner = playstream.init_runner(
            binary=fake(tmp_path, f"echo {word}"), playbook=PLAYS, quiet=True, artifact_dir=tmp_path / "a", ident="x"
        )
        before = texts(runner.events)
        runner.run()
        assert (before, texts(runner.events)) == ([] if word == "first" else ["first"], [word])


def test_a_runner_runs_again(tmp_path: Path) -> None:
    runner = playstream.init_runner(binary=fake(tmp_path, "echo $$"), playbook=PLAYS, quiet=True)
    runner.run()
    first = texts(runner.events)
    runner.run()
    second = texts(runner.events)
    assert len(first) == len(second) == 1
    assert first != second


def test_reading_is_linear(tmp_path: Path) -> None:
    """Twenty thousand events, one at a time, by a reader that is always behind or always ahead."""
    log = EventLog()
    directory = tmp_path / "job_events"
    directory.mkdir()
    names = [f"{number}-x.json" for number in range(1, 20_001)]
    (directory / names[0]).write_text(json.dumps({"counter": 1}))
    for name in names[1:]:
        os.link(directory / names[0], directory / name)
    log.begin()
    reader = log.read(tmp_path)
    before = time.process_time()
    for name in names:
        log.add(name)
        assert next(reader) == {"counter": 1}
    log.end()
    assert list(reader) == []
    assert sum(1 for _ in log.read(tmp_path)) == len(names)
    assert time.process_time() - before < 20


def test_events_that_were_removed(tmp_path: Path) -> None:
    """Artifacts belong to the user: removing them is an error of its own, and not one of the operating system's."""
    runner = playstream.run(
        binary=fake(tmp_path, "echo 1"), playbook=PLAYS, quiet=True, artifact_dir=tmp_path / "a", ident="x"
    )
    for path in (tmp_path / "a" / "x" / "job_events").iterdir():
        path.unlink()
    with pytest.raises(playstream.PlaystreamError, match=r"event .*1-.*\.json"):
        list(runner.events)


def test_a_reader_before_the_start_waits(tmp_path: Path) -> None:
    thread, runner = playstream.run_async(binary=fake(tmp_path, "sleep 0.3; echo 1"), playbook=PLAYS, quiet=True)
    assert texts(runner.events) == ["1"]
    wait_until(lambda: runner.status == "successful")
    thread.join()
