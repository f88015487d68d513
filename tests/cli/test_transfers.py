"""How far packing, sending and unpacking are: as a bar on a terminal, and as lines elsewhere."""

from __future__ import annotations

import argparse
import io
import os
import re
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from playstream.cli import output
from playstream.cli.bar import Bar
from playstream.cli.output import StandardStream, wants_transfers
from playstream.cli.transfers import Lines, State, Transfers, show_size
from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, TreeEnd
from playstream.pipeline.tree.meter import Meter, make_meters
from playstream.pipeline.tree.pack import pack
from tests.conftest import MakeDir
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages

COLUMNS, ROWS = 80, 24
BAR = re.compile(r"(packing|sending|unpacking) .* [kMG]?B +[\d,]+ files? +[\d.]+ [kMG]?B/s")
LINE = re.compile(
    r"playstream (transmit|worker|process|run): (packing|sending|unpacking): done in [\d.]+ seconds, "
    r"[\d.]+ [kMG]?B, [\d,]+ files, [\d.]+ [kMG]?B/s"
)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Notes:
    """A painter that notes what it is told."""

    def __init__(self) -> None:
        self.painted: list[tuple[State, bool]] = []
        self.ended: list[State | None] = []

    def paint(self, state: State, *, moves: bool) -> None:
        self.painted.append((state, moves))

    def end(self, state: State | None) -> None:
        self.ended.append(state)


def entry(name: str, size: int = 0) -> FileEntry:
    return FileEntry(name.encode(), FileType.FILE, 0o644, 0, size)


def test_nothing_is_shown_for_a_second() -> None:
    clock, notes, meter = Clock(), Notes(), Meter("sending")
    transfers = Transfers([meter], notes, clock)
    meter.take(FileEntry(b"", FileType.DIRECTORY, 0o755, 0))
    meter.take(entry("a", 1000))
    meter.take(FileData(bytes(1000)))
    clock.now += 0.9
    transfers.tick()
    assert notes.painted == []
    clock.now += 0.1
    transfers.tick()
    ((state, moves),) = notes.painted
    assert (state.what, state.files, state.size, round(state.seconds, 3), moves) == ("sending", 1, 1000, 1.0, False)
    meter.take(FileData(bytes(4000)))
    clock.now += 1.0
    transfers.tick()
    assert notes.painted[-1] == (State("sending", 1, 5000, 2500.0, 2.0), True)
    meter.take(TreeEnd(2, 5000))
    assert [state.size for state in notes.ended if state] == [5000], "at once, and not with the next tick"
    clock.now += 10
    transfers.tick()
    assert len(notes.painted) == 2


def test_a_meter_that_is_not_ready_is_not_shown() -> None:
    clock, notes, meters = Clock(), Notes(), make_meters()
    transfers = Transfers(meters, notes, clock)
    meters.sending.ready = False
    meters.sending.take(entry("a"))
    for _ in range(3):
        clock.now += 1
        transfers.tick()
    assert notes.painted == []
    meters.sending.ready = True
    transfers.tick()
    assert [state.seconds for state, _moves in notes.painted] == [3.0]


def test_the_context_ends_its_thread_and_the_display() -> None:
    notes, meter = Notes(), Meter("sending")
    with Transfers([meter], notes) as transfers:
        meter.take(entry("a"))
        assert isinstance(transfers, Transfers)
    assert notes.ended == [None], "it was broken off"


def test_lines_come_every_ten_seconds() -> None:
    said: list[str] = []
    clock, meter = Clock(), Meter("sending")
    lines = Lines("transmit", summarizes=True, print_line=lambda command, text: said.append(f"{command}: {text}"))
    transfers = Transfers([meter], lines, clock)
    meter.take(entry("a"))
    for second in range(1, 32):
        clock.now = 100.0 + second
        meter.take(FileData(bytes(1_000_000)))
        transfers.tick()
    meter.take(TreeEnd(1, 0))
    assert said == [
        "transmit: sending: 10.0 MB, 1 file, 1.0 MB/s",
        "transmit: sending: 20.0 MB, 1 file, 1.0 MB/s",
        "transmit: sending: 30.0 MB, 1 file, 1.0 MB/s",
        "transmit: sending: done in 31.0 seconds, 31.0 MB, 1 file, 1.0 MB/s",
    ]


