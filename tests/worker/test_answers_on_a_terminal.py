"""An answer is typed to whoever waits for it, and to nobody else: a terminal by itself, with a clock of the test's."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playstream.worker import terminal as module
from playstream.worker.terminal import Terminal
from playstream.worker.terminal_readers import may_be_read
from tests.processes import MOUNTS_ALONE, wait_until

MakeTerminal = Callable[[str], tuple[Terminal, int]]


class Clock:
    """What the terminal takes for the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture
def make_terminal() -> Iterator[MakeTerminal]:
    """Make a terminal with one expression, and open it as a program does."""
    made: list[tuple[Terminal, int]] = []

    def make(expression: str) -> tuple[Terminal, int]:
        terminal = Terminal({expression: "sesame"})
        assert terminal.tty is not None
        made.append((terminal, os.open(terminal.tty, os.O_RDWR | os.O_NOCTTY)))
        return made[-1]

    yield make
    for terminal, program in made:
        os.close(program)
        terminal.close()


def read_all(terminal: Terminal, data: bytes) -> None:
    """Read what a program has written; the kernel may hand it over in parts."""
    expected, received = data.replace(b"\n", b"\r\n"), b""
    while len(received) < len(expected):
        assert select.select([terminal], [], [], 30)[0], received
        received += terminal.read()
    assert received == expected


def pass_time(terminal: Terminal, clock: Clock, seconds: float) -> None:
    end = clock.now + seconds
    while clock.now < end:
        clock.now += 0.25
        assert terminal.attend(60) is None


def is_typed(program: int) -> bool:
    return bool(select.select([program], [], [], 0)[0])


@pytest.mark.parametrize("expression", ["Enter the pin.*: ", "Enter the pin"])
@pytest.mark.parametrize(
    "output",
    [
        [b"Enter the pin: 12 and go on\n"],
        [b"Enter the pin: ", b"12 and go on\n"],
        [b'ok: [h] => {"msg": "Enter the pin: "}\n', b"\nTASK [next]\n"],
        [b"Enter the pin: and no line end"],
        [b"Enter the pin: \n"] * 12,
    ],
)
def test_what_nobody_waits_behind_gets_no_answer(
    clock: Clock, make_terminal: MakeTerminal, expression: str, output: list[bytes]
) -> None:
    terminal, program = make_terminal(expression)
    for data in output:
        os.write(program, data)
        read_all(terminal, data)
        pass_time(terminal, clock, 1)
    pass_time(terminal, clock, 20)
    assert not is_typed(program)


@pytest.mark.parametrize("output", [b"Enter the pin for the card: ", b"Enter the pin\n> ", b"Enter the pin:\n"])
def test_whoever_waits_gets_it(clock: Clock, make_terminal: MakeTerminal, tmp_path: Path, output: bytes) -> None:
    """The expression need not match up to the end of the output."""
    terminal, program = make_terminal("Enter the pin")
    os.write(program, output)
    read_all(terminal, output)
    pass_time(terminal, clock, 5)
    words = ["sh", "-c", 'read word && printf %s "$word" >"$0"', str(tmp_path / "heard")]
    with subprocess.Popen(words, stdin=program) as process:
        wait_until(lambda: may_be_read(str(terminal.tty)))
        pass_time(terminal, clock, 2)
        assert process.wait(30) == 0
    assert (tmp_path / "heard").read_text() == "sesame"


def test_whoever_asks_for_something_else_later_gets_nothing(clock: Clock, make_terminal: MakeTerminal) -> None:
    terminal, program = make_terminal("Enter the pin")
    os.write(program, b"Enter the pin: of yesterday\n")
    read_all(terminal, b"Enter the pin: of yesterday\n")
    pass_time(terminal, clock, 5)
    with subprocess.Popen(["sh", "-c", "read word"], stdin=program) as process:
        wait_until(lambda: may_be_read(str(terminal.tty)))
        os.write(program, b"Which word: ")
        clock.now += 0.25
        read_all(terminal, b"Which word: ")
        pass_time(terminal, clock, 5)
        assert not is_typed(program)
        assert process.poll() is None
        process.kill()


READS_ONE_OF_ITS_OWN = """
import fcntl, os, struct, subprocess, sys
subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", "/dev/pts"], check=True)
number, masters = -1, []
while number != int(sys.argv[1]):  # the instance counts from 0
    masters.append(os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY))
    number = struct.unpack("i", fcntl.ioctl(masters[-1], 0x80045430, bytes(4)))[0]  # TIOCGPTN
fcntl.ioctl(masters[-1], 0x40045431, bytes(4))  # TIOCSPTLCK: unlock
os.setsid()
terminal = os.open(f"/dev/pts/{number}", os.O_RDWR)  # it becomes the controlling one
os.dup2(os.open("/dev/tty", os.O_RDWR) if sys.argv[2] == "/dev/tty" else terminal, 0)
print("reads", flush=True)
os.read(0, 1)
"""


@pytest.mark.parametrize("name", ["/dev/pts", "/dev/tty"])
def test_whoever_reads_a_containers_terminal_of_the_same_number_is_not_waited_for(
    make_terminal: MakeTerminal, name: str
) -> None:
    terminal, _program = make_terminal("Enter the pin")
    tty = str(terminal.tty)
    words = [*MOUNTS_ALONE, sys.executable, "-c", READS_ONE_OF_ITS_OWN, tty.rpartition("/")[2], name]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"reads\n"
            syscall = Path(f"/proc/{process.pid}/syscall")
            wait_until(lambda: syscall.read_text().split()[1:2] == ["0x0"])  # in read(0, …)
            assert not may_be_read(tty)
        finally:
            process.kill()
