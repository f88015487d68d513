"""What a run prints: bounded while it is held, and without orders to a terminal."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.interface.display import Display
from playstream.pipeline.errors import LinkError
from playstream.pipeline.protocol import Log, LogLevel, Sender, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.interface.programs import fake, play


def test_it_does_not_wait_for_the_end_of_a_flood() -> None:
    """What was read at once may be gigabytes when it is unpacked."""
    written: list[str] = []
    display = Display(written.append)
    for _ in range(4):
        display.show("x" * (1 << 19))
    assert 0 < len(written) <= 2
    display.flush()
    assert len("".join(written)) == 4 * ((1 << 19) + 1)


def test_nobody_has_to_read_it() -> None:
    tried: list[str] = []

    def gone(text: str) -> None:
        tried.append(text)
        raise LinkError("the reader has gone")

    display = Display(gone)
    for _ in range(2):
        display.show("a line")
        display.flush()
    assert tried == ["a line\n"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "\\x1b]0;title\\x07 \x1b[31mred\x1b[0m\n"),
        ({"raw_output": True}, "\x1b]0;title\x07 \x1b[31mred\n"),
        ({"raw_output": True, "quiet": True}, ""),
    ],
)
def test_orders_to_a_terminal_are_printed_when_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: dict[str, Any], shown: str
) -> None:
    script = fake(tmp_path, r"printf '\033]0;title\007 \033[31mred\n'")
    runner = playstream.run(binary=script, playbook=play(), **options)
    assert capfd.readouterr().out == shown
    assert [event["stdout"] for event in runner.events] == ["\x1b]0;title\x07 \x1b[31mred"]
    with runner.stdout as output:
        assert output.read() == "\x1b]0;title\x07 \x1b[31mred\n"


def test_json_lines_give_no_orders_either(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = fake(tmp_path, r"printf 'a\302\233b\n'")
    runner = playstream.run(binary=script, playbook=play(), json_mode=True)
    printed = capfd.readouterr().out
    assert "\x9b" not in printed
    assert [json.loads(line) for line in printed.splitlines()] == list(runner.events)
    assert json.loads(printed)["stdout"] == "a\x9bb"


def test_a_command_too(capfd: pytest.CaptureFixture[str]) -> None:
    output, _, rc = playstream.run_command("printf", [r"\033c\n"])
    assert (output, rc) == ("\x1bc\n", 0)
    assert capfd.readouterr().out == "\\x1bc\n"


def test_what_a_worker_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(Direction.RESULT)
    records = (Log(LogLevel.WARNING, "a \x1b[2J warning"), Status(StatusName.ERROR, "2026-01-01T00:00:00+00:00", rc=1))
    stream = io.BytesIO(b"".join(sender.send(record) for record in records) + sender.end())
    with caplog.at_level(logging.WARNING, "playstream"):
        playstream.run(streamer="process", private_data_dir=tmp_path, _input=stream)
    assert r"a \x1b[2J warning" in caplog.text
    assert "\x1b" not in caplog.text