def test_without_the_flag_a_short_transfer_has_no_last_line() -> None:
    said: list[object] = []
    lines = Lines("transmit", summarizes=False, print_line=lambda _command, text: said.append(text))
    lines.end(State("sending", 1, 1, 1, 9))
    assert said == []
    lines.paint(State("sending", 1, 1, 1, 10), moves=True)
    lines.end(State("sending", 1, 1, 1, 11))
    assert len(said) == 2


def test_work_of_which_nothing_is_counted() -> None:
    said: list[object] = []
    clock, meters = Clock(), make_meters()
    lines = Lines("run", summarizes=True, print_line=lambda _command, text: said.append(text))
    transfers = Transfers(meters, lines, clock)
    meters.installing.begin()
    clock.now += 12
    transfers.tick()
    meters.installing.end()
    assert said == [
        "installing collections and roles: 12 seconds",
        "installing collections and roles: done in 12.0 seconds",
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_900, "99.9 kB"), (99_960, "100 kB"), (999_600, "1.0 MB")],
)
def test_sizes(size: int, text: str) -> None:
    assert show_size(size) == text


def test_packing_costs_no_more_calls_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted are the records that are there anyway."""
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(bytes(number))
    calls: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*words: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*words, **options)

        return call

    for name in ("open", "close", "read", "stat", "fstat", "lstat", "readlink", "scandir"):
        monkeypatch.setattr(os, name, counting(name))
    plain = list(pack(tmp_path))
    before = list(calls)
    calls.clear()
    assert list(Meter("sending").watch(pack(tmp_path))) == plain
    assert calls == before
    assert len(calls) >= 60


# On a terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, StandardStream, io.TextIOWrapper]]:
    """The master of a terminal, and standard error on it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    master, slave = os.openpty()
    raw = StandardStream(slave)
    stream = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", line_buffering=True)
    yield master, raw, stream
    stream.detach()
    os.close(slave)
    os.close(master)


class Screen:
    """What a terminal shows.

    Args:
        fd: the master.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        while select.select([self._fd], [], [], 0)[0]:
            self._stream.feed(os.read(self._fd, 65536))
        return [line.rstrip() for line in self._screen.display if line.strip()]


STATE = State("sending", 1234, 12_300_000, 3_100_000, 4.0)


def test_a_bar(terminal: tuple[int, StandardStream, io.TextIOWrapper]) -> None:
    master, raw, stream = terminal
    screen, bar = Screen(master), Bar(raw, stream)
    bar.paint(STATE, moves=False)
    assert screen.lines == [], "nothing has moved yet: ssh may be asking for a password"
    bar.paint(STATE, moves=True)
    (line,) = screen.lines
    assert BAR.fullmatch(line), line
    assert line.split("  ")[-3:] == ["12.3 MB", "1,234 files", "3.1 MB/s"]
    print("a message", file=stream)
    assert screen.lines == ["a message"]
    bar.paint(STATE, moves=False)
    assert [bool(BAR.fullmatch(line)) for line in screen.lines] == [False, True]
    print("a line ", end="", file=stream, flush=True)
    bar.paint(STATE, moves=True)
    assert screen.lines == ["a message", "a line"], "its end is still missing"
    print("and its end", file=stream)
    bar.paint(STATE, moves=True)
    bar.end(None)
    assert screen.lines == ["a message", "a line and its end"]
    print("the last message", file=stream)
    assert screen.lines[-1] == "the last message"


def test_one_bar_on_a_terminal(terminal: tuple[int, StandardStream, io.TextIOWrapper]) -> None:
    master, raw, stream = terminal
    screen, first, second = Screen(master), Bar(raw, stream), Bar(raw, stream)
    first.paint(STATE, moves=True)
    second.paint(State("unpacking", 1, 1, 1, 1), moves=True)
    assert [line.split()[0] for line in screen.lines] == ["sending"]
    first.end(None)
    second.paint(State("unpacking", 1, 1, 1, 2), moves=True)
    assert [line.split()[0] for line in screen.lines] == ["unpacking"]
    second.end(None)
    assert screen.lines == []


def test_no_colour(terminal: tuple[int, StandardStream, io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    master, raw, stream = terminal
    bar = Bar(raw, stream)
    bar.paint(STATE, moves=True)
    bar.end(None)
    written = os.read(master, 65536)
    assert b"sending" in written
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]", written)
    assert b"\x1b[?25l" not in written, "a program that is killed leaves the cursor as it is"


def flags(**given: bool) -> argparse.Namespace:
    return argparse.Namespace(**{"name": "transmit", "progress": False, "quiet": False, "debug": False, **given})


def test_quiet_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "standard_error_terminal", lambda: None)
    assert not wants_transfers(flags())
    assert wants_transfers(flags(progress=True))
    assert not wants_transfers(flags(progress=True, quiet=True))


# The stages

SLOW = """
import os, select, sys
gate = sys.argv[1]
while data := os.read(0, 1 << 14):
    os.write(1, data)
    if not os.path.exists(gate):
        select.select([], [], [], 0.01)
