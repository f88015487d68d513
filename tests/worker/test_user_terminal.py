"""The modes of the user's terminal: set, restored, and restored by a signal handler in the middle of a change."""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from playstream.pipeline.io.stdio import wait_for
from playstream.pipeline.protocol import KeyMode
from playstream.worker.user_terminal import LOCAL, Attributes, UserTerminal


class Foreground(UserTerminal):
    """A terminal that is not this process's own, so that the kernel does not say whether it is in its foreground."""

    here = True

    @property
    def in_foreground(self) -> bool:
        return self.here


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    master, slave = os.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


@pytest.fixture
def master(ends: tuple[int, int]) -> int:
    return ends[0]


@pytest.fixture
def terminal(ends: tuple[int, int]) -> Iterator[Foreground]:
    fd = os.open(os.ttyname(ends[1]), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    terminal = Foreground(fd, keys=True, screen=True)
    yield terminal
    terminal.close()


def modes_of(terminal: UserTerminal) -> Attributes:
    return termios.tcgetattr(terminal.fileno())


@pytest.mark.parametrize(
    ("mode", "on", "off"),
    [
        (KeyMode.LINES, termios.ICANON | termios.ECHO | termios.ISIG, 0),
        (KeyMode.HIDDEN, termios.ICANON | termios.ISIG, termios.ECHO),
        (KeyMode.KEYS, termios.ISIG, termios.ICANON | termios.ECHO),
        (KeyMode.RAW, 0, termios.ISIG | termios.ICANON | termios.ECHO),
    ],
)
def test_modes(terminal: Foreground, mode: KeyMode, on: int, off: int) -> None:
    before = modes_of(terminal)
    terminal.ask_for(mode)
    local = modes_of(terminal)[LOCAL]
    assert (local & on, local & off) == (on, 0)
    assert terminal.changed
    terminal.ask_for(KeyMode.NONE)
    assert modes_of(terminal) == before
    assert not terminal.changed


@pytest.mark.parametrize("set_first", [False, True])
def test_a_stop_in_the_middle_of_a_change(
    terminal: Foreground, monkeypatch: pytest.MonkeyPatch, set_first: bool
) -> None:
    """The handler of Ctrl-Z restores the terminal before this process stops; after that the change is made."""
    before = modes_of(terminal)
    kept: list[Any] = []
    seen: list[Attributes] = []
    change = termios.tcsetattr

    def interrupted(fd: int, when: int, modes: Attributes) -> None:
        if set_first:
            change(fd, when, modes)
        if not seen:
            seen.append(modes)
            terminal.restore()
            seen.append(modes_of(terminal))
        if not set_first:
            change(fd, when, modes)

    monkeypatch.setattr(termios, "tcsetattr", interrupted)
    terminal.guard_with(lambda _fd, saved, ours: kept.append((saved, ours)))
    terminal.ask_for(KeyMode.HIDDEN)
    assert seen[1] == before
    assert not modes_of(terminal)[LOCAL] & termios.ECHO
    assert terminal.changed
    terminal.restore()
    assert modes_of(terminal) == before
    assert kept[-1] == (None, None)


def test_continued_in_the_background(terminal: Foreground) -> None:
    """Then the terminal belongs to somebody else."""
    before = modes_of(terminal)

    def keep(_fd: int, saved: Attributes | None, _ours: Attributes | None) -> None:
        if saved is not None:
            terminal.restore()
            terminal.here = False

    terminal.guard_with(keep)
    terminal.ask_for(KeyMode.RAW)
    assert modes_of(terminal) == before
    assert not terminal.changed


def type_line(terminal: UserTerminal, master: int, text: bytes) -> None:
    """Type a line, which a terminal gets a moment later."""
    os.write(master, text + b"\n")
    assert wait_for(terminal.fileno(), select.POLLIN, 60)


@pytest.mark.parametrize("mode", [KeyMode.HIDDEN, KeyMode.LINES])
def test_what_was_typed_before(terminal: Foreground, master: int, mode: KeyMode) -> None:
    """It is dropped before a secret, and for others on request."""
    type_line(terminal, master, b"early")
    terminal.ask_for(mode, drop_input=mode is not KeyMode.HIDDEN)
    assert terminal.read() is None
    terminal.restore()
    type_line(terminal, master, b"early")
    terminal.ask_for(KeyMode.LINES)
    assert terminal.read() == b"early\n"
    type_line(terminal, master, b"again")
    terminal.ask_for(KeyMode.LINES, drop_input=True)
    assert terminal.read() is None


def test_prompts_that_never_arrive_are_forgotten(terminal: Foreground) -> None:
    for number in range(1000):
        terminal.note_prompt(f"question {number}: ")
    assert not terminal.take_prompt("question 1: ")
    assert terminal.take_prompt("question 999: yes")
    assert not terminal.take_prompt("question 999: yes")
