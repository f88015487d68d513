"""Runs shown again, and handlers called again, as when they ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

import playstream
from playstream.pipeline.errors import CallbackError, ConfigurationError, IncompleteStream
from tests.captures.reading import a_run, an_event
from tests.conftest import MakeDir
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages

PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: First
      debug: {msg: hello}
    - name: Second
      fail: {msg: no}
"""


class Calls:
    """Handlers that note their calls."""

    def __init__(self) -> None:
        self.noted: list[Any] = []

    def event(self, event: dict[str, Any]) -> bool:
        self.noted.append(("event", event))
        return True

    def status(self, data: dict[str, Any], runner_config: Any) -> None:
        self.noted.append(("status", data, runner_config.ident, list(runner_config.command)))

    def artifacts(self, path: str) -> None:
        self.noted.append(("artifacts", sorted(os.listdir(path))))

    def finished(self, runner: Any) -> None:
        self.noted.append(("finished", runner.status, runner.rc, runner.explanation))

    @property
    def options(self) -> dict[str, Any]:
        return {
            "event_handler": self.event,
            "status_handler": self.status,
            "artifacts_handler": self.artifacts,
            "finished_callback": self.finished,
            "quiet": True,
        }


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": PLAY}, hosts=("node1", "node2"))


def test_handlers_are_called_as_by_the_run(demo: Path, tmp_path: Path) -> None:
    live, again, of_artifacts = Calls(), Calls(), Calls()
    file = tmp_path / "run"
    ran = playstream.run(private_data_dir=demo, playbook="site.yml", ident="x", capture=file, **live.options)
    runner = playstream.replay(file, speed="max", **again.options)
    assert again.noted == live.noted
    assert (runner.status, runner.rc, runner.exit_status) == (ran.status, ran.rc, ran.exit_status)
    assert runner.summary() == ran.summary()
    assert list(runner.events) == list(ran.events)
    assert not runner.artifact_path.is_relative_to(demo)
    place = runner.artifact_path
    del runner, again
    assert not place.exists()

    playstream.replay(ran.artifact_path, speed="max", **of_artifacts.options)
    calls = [call for call in of_artifacts.noted if call[0] in {"event", "finished"}]
    assert calls == [call for call in live.noted if call[0] in {"event", "finished"}]


def test_a_run_is_not_replaced_by_itself(demo: Path) -> None:
    ran = playstream.run(private_data_dir=demo, playbook="site.yml", ident="x", quiet=True)
    events = list(ran.events)
    with pytest.raises(ConfigurationError, match="has the run that would be replayed into it"):
        playstream.replay(demo / "artifacts" / "latest", private_data_dir=demo, speed="max", quiet=True)
    assert list(ran.events) == events


def test_the_timing_of_the_run(tmp_path: Path) -> None:
    """What is due later has not come when the run is canceled: no clock is looked at."""
    file = tmp_path / "run"
    events = [an_event(1, created="2026-11-30T10:00:00+00:00"), an_event(2, created="2026-11-30T11:00:00+00:00")]
    file.write_bytes(a_run(*events))
    seen: list[int] = []

    def handle(event: dict[str, Any]) -> bool:
        seen.append(event["counter"])
        return True

    runner = playstream.replay(file, event_handler=handle, cancel_callback=lambda: bool(seen), quiet=True)
    assert (seen, runner.status) == ([1], "canceled")
    assert playstream.replay(file, event_handler=handle, speed=1e7, quiet=True).status == "successful"
    assert seen == [1, 1, 2]


def test_damage_ends_the_run(tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run(an_event(1), an_event(2))[:-120])
    runner = playstream.replay(file, speed="max", quiet=True)
    assert (runner.status, runner.exit_status) == ("error", IncompleteStream.exit_status)


def test_an_exception_of_a_handler(tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run(an_event(1)))
    with pytest.raises(ZeroDivisionError):
        playstream.replay(file, event_handler=lambda _: 1 // 0, speed="max", quiet=True)
    with pytest.raises(CallbackError):
        playstream.replay(file, finished_callback=lambda _: 1 // 0, speed="max", quiet=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0}, "speed: expected a number above 0"),
        ({"speed": "slow"}, "speed: expected"),
        ({"playbook": "x"}, r"replay\(\) got an unexpected keyword argument 'playbook'"),
        ({"identity": ""}, "identity: expected"),
    ],
)
def test_invalid_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run())
    with pytest.raises(ConfigurationError, match=message):
        playstream.replay(file, **options)
    with pytest.raises(ConfigurationError, match="neither a file nor a directory"):
        playstream.replay(tmp_path / "none")