"""
"""Passes a stream on slowly, until a file exists."""


@pytest.fixture
def large(private_data_dir: MakeDir) -> Path:
    """A private data directory of some megabytes that cannot be compressed."""
    found = private_data_dir({"site.yml": "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: done}}]\n"})
    for number in range(40):
        (found / "project" / f"file-{number}").write_bytes(os.urandom(1 << 18))
    return found


def watch(
    stages: Stages, command: str, *words: str | Path, gate: Path, wanted: str
) -> tuple[list[str], str, list[list[str]]]:
    """Run a command of a shell on a terminal until it has shown something, and then to its end.

    Returns:
        The last screen, all that was written, and every screen.
    """
    child: Any = pexpect.spawn(  # without an encoding it reads bytes
        "/bin/sh",
        ["-c", command, "sh", *map(str, words)],
        env={**stages.env, "TERM": "xterm-256color"},
        dimensions=(ROWS, COLUMNS),
        timeout=LIMIT_SECONDS,
    )
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    written = b""
    screens = []
    while True:
        try:
            data = child.read_nonblocking(1 << 16, timeout=LIMIT_SECONDS)
        except pexpect.EOF:
            break
        written += data
        stream.feed(data)
        lines = [line.rstrip() for line in screen.display if line.strip()]
        screens.append(lines)
        if any(line.startswith(wanted) for line in lines):
            gate.touch()
    child.close()
    assert child.exitstatus == 0, written.decode()
    return screens[-1], written.decode(), screens


STAGE = " ".join(PLAYSTREAM)
PIPE = f'{STAGE} transmit "$1" -p site.yml | {sys.executable} -c "$3" "$2" | {STAGE} worker | {STAGE} process "$1" -i x'


def test_three_stages_share_a_terminal(stages: Stages, large: Path, tmp_path: Path) -> None:
    last, written, screens = watch(
        stages, PIPE, large, tmp_path / "gate", SLOW, gate=tmp_path / "gate", wanted="sending"
    )
    assert max(sum(bool(BAR.search(line)) for line in lines) for lines in screens) == 1
    assert not [line for line in last if BAR.search(line)]
    assert any('"msg": "done"' in line for line in last)
    assert [line for line in last if "PLAY RECAP" in line]
    assert "\x1b[?25" not in written


@pytest.mark.parametrize("term", ["dumb", "quiet"])
def test_no_bar_where_it_would_disturb(stages: Stages, large: Path, tmp_path: Path, term: str) -> None:
    (tmp_path / "gate").touch()
    words = "-q" if term == "quiet" else ""
    command = f'{STAGE} transmit "$1" -p site.yml {words} > "$2"'
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", command, "sh", str(large), str(tmp_path / "stream")],
        env={**stages.env, "TERM": "dumb" if term == "dumb" else "xterm"},
        dimensions=(ROWS, COLUMNS),
        timeout=LIMIT_SECONDS,
        encoding="utf-8",
    )
    assert child.read() == ""


def test_a_link(stages: Stages, large: Path, tmp_path: Path) -> None:
    """Sending, and the progress of the run after that."""
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\n{sys.executable} -c '{SLOW}' {tmp_path / 'gate'} | exec {STAGE} worker\n")
    slow.chmod(0o755)
    command = f'{STAGE} run "$1" -p site.yml -i x --on exec:"$2"'
    last, written, screens = watch(stages, command, large, slow, gate=tmp_path / "gate", wanted="sending")
    assert not [line for line in last if BAR.search(line) or " hosts " in line]
    assert "hosts 1" in re.sub(r"\x1b\[[0-9;]*m", "", written), "the line of the run"
    assert not [lines for lines in screens if any("sending" in x for x in lines) and any(" hosts " in x for x in lines)]


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_lines_in_a_pipe(stages: Stages, large: Path, dialect: str) -> None:
    sent = stages.call("transmit", large, "-p", "site.yml", "--progress", "--dialect", dialect)
    result = stages.call("worker", "--progress", stdin=sent.stdout)
    shown = stages.call("process", large, "-i", "x", "--progress", stdin=result.stdout)
    assert (sent.returncode, result.returncode, shown.returncode) == (0, 0, 0)
    said = [(sent.stderr + result.stderr + shown.stderr).decode()]
    lines = said[0].splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    names = [line.split(" done")[0].removeprefix("playstream ") for line in lines]
    first = ["transmit: sending:"] if dialect == "playstream" else ["transmit: packing:", "transmit: sending:"]
    assert names == [*first, "worker: unpacking:", "process: unpacking:"]
    assert "10.5 MB" in lines[0]
    assert b"\x1b" not in sent.stderr + result.stderr + shown.stderr


def test_a_link_prints_lines(stages: Stages, large: Path) -> None:
    worker = f"exec:{STAGE} worker"
    done = stages.call("run", large, "-p", "site.yml", "-i", "x", "--on", worker, "--progress")
    lines = done.stderr.decode().splitlines()
    assert [bool(LINE.fullmatch(line)) for line in lines] == [True, True], lines
    assert "sending: done" in lines[0]
    assert "unpacking: done" in lines[1]
    quiet = stages.call("run", large, "-p", "site.yml", "-i", "y", "--on", worker, "--progress", "-q")
    assert quiet.stderr == b""


def test_without_rich_there_are_lines(
    stages: Stages, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "missing" / "rich").mkdir(parents=True)
    (tmp_path / "missing" / "rich" / "__init__.py").write_text("raise ImportError('rich is not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "missing"))
    command = f'{STAGE} transmit "$1" -p site.yml --progress > "$2"'
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", command, "sh", str(large), str(tmp_path / "stream")],
        env={**stages.env, "TERM": "xterm"},
        dimensions=(ROWS, 200),
        timeout=LIMIT_SECONDS,
        encoding="utf-8",
    )
    assert LINE.fullmatch(child.read().strip())


def test_a_broken_off_transfer_leaves_no_bar(stages: Stages, large: Path, tmp_path: Path) -> None:
    """The reader of the stream has gone away."""
    command = f'{STAGE} transmit "$1" -p site.yml | {sys.executable} -c "$3" "$2" "$2"; echo end'
    ending = SLOW.replace("    if not", "    if os.path.exists(gate): sys.exit()\n    if not").replace(
        "os.write(1", "len((1"
    )
    last, _written, _screens = watch(
        stages, command, large, tmp_path / "gate", ending, gate=tmp_path / "gate", wanted="sending"
    )
    assert [line for line in last if BAR.search(line)] == []
    assert last[-1] == "end" or last[-2] == "end"
