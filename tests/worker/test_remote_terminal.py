"""The user's terminal at the other end of a link, as the worker sees it: late keys, absence and size."""

from __future__ import annotations

import pytest

from playstream.pipeline.protocol import Input, KeyMode, Prompt, Record, Resize
from playstream.worker.remote_terminal import RemoteTerminal

ASKING = [mode for mode in KeyMode if mode is not KeyMode.NONE]
HERE = Resize(40, 120, keyboard=True, foreground=True)


@pytest.fixture
def sent() -> list[Record]:
    return []


@pytest.fixture
def user(sent: list[Record]) -> RemoteTerminal:
    terminal = RemoteTerminal(sent.append)
    terminal.change(HERE)
    return terminal


def keys_of(user: RemoteTerminal) -> list[bytes]:
    found = []
    while (keys := user.read()) is not None:
        found.append(keys)
    return found


def test_each_change_of_the_mode_has_a_number(user: RemoteTerminal, sent: list[Record]) -> None:
    user.ask_for(KeyMode.LINES)
    user.ask_for(KeyMode.LINES)
    user.show("Name: ", "Name: ")
    user.restore()
    user.restore(drop_input=True)
    user.ask_for(KeyMode.HIDDEN)
    assert sent == [
        Prompt(1, KeyMode.LINES),
        Prompt(1, KeyMode.LINES, "Name: ", "Name: "),
        Prompt(2, KeyMode.NONE),
        Prompt(3, KeyMode.HIDDEN),
    ]


def test_keys_that_nobody_asked_for(user: RemoteTerminal) -> None:
    for number in (0, 1, 2**64 - 1):
        user.receive(Input(number, b"x\n"))
    user.ask_for(KeyMode.LINES)
    assert keys_of(user) == []


@pytest.mark.parametrize("second", ASKING)
@pytest.mark.parametrize("first", ASKING)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_keys_of_an_earlier_question(user: RemoteTerminal, first: KeyMode, second: KeyMode, late: bool) -> None:
    """They go to the next one, but never to or from a hidden one."""
    user.ask_for(first)
    if not late:
        user.receive(Input(1, b"early"))
    user.restore()
    user.ask_for(second)
    if late:
        user.receive(Input(1, b"early"))
    user.receive(Input(3, b"own"))
    passed_on = KeyMode.HIDDEN not in {first, second}
    assert keys_of(user) == ([b"early", b"own"] if passed_on else [b"own"])


def test_keys_between_two_questions_wait(user: RemoteTerminal) -> None:
    user.ask_for(KeyMode.KEYS)
    user.restore()
    user.receive(Input(1, b"a"))
    user.ask_for(KeyMode.LINES)
    assert keys_of(user) == [b"a"]


def test_keys_that_wait_are_limited(user: RemoteTerminal) -> None:
    user.ask_for(KeyMode.KEYS)
    for _ in range(100):
        user.receive(Input(1, bytes(4096)))
    assert sum(map(len, keys_of(user))) == 1 << 16
    user.receive(Input(1, b"x"))
    assert keys_of(user) == [b"x"]


def test_after_an_absence_the_question_is_over(user: RemoteTerminal) -> None:
    user.ask_for(KeyMode.LINES)
    user.change(Resize(40, 120, keyboard=True))
    seen = [user.in_foreground]
    user.change(HERE)
    seen.append(user.in_foreground)  # even if both arrived at once
    user.restore()
    seen.append(user.in_foreground)
    user.ask_for(KeyMode.LINES)
    seen.append(user.in_foreground)
    assert seen == [False, False, True, True]


def test_the_size_is_taken_once(user: RemoteTerminal) -> None:
    assert user.take_size() == (40, 120)
    assert user.take_size() is None
    user.change(Resize(40, 120, keyboard=True, foreground=True, quiet=True))
    assert user.take_size() is None
    user.change(Resize(0, 0))
    assert user.take_size() is None
    user.change(Resize(1, 2))
    assert user.take_size() == (1, 2)
