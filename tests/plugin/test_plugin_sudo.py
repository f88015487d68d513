"""What the answer of a host about sudo means, and how processes of Ansible share it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.plugin.callback.parts.of.playstream_recording.sudo import (
    _ASK,
    LOGGED,
    MISSING,
    TERMINAL,
    UNCLEAR,
    WORKS,
    Answers,
    judge,
)

FLAGS = "-H -S -n"
LOGIN = ("web1", 22, "deploy")


@pytest.mark.parametrize(
    ("rc", "output", "error", "flags", "meaning"),
    [
        (0, "pipe:[7]\npipe:[7]\n", "", FLAGS, WORKS),
        (0, "", "", FLAGS, WORKS),
        (0, "pipe:[7]\npipe:[7]\n", "a banner", "", WORKS),
        (0, "pipe:[7]\npipe:[8]\n", "", FLAGS, LOGGED),
        (0, "pipe:[7]\n/dev/pts/1\n", "", FLAGS, LOGGED),
        (0, "pipe:[7]\n", "", FLAGS, LOGGED),
        (1, "pipe:[7]\n", "sudo: sorry, you must have a tty to run sudo\n", FLAGS, TERMINAL),
        (1, "", "a banner\nsudo: sorry, you must have a tty to run sudo\n", FLAGS, TERMINAL),
        (1, "pipe:[7]\n", "sudo: a password is required\n", FLAGS, WORKS),
        (1, "", "sudo: a password is required\n", "-HnS", WORKS),
        (1, "", "sudo: a password is required\n", "-H --stdin", WORKS),
        (1, "", "sudo: a password is required\n", "-H -n", UNCLEAR),
        (1, "", "sudo: interactive authentication is required\n", FLAGS, WORKS),
        (1, "", "Sorry, user deploy is not allowed to execute '/bin/sh' as root on web1.\n", FLAGS, UNCLEAR),
        (127, "", "/bin/sh: 1: sudo: not found\n", FLAGS, MISSING),
        (126, "", "/bin/sh: 1: sudo: Permission denied\n", FLAGS, MISSING),
        (143, "", "", FLAGS, UNCLEAR),
    ],
)
def test_what_sudo_says(rc: int, output: str, error: str, flags: str, meaning: str) -> None:
    assert judge(rc, output, error, flags) == meaning


@given(st.integers(-255, 255), st.text(), st.text(), st.text())
def test_any_answer_means_something(rc: int, output: str, error: str, flags: str) -> None:
    assert judge(rc, output, error, flags) in {WORKS, TERMINAL, LOGGED, MISSING, UNCLEAR}


def test_a_host_is_asked_once(tmp_path: Path) -> None:
    asked: list[None] = []

    def ask() -> str:
        asked.append(None)
        return WORKS

    first, second = Answers(str(tmp_path)), Answers(str(tmp_path))
    assert [first.get(LOGIN, ask), second.get(LOGIN, ask), first.get(LOGIN, ask)] == [WORKS] * 3
    assert len(asked) == 1


def test_at_the_same_time_one_asks(tmp_path: Path) -> None:
    asked: list[None] = []
    together = threading.Barrier(4)

    def ask() -> str:
        asked.append(None)
        return TERMINAL

    def look() -> None:
        together.wait()
        assert Answers(str(tmp_path)).get(LOGIN, ask) == TERMINAL

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_what_is_known_is_not_asked_until_it_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "sudo-known").write_text(json.dumps([[*LOGIN, WORKS]]))
    known = Answers(str(tmp_path))
    assert known.get(LOGIN, pytest.fail) == WORKS
    known.correct(LOGIN)
    assert known.get(LOGIN, pytest.fail) == TERMINAL
    assert Answers(str(tmp_path)).get(LOGIN, pytest.fail) == TERMINAL


def test_a_host_that_cannot_be_asked_is_asked_again(tmp_path: Path) -> None:
    def fail() -> str:
        raise ConnectionError

    shared = Answers(str(tmp_path))
    with pytest.raises(ConnectionError):
        shared.get(LOGIN, fail)
    assert shared.get(LOGIN, lambda: WORKS) == WORKS


def test_without_a_file_each_task_asks(tmp_path: Path) -> None:
    shared = Answers(str(tmp_path / "gone"))
    assert [shared.get(LOGIN, lambda: WORKS), shared.get(LOGIN, lambda: TERMINAL)] == [WORKS, TERMINAL]


def ask_shell(sudo: str, stdin: int) -> subprocess.Popen[bytes]:
    words = ["/bin/sh", "-c", _ASK.format(sudo=sudo)]
    return subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize(
    ("sudo", "rc", "meaning"),
    [
        ("env", 0, WORKS),
        ("sh -c '\"$@\" | cat' sh", 0, LOGGED),
        ("sh -c 'exit 1'", 1, UNCLEAR),
        ("sh -c 'echo sudo: a password is required >&2; exit 1'", 1, WORKS),
        ("sh -c 'test $LC_ALL = C && exit 127'", 127, MISSING),
        ("/no/sudo", 127, MISSING),
    ],
)
def test_the_question_has_the_exit_status_and_the_words_of_sudo(sudo: str, rc: int, meaning: str) -> None:
    read, write = os.pipe()
    process = ask_shell(sudo, read)
    os.close(read)
    output, error = process.communicate(timeout=60)
    os.close(write)
    assert process.returncode == rc
    assert judge(rc, output.decode(), error.decode(), FLAGS) == meaning


def test_the_question_ends_with_its_connection() -> None:
    read, write = os.pipe()
    process = ask_shell("sh -c 'echo here >&2; exec sleep 600'", read)
    os.close(read)
    assert process.stderr is not None
    assert process.stderr.readline() == b"here\n"
    os.close(write)
    process.communicate(timeout=60)
    assert process.returncode == 143