def test_the_command(stages: Stages, demo: Path, tmp_path: Path) -> None:
    file = tmp_path / "run"
    live = stages.call("run", demo, "-p", "site.yml", "-i", "x", "--capture", file)
    assert live.returncode == 2
    for kept in (file, demo / "artifacts" / "x", demo):
        done = stages.call("replay", kept, "--speed", "max")
        assert done.returncode == 0, done.stderr
        assert done.stdout == live.stdout
    done = stages.call("replay", file, "--speed", "max", "--host", "node2", "--task", "Second")
    assert b"TASK [Second]" in done.stdout
    assert b"TASK [First]" not in done.stdout
    assert b"fatal: [node1]" not in done.stdout
    assert b"fatal: [node2]" in done.stdout
    done = stages.call("replay", file, "--from", "9:00:00")
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--speed", "0"), b"--speed: expected a number above 0"),
        (("--from", "noon"), b"--from: expected a time since"),
    ],
)
def test_invalid_flags(stages: Stages, tmp_path: Path, words: tuple[str, str], expected: bytes) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run())
    done = stages.call("replay", file, *words)
    assert done.returncode == 1
    assert expected in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--host", "web1"), b"the run has nothing of the host 'web1': "),
        (("--task", "One", "--host", "b"), b"the run has nothing of the host 'b' and the task 'One': "),
        (("--host", "a"), b""),
        ((), b""),
    ],
)
def test_a_selection_of_nothing_is_told(stages: Stages, tmp_path: Path, words: tuple[str, ...], message: bytes) -> None:
    (tmp_path / "run").write_bytes(a_run(an_event(1, "runner_on_ok", event_data={"host": "a", "task": "One"})))
    done = stages.call("replay", tmp_path / "run", *words)
    assert done.returncode == 0
    assert message in done.stderr
    assert bool(message) == (b"nothing of" in done.stderr)


def test_a_damaged_capture(stages: Stages, tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run(an_event(1, stdout="shown", end_line=1), an_event(2))[:-120])
    done = stages.call("replay", file, "--speed", "max")
    assert (done.returncode, done.stdout) == (75, b"shown\n")


def test_control_characters_are_escaped(stages: Stages, tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run(an_event(1, stdout="\x1b]0;title\x07", end_line=1)))
    done = stages.call("replay", file)
    assert b"\x1b" not in done.stdout


SLOW = [
    an_event(
        number,
        name,
        created=f"2026-11-30T{9 + number:02}:00:00+00:00",
        stdout=f"line {number}",
        end_line=1,
        event_data={"task": f"t{number}"},
    )
    for number, name in enumerate(["playbook_on_task_start", "verbose", "playbook_on_task_start", "verbose"], 1)
]
"""Each event is an hour after the one before it."""


@pytest.fixture
def shown(stages: Stages, tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    """A slow run that is shown on a terminal."""
    file = tmp_path / "run"
    file.write_bytes(a_run(*SLOW))
    words = [*PLAYSTREAM[1:], "replay", str(file)]
    child = pexpect.spawn(PLAYSTREAM[0], words, env=stages.env, encoding="utf-8", timeout=LIMIT_SECONDS)
    child.expect_exact("line 1")
    yield child
    child.close(force=True)


def test_keys_on_a_terminal(shown: pexpect.spawn[str]) -> None:
    shown.send(" ")
    shown.expect_exact("playstream replay: paused")
    shown.send(" ")
    shown.expect_exact("continued")
    shown.send("\x1b[C")  # right
    shown.expect_exact("line 3")
    shown.send("\x1b[D")  # left
    shown.expect_exact("line 1")
    shown.send("-")
    shown.expect_exact("speed 0.5")
    shown.send("+" * 11)
    shown.expect_exact("speed 1024")
    shown.send("q")
    shown.expect(pexpect.EOF)
    shown.wait()
    assert shown.exitstatus == 0


def test_ctrl_c_on_a_terminal(shown: pexpect.spawn[str]) -> None:
    shown.send(" ")
    shown.expect_exact("paused")
    shown.sendintr()
    shown.expect_exact("canceled by SIGINT")
    shown.expect(pexpect.EOF)
    shown.wait()
    assert shown.exitstatus == 254


def test_the_terminal_is_as_before(stages: Stages, tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run(*SLOW))
    line = f"stty -g; {' '.join(PLAYSTREAM)} replay {file}; stty -g; echo en''ded"
    shell = pexpect.spawn("sh", ["-c", line], env=stages.env, encoding="utf-8", timeout=LIMIT_SECONDS)
    shell.expect_exact("line 1")
    before = str(shell.before).split()[0]
    shell.send(" ")
    shell.expect_exact("paused")
    shell.send("q")
    shell.expect_exact("ended")
    assert before in str(shell.before)
    shell.close(force=True)
