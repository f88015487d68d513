"""The channel to the reader: numbering, failures, and nothing at all when nobody asks."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Ansible, Run


class Reader:
    """Reads events from a FIFO and answers the hello line on another one."""

    def __init__(self, directory: Path, answer: bytes) -> None:
        self.events = directory / "events.fifo"
        self.origin = directory / "origin.fifo"
        self.record = directory / "events"
        os.mkfifo(self.events, 0o600)
        os.mkfifo(self.origin, 0o600)
        self._answer = answer
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with self.events.open("rb") as source, self.record.open("wb") as record:
            record.write(source.readline())
            self.origin.write_bytes(self._answer)
            record.writelines(source)

    def join(self) -> None:
        self._thread.join()


def _recorded(ansible: Ansible, directory: Path, answer: bytes, env: dict[str, str] | None = None) -> Run:
    reader = Reader(directory, answer)
    given = {"PLAYSTREAM_ORIGIN": str(reader.origin), **(env or {})}
    run = ansible.playbook("small.yml", env=given, events=reader.events)
    reader.join()
    run.path = reader.record
    return run


def test_numbering_goes_on_from_the_readers_answer(ansible: Ansible, tmp_path: Path) -> None:
    run = _recorded(ansible, tmp_path, b"[3, 7]\n")
    assert run.status == 0
    run.check()
    hello = json.loads(run.lines[0])
    assert list(hello) == ["playstream", "pid", "ansible"]
    assert hello["playstream"] == 1
    assert hello["pid"] == run.events[0]["pid"]
    assert hello["ansible"].startswith("2.")
    assert run.events[0]["counter"] == 4
    assert run.events[0]["start_line"] == 7


def test_secrets_of_the_readers_answer_are_masked(ansible: Ansible, tmp_path: Path, version: tuple[int, int]) -> None:
    """An ansible-core that cannot is never handed any; when it is all the same, it says so and the run is recorded."""
    secrets = ["told", *(f"long{number}" * 500 for number in range(30))]
    shown = {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"}
    run = _recorded(ansible, tmp_path, json.dumps([0, 0, secrets]).encode() + b"\n", shown)
    assert run.status == 0
    run.check()
    said = run.one("runner_on_ok", task="say")["event_data"]["res"]["msg"]
    told = run.named("runner_on_ok")[-1]["event_data"]["res"]["stdout"]
    assert (said, told) == ("two\nlines", "$REDACTED$" if version >= (2, 22) else "told")
    # Not in a task's name and arguments either.
    assert ("told" in run.path.read_text()) == (version < (2, 22))
    assert run.events[-1]["event"] == "playbook_on_stats"
    assert ("cannot mask secrets" in run.terminal) == (version < (2, 22))


@pytest.mark.parametrize("answer", [b"rubbish\n", b'["1", 2]\n', b"[-1, 0]\n", b"[1]\n", b"7\n", b"[-1, 0, 7]\n"])
def test_rubbish_for_an_answer_starts_from_nothing(ansible: Ansible, tmp_path: Path, answer: bytes) -> None:
    run = _recorded(ansible, tmp_path, answer)
    assert run.status == 0
    run.check()
    assert (run.events[0]["counter"], run.events[0]["start_line"]) == (1, 0)


@pytest.mark.parametrize("place", ["/dev/full", "/nonexistent/events"])
def test_events_that_cannot_be_written_are_one_warning(ansible: Ansible, place: str) -> None:
    run = ansible.playbook("small.yml", events=Path(place))
    assert run.status == 0
    assert run.terminal.count("events cannot be written") == 1
    assert place in run.terminal
    assert "PLAY RECAP" in run.terminal


def test_a_reader_that_goes_away_is_one_warning(ansible: Ansible, tmp_path: Path) -> None:
    fifo = tmp_path / "events"
    os.mkfifo(fifo)

    def read_a_line() -> None:
        with fifo.open("rb") as source:
            source.readline()

    thread = threading.Thread(target=read_a_line)
    thread.start()
    run = ansible.playbook("small.yml", events=fifo)
    thread.join()
    assert run.status == 0
    assert run.terminal.count("events cannot be written") == 1
    assert "PLAY RECAP" in run.terminal


def test_the_file_is_for_its_owner_only(site: Run) -> None:
    assert stat.S_IMODE(site.path.stat().st_mode) == 0o600


def test_without_a_channel_the_plugin_does_nothing(ansible: Ansible) -> None:
    run = ansible.playbook("small.yml", recorded=False, env={"PLAYSTREAM_ORIGIN": "/nonexistent"})
    assert run.status == 0
    assert not run.path.exists()
    assert "playstream" not in run.terminal


def test_ad_hoc_runs_have_no_play_and_no_task_events(ansible: Ansible) -> None:
    command = ["-m", "command", "-a", "echo hi", "-vvv"]
    run = ansible.run("ansible", "h1", *command, env={"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"})
    assert run.status == 0
    run.check()
    names = [event["event"] for event in run.events if event["event"] != "verbose"]
    assert names == ["playbook_on_start", "runner_on_start", "runner_on_ok", "playbook_on_stats"]
    ok = run.one("runner_on_ok", host="h1")
    assert ok["event_data"]["task_action"] == "command"
    assert ok["event_data"]["res"]["stdout"] == "hi"
    assert ok["parent_uuid"] == run.one("playbook_on_start")["uuid"]
    assert run.named("verbose", task="command")


def test_no_deprecation_is_displayed_because_of_the_plugin(site: Run) -> None:
    assert not [line for line in site.terminal.splitlines() if "DEPRECAT" in line]
    assert "callback plugin" not in site.terminal
