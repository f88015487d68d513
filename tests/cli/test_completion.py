"""Completion in real shells, and man pages that man shows without a complaint."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from playstream.cli import completion
from playstream.cli.documents import SCRIPTS, make_completion, make_man_pages, write_completions
from playstream.cli.flags import flags_of, list_commands
from playstream.cli.main import main
from tests.stages import LIMIT_SECONDS, Stages

CASES = [
    ("playstream tra", "nsmit "),
    ("playstream worker cle", "anup "),
    ("playstream run demo --start-at", "-task "),
    ("playstream adhoc all --vault-pass", "word-file "),
    ("playstream run de", "mo/"),
    ("playstream adhoc all --private-key de", "mo/"),
    ("playstream completion fi", "sh "),
]
"""What is typed, and what the Tab key adds."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the scripts, and a private data directory to name."""
    write_completions(tmp_path)
    (tmp_path / "demo").mkdir()
    return tmp_path


class Shell:
    """An interactive shell on a terminal.

    Args:
        words: the command.
        start: a line that loads the completions.
        place: the current directory.
    """

    def __init__(self, words: list[str], start: str, place: Path) -> None:
        program = shutil.which(words[0])
        if program is None:
            pytest.fail(f"{words[0]} is missing; apt-get install {words[0]}")
        env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(place), "TERM": "dumb"}
        self._terminal = pexpect.spawn(
            program, words[1:], env=env, cwd=str(place), encoding="utf-8", timeout=LIMIT_SECONDS, dimensions=(24, 200)
        )
        self._terminal.sendline(f"{start}; echo is''loaded")
        self._terminal.expect_exact("isloaded\r\n")

    def complete(self, typed: str) -> None:
        """Type a command line with the Tab key and Enter; the word that it became is printed back."""
        self._terminal.send(f"{typed}\t")

    def expect(self, text: str) -> None:
        """Wait until the terminal shows a text."""
        self._terminal.expect_exact(text)

    def close(self) -> None:
        """End the shell."""
        self._terminal.close(force=True)


@pytest.fixture
def bash(place: Path) -> Iterator[Shell]:
    shell = Shell(["bash", "--norc", "--noprofile", "-i"], f"source {place}/playstream.bash", place)
    yield shell
    shell.close()


@pytest.fixture
def zsh(place: Path) -> Iterator[Shell]:
    start = (
        f'unsetopt zle_bracketed_paste prompt_sp; autoload -U compinit; compinit -u -D; eval "$(<{place}/_playstream)"'
    )
    shell = Shell(["zsh", "-f", "-i"], start, place)
    yield shell
    shell.close()


@pytest.mark.parametrize(("typed", "added"), CASES)
def test_bash(bash: Shell, typed: str, added: str) -> None:
    bash.complete(typed)
    bash.expect(typed + added)


@pytest.mark.parametrize(("typed", "added"), CASES)
def test_zsh(zsh: Shell, typed: str, added: str) -> None:
    zsh.complete(typed)
    zsh.expect((typed + added).rstrip())


@pytest.mark.parametrize(("typed", "added"), CASES)
def test_fish(place: Path, typed: str, added: str) -> None:
    if shutil.which("fish") is None:
        pytest.fail("fish is missing; apt-get install fish")
    script = f"source {place}/playstream.fish; complete --do-complete '{typed}'"
    env = {**os.environ, "HOME": str(place)}
    done = subprocess.run(
        ["fish", "--private", "-c", script], cwd=place, env=env, capture_output=True, text=True, check=False
    )
    offered = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert (typed.rsplit(maxsplit=1)[-1] + added).strip() in offered, done.stderr


def test_a_playbook_is_not_looked_for_in_the_current_directory(place: Path) -> None:
    """It is relative to the project."""
    script = f"source {place}/playstream.fish; complete --do-complete 'playstream run demo -p de'"
    done = subprocess.run(["fish", "--private", "-c", script], cwd=place, capture_output=True, text=True, check=True)
    assert "demo" not in done.stdout


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_the_script(stages: Stages, shell: str) -> None:
    done = stages.call("completion", shell)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == make_completion(shell)
    for command in list_commands():
        for definition in flags_of(command):
            assert definition.names[-1].lstrip("-") in done.stdout.decode()


def test_an_installation_prints_what_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(completion, "IN_CHECKOUT", False)
    monkeypatch.setattr(completion, "BUILT", tmp_path)
    assert main(["completion", "bash"]) == 1
    assert "has no completion scripts. Install it with pip" in capsys.readouterr().err
    (tmp_path / "playstream.bash").write_text("built\n")
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == "built\n"


def test_a_checkout_without_shtab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(completion, "BUILT", tmp_path)
    monkeypatch.setitem(sys.modules, "shtab", None)
    (tmp_path / "playstream.bash").write_text("built\n")
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == "built\n"


@pytest.mark.parametrize("words", [(), ("tcsh",), ("bash", "zsh")])
def test_a_shell_that_is_not_known(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["completion", *words])
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_man_pages(tmp_path: Path) -> None:
    if shutil.which("man") is None:
        pytest.fail("man is missing; apt-get install man-db")
    pages = make_man_pages()
    assert set(pages) == {f"{'-'.join(['playstream', *name.split()])}.1" for name in ("", *list_commands())}
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFOPT": "-c"}
    for name, text in pages.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        words = ["man", "--warnings=w", "-P", "cat", "-l", str(tmp_path / name)]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
        assert done.stderr == "", name
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert f"{name.removesuffix('.1')} - " in " ".join(done.stdout.split())
        command = name.removesuffix(".1").removeprefix("playstream-").replace("-", " ")
        if command in {"run", "adhoc", "process", "worker cleanup"}:  # others hide those that have no effect
            assert all(definition.names[-1] in done.stdout for definition in flags_of(command))
        assert name != "playstream.1" or "playstream-plugin-path(1)" in done.stdout
