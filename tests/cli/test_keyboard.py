"""Keys that a user types go to a job that asks for them, and the terminal is afterwards as it was."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.questions import (
    ASKS,
    SHOWS_SIZE,
    answer_asks,
    answer_in_the_foreground,
    answer_questions,
    check_that_nothing_typed_ahead_is_run,
    program,
    stop_at_the_question,
)
from tests.cli.typist import SHELL_PROMPT, Typist
from tests.stages import PLAYSTREAM, Stages


@pytest.fixture
def directory(asking: Path) -> Path:
    return asking


def test_questions_are_answered(begin: Callable[..., Typist], directory: Path) -> None:
    user = begin("run", directory, "-p", "site.yml", "-i", "asked")
    answer_questions(user)
    kept = (directory / "artifacts" / "asked" / "stdout").read_text()
    assert "Your name: Ada" in kept
    assert "xyzzy" not in kept


@pytest.mark.parametrize(("key", "status", "expected"), [("c", 0, "went on"), ("a", 2, "user requested abort!")])
def test_ctrl_c_in_a_pause_is_ansibles(
    begin: Callable[..., Typist], directory: Path, key: str, status: int, expected: str
) -> None:
    user = begin("run", directory, "-p", "pause.yml")
    user.wait_for("Wait here:")
    user.wait_for_keys()
    user.type("\x03")
    user.wait_for("Press 'C' to continue the play or 'A' to abort")
    user.wait_for_keys()
    user.type(key)
    assert user.end() == status
    assert expected in "\n".join(user.lines)


def test_a_pause_is_seen_without_the_output(begin: Callable[..., Typist], directory: Path) -> None:
    user = begin("run", directory, "-p", "pause.yml", "--quiet")
    user.wait_for("Wait here:")
    user.wait_for_keys()
    user.type("\r")
    assert user.end() == 0
    assert "\n".join(user.lines).split() == ["Wait", "here:"]


def test_each_of_several_pauses_is_seen_without_the_output(begin: Callable[..., Typist], directory: Path) -> None:
    pauses = "".join(f"    - ansible.builtin.pause: {{prompt: {word}}}\n" for word in ("First", "Second", "Third"))
    (directory / "project" / "pauses.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{pauses}")
    user = begin("run", directory, "-p", "pauses.yml", "--quiet")
    for word in ("First", "Second", "Third"):
        user.wait_for(f"{word}:")
        user.wait_for_keys()
        user.type("\r")
    assert user.end() == 0


def test_a_playbook_without_a_directory(begin: Callable[..., Typist], directory: Path) -> None:
    user = begin("playbook", directory / "project" / "pause.yml", "-i", "node1,", "-c", "local")
    user.wait_for("Wait here:")
    user.wait_for_keys()
    user.type("\r")
    assert user.end() == 0


def test_the_size_is_the_users(begin: Callable[..., Typist], directory: Path, tmp_path: Path) -> None:
    user = begin("run", directory, "-p", "pause.yml", "--binary", program(tmp_path, SHOWS_SIZE))
    user.wait_for("size 120 40")
    user.child.setwinsize(30, 100)
    user.wait_for("size 100 30")
    assert user.end() == 0


def test_without_a_keyboard_nothing_is_waited_for(stages: Stages, directory: Path, tmp_path: Path) -> None:
    (directory / "env" / "settings").write_text("pexpect_timeout: 1\n")
    words = [*PLAYSTREAM, "run", str(directory), "-p", "pause.yml", "--binary", str(program(tmp_path, ASKS))]
    user = Typist(["sh", "-c", '"$@" </dev/null', "sh", *words], stages.env)
    assert user.end() == 254
    assert "'Secret: ' was not answered within 1 seconds" in " ".join(user.lines)
    user.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL])
def test_the_terminal_is_restored(
    begin: Callable[..., Typist], directory: Path, tmp_path: Path, number: signal.Signals
) -> None:
    user = begin("run", directory, "-p", "pause.yml", "--binary", program(tmp_path, ASKS))
    user.wait_for("Secret: ")
    user.wait_for_hidden()
    user.child.kill(number)
    user.wait_for_restored()
    canceled = number in {signal.SIGINT, signal.SIGTERM}
    assert user.end() == (254 if canceled else 128 + number)


def test_ctrl_c_cancels(begin: Callable[..., Typist], directory: Path, tmp_path: Path) -> None:
    user = begin("run", directory, "-p", "pause.yml", "--binary", program(tmp_path, ASKS))
    user.wait_for("Secret: ")
    user.wait_for_hidden()
    user.type("\x03")
    assert user.end() == 254
    assert "playstream run: canceled by SIGINT" in user.lines
    user.wait_for_restored()


class TestWithAShell:
    """Job control: the shell moves the command between foreground and background."""

    @pytest.fixture
    def words(self, directory: Path, tmp_path: Path) -> str:
        (directory / "env" / "settings").write_text("pexpect_timeout: 1\n")
        asks = program(tmp_path, ASKS)
        return " ".join([*PLAYSTREAM, "run", str(directory), "-p", "pause.yml", "-i", "x", "--binary", str(asks)])

    def test_what_nobody_read_is_not_run(self, shell: Typist, words: str, directory: Path, tmp_path: Path) -> None:
        check_that_nothing_typed_ahead_is_run(shell, words, tmp_path)
        # What is typed ahead is shown by the terminal itself, over what is there.
        assert "name is Ada" in (directory / "artifacts" / "x" / "stdout").read_text()

    def test_stopped_and_continued(self, shell: Typist, words: str) -> None:
        stop_at_the_question(shell, words)
        shell.type("fg\n")
        shell.wait_for_hidden()
        answer_asks(shell)
        shell.wait_for(SHELL_PROMPT)

    def test_in_the_background_it_is_not_stopped(self, shell: Typist, words: str, directory: Path) -> None:
        shell.type(f"{words} --quiet &\n")
        shell.wait_for("was not answered within 1 seconds")
        shell.type("jobs -l; wait; echo state\n")
        shell.wait_for("state\r\n")
        assert not any("Stopped" in line for line in shell.lines)
        assert (directory / "artifacts" / "x" / "status").read_text() == "timeout"

    def test_moved_to_the_foreground_it_asks(self, shell: Typist, words: str, directory: Path) -> None:
        (directory / "env" / "settings").write_text("pexpect_timeout: 0\n")
        answer_in_the_foreground(shell, words)
