"""What hostile hosts and workers put into a job's output, on a real terminal and beside it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pexpect
import pytest

from playstream.pipeline.protocol import (
    Event,
    Failure,
    FileEntry,
    FileType,
    KeyMode,
    Log,
    LogLevel,
    Prompt,
    Record,
    Sender,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from tests.cli.typist import Typist
from tests.conftest import MakeDir
from tests.stages import PLAYSTREAM, Stages, read_events

NOW = "2026-01-01T00:00:00+00:00"
HOSTILE = r"""
- hosts: all
  gather_facts: false
  tasks:
    - name: "\e[2J\e[H clear \e]0;title\a the screen"
      ansible.builtin.debug:
        msg: "\x9B2J eight bits, \u202E reversed"
    - name: "\e[8mhidden\e[5A up \e]52;c;eA==\e\\ copied \b\b"
      ansible.builtin.command:
        argv: [printf, 'x\033[1A\033[2K\r overwritten\n']
"""
ORDERS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e]|\r(?!\n)")
"""What a terminal does something else for than to show text, in colours."""
WRITTEN_OUT = (
    r"TASK [\x1b[2J\x1b[H clear \x1b]0;title\x07 the screen]",
    r"\x9b2J eight bits, \u202e reversed",
    r"\x1b[8mhidden\x1b[5A up \x1b]52;c;eA==\x1b\ copied \x08\x08",
)


@pytest.fixture
def hostile(private_data_dir: MakeDir) -> Path:
    """A private data directory with the playbook hostile.yml."""
    return private_data_dir({"hostile.yml": HOSTILE}, name="hostile")


@pytest.fixture
def plain_terminal(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Stages without the live progress, which moves the cursor itself."""
    (tmp_path / "missing" / "rich").mkdir(parents=True)
    (tmp_path / "missing" / "rich" / "__init__.py").write_text("raise ImportError('rich is not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "missing"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stages


def show(stages: Stages, *words: str | Path, stdin: bytes | None = None) -> tuple[str, int]:
    """What a terminal gets on standard output and error, and the exit status."""
    command = [*PLAYSTREAM, *map(str, words)]
    if stdin is not None:
        source = stages.temporary.parent / "stdin"
        source.write_bytes(stdin)
        command = ["sh", "-c", 'source=$1; shift; exec "$@" < "$source"', "sh", str(source), *command]
    child = pexpect.spawn(command[0], command[1:], env=stages.env, dimensions=(24, 200), timeout=60, encoding="utf-8")
    text = child.read()
    child.close()
    assert child.exitstatus is not None
    return text, child.exitstatus


def result_of(stages: Stages, directory: Path) -> bytes:
    return stages.call("worker", stdin=stages.transmit(directory, "-p", "hostile.yml")).stdout


def stream(*records: Event) -> bytes:
    """A worker's stream with these events."""
    whole: tuple[Record, ...] = (
        Status(StatusName.STARTING, NOW, command=("ansible-playbook",), cwd="/", env={}),
        *records,
        Status(StatusName.SUCCESSFUL, NOW, rc=0),
        FileEntry(b"", FileType.DIRECTORY, 0o700, 1),
        TreeEnd(1, 0),
    )
    return encode(*whole)


def encode(*records: Record) -> bytes:
    sender = Sender(Direction.RESULT)
    return b"".join(sender.send(record) for record in records) + sender.end()


def event(counter: int, stdout: str, *, ascii_only: bool = False) -> Event:
    fields = {
        "uuid": f"u-{counter}",
        "counter": counter,
        "stdout": stdout,
        "start_line": counter - 1,
        "end_line": counter,
        "event": "verbose",
        "event_data": {},
    }
    return Event(counter, json.dumps(fields, ensure_ascii=ascii_only).encode("utf-8"))


def check_kept(artifacts: Path) -> str:
    """The output that is kept: as it came."""
    kept = (artifacts / "stdout").read_bytes().decode()
    assert "\x1b[2J\x1b[H clear \x1b]0;title\x07" in kept
    assert "\x9b2J eight bits, \u202e reversed" in kept
    assert "".join(event["stdout"] for event in read_events(artifacts)).count("\x1b]52;c;eA==\x1b\\") == 1
    return kept


@pytest.mark.parametrize("stage", ["run", "process"])
def test_a_terminal_gets_text_and_colours(plain_terminal: Stages, hostile: Path, stage: str) -> None:
    if stage == "run":
        text, status = show(plain_terminal, "run", hostile, "-p", "hostile.yml", "-i", "x")
    else:
        text, status = show(plain_terminal, "process", hostile, "-i", "x", stdin=result_of(plain_terminal, hostile))
    assert status == 0, text
    assert ORDERS.findall(text) == []
    for expected in WRITTEN_OUT:
        assert expected in text
    assert "\x1b[0;32mok: [node1]" in text
    check_kept(hostile / "artifacts" / "x")


@pytest.mark.parametrize("stage", ["run", "process"])
def test_raw_output_shows_what_came(plain_terminal: Stages, hostile: Path, stage: str) -> None:
    if stage == "run":
        text, status = show(plain_terminal, "run", hostile, "-p", "hostile.yml", "-i", "x", "--raw-output")
    else:
        result = result_of(plain_terminal, hostile)
        text, status = show(plain_terminal, "--raw-output", "process", hostile, "-i", "x", stdin=result)
    assert status == 0, text
    assert text == check_kept(hostile / "artifacts" / "x")


def test_json_lines_are_the_same_events(plain_terminal: Stages, hostile: Path) -> None:
    text, status = show(plain_terminal, "run", hostile, "-p", "hostile.yml", "-i", "x", "-j")
    assert status == 0, text
    assert ORDERS.findall(text) == []
    assert "\x1b" not in text
    assert [json.loads(line) for line in text.splitlines()] == read_events(hostile / "artifacts" / "x")


def test_live_progress_and_no_colours(stages: Stages, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text, status = show(stages, "run", hostile, "-p", "hostile.yml")
    assert status == 0, text
    assert "\x1b[2K" in text, "the line with the progress moves the cursor"
    for order in ("\x1b[2J", "\x1b[H", "\x1b]", "\x1b[8m", "\x1b[5A", "\x07", "\x9b", "\u202e", "\b"):
        assert order not in text
    assert WRITTEN_OUT[0] in text

    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    text, status = show(stages, "run", hostile, "-p", "hostile.yml")
    assert status == 0, text
    assert ORDERS.findall(text) == []
    assert "\x1b" not in text
    assert WRITTEN_OUT[0] in text


def test_it_is_the_same_beside_a_terminal(stages: Stages, hostile: Path) -> None:
    """A pipe often ends at one: `| tee`, `ssh host playstream process`, a log that is looked at later."""
    shown = stages.call("process", hostile, "-i", "x", stdin=result_of(stages, hostile)).stdout.decode()
    assert ORDERS.findall(shown) == []
    assert WRITTEN_OUT[0] in shown
    plain = stages.call("run", hostile, "-p", "hostile.yml").stdout.decode()
    assert ORDERS.findall(plain) == []
    assert "\x1b" not in plain
    assert WRITTEN_OUT[0] in plain
    raw = stages.call("run", hostile, "-p", "hostile.yml", "-i", "raw", "--raw-output").stdout.decode()
    assert raw == check_kept(hostile / "artifacts" / "raw").replace("\r\n", "\n")


def test_a_worker_that_cuts_orders_in_two(plain_terminal: Stages, tmp_path: Path) -> None:
    pieces = ("a\x1b", "[2Jb", "c\x1b]0;ti", "tle\x07d", "\x1b[31", "mred", "\x1b[32mgreen", "not\ud800")
    result = stream(*(event(number, piece, ascii_only=True) for number, piece in enumerate(pieces, 1)))
    text, status = show(plain_terminal, "process", tmp_path, stdin=result)
    assert status == 0, text
    assert text.split("\r\n") == [
        r"a\x1b",
        "[2Jb",
        r"c\x1b]0;ti",
        r"tle\x07d",
        r"\x1b[31",
        "mred",
        "\x1b[32mgreen\x1b[0m",
        "not\ufffd",
        "",
    ]


def test_process_asks_nothing(plain_terminal: Stages, tmp_path: Path) -> None:
    """A stream of results from a link, or a capture of one: its questions are over, and do not change the terminal."""
    sender = Sender(Direction.RESULT)
    start: list[Record] = [Status(StatusName.STARTING, NOW, command=("ansible-playbook",), cwd="/", env={})]
    asked = [Prompt(number, mode, "asked: ", "asked: ") for number, mode in enumerate(KeyMode, 1)]
    os.mkfifo(tmp_path / "stream")
    command = ["sh", "-c", 'place=$1; shift; exec "$@" < "$place"', "sh", str(tmp_path / "stream")]
    user = Typist([*command, *PLAYSTREAM, "process", str(tmp_path / "x")], plain_terminal.env)
    with (tmp_path / "stream").open("wb", buffering=0) as stream:
        for record in [*start, *asked[1:], event(1, "asked: xyzzy")]:
            stream.write(sender.send(record))
        user.wait_for("asked: xyzzy")
        user.wait_for_restored()
        stream.write(sender.send(Status(StatusName.SUCCESSFUL, NOW, rc=0)) + sender.end())
    assert user.end() == 0
    assert "".join(user.lines).count("asked") == 1
    user.close()


def test_json_from_a_worker_that_writes_it_as_it_likes(plain_terminal: Stages, tmp_path: Path) -> None:
    text = event(1, "\x9b2J\u202e\x7f").json.replace(b", ", b",\r")
    result = stream(Event(1, text))
    shown, status = show(plain_terminal, "process", tmp_path, "-j", stdin=result)
    assert status == 0, shown
    assert ORDERS.findall(shown) == []
    assert json.loads(shown)["stdout"] == "\x9b2J\u202e\x7f"
    assert (tmp_path / "artifacts" / "job_events" / "1-u-1.json").read_bytes() == text


@pytest.mark.parametrize("words", [(), ("--debug",)])
def test_messages_from_a_worker(plain_terminal: Stages, tmp_path: Path, words: tuple[str, ...]) -> None:
    log = tmp_path / "log"
    order = "\x1b]0;title\x07\x9b2J\x1b[31m\rfirst\nplaystream process: second"
    result = encode(Log(LogLevel.WARNING, f"warning {order}"), Failure("WorkerError", f"failure {order}"))
    text, status = show(plain_terminal, *words, "process", tmp_path, "--logfile", log, stdin=result)
    assert status != 0
    for shown in (text, log.read_text()):
        assert ORDERS.findall(shown) == []
        assert "\x1b" not in shown
        assert not re.search(r"^playstream process: second", shown, re.MULTILINE)
    assert r"warning \x1b]0;title\x07\x9b2J\rfirst" in text
    assert r"failure \x1b]0;title\x07\x9b2J\rfirst" in text
    assert r"warning \x1b]0;title\x07\x9b2J\rfirst" in log.read_text()


def test_characters_that_the_terminal_cannot_show(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no sign that nobody reads the output any more."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    result = stream(event(1, "é漢"), event(2, "after"))
    text, status = show(stages, "process", tmp_path, stdin=result)
    assert status == 0, text
    assert "??" in text
    assert "after" in text
