"""Answers are typed as they are, or refused before anything runs; and only where somebody asks."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.job.passwords import MAX_ANSWER
from playstream.worker.terminal import Terminal
from playstream.worker.terminal_readers import may_be_read
from tests.conftest import MakeDir
from tests.stages import LIMIT_SECONDS, Stages
from tests.worker.test_answers_on_a_terminal import read_all

ASK = """\
import getpass, json, sys
heard = getpass.getpass("Word: ")
json.dump(heard, open(sys.argv[1], "w"))
print("heard", len(heard))
"""
CONTROLS = "".join(map(chr, [*range(1, 10), 11, 12, *range(14, 32), 127]))


def ask(directory: Path, password: str, place: Path) -> Any:
    """What a program hears that asks for a word with getpass, as Ansible does."""
    (directory / "args").write_text(shlex.join([sys.executable, "-c", ASK, str(place)]))
    runner = playstream.run(
        private_data_dir=directory, passwords={"^Word: ": password}, quiet=True, settings={"job_timeout": 60}
    )
    with runner.stdout as output:
        assert (runner.status, runner.rc) == ("successful", 0), (runner.explanation, output.read())
    return json.loads(place.read_text())


@pytest.mark.parametrize(
    "password",
    [
        *(f"a{char}b" for char in CONTROLS),
        CONTROLS,
        CONTROLS[::-1],
        "\x03",
        "\x04",
        "\x04\x04",
        "\x16",
        "\x16\x16\x03",
        "é\x7fü😀",
        " spaces ",
        "x" * MAX_ANSWER,
        "é" * (MAX_ANSWER // 2),
        "\x03" * MAX_ANSWER,
    ],
    ids=ascii,
)
def test_control_characters_and_long_words(private_data_dir: MakeDir, tmp_path: Path, password: str) -> None:
    assert ask(private_data_dir({}), password, tmp_path / "heard") == password


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_end_at_the_end_is_enter(private_data_dir: MakeDir, tmp_path: Path, end: str) -> None:
    """As of a password that was read from a file."""
    assert ask(private_data_dir({}), f"sesame{end}", tmp_path / "heard") == "sesame"


WRONG = [
    ("se\nsame", "got a line feed in it"),
    ("se\rsame", "got a carriage return in it"),
    ("sesame\n\n", "got a line feed in it"),
    ("sesame" + "x" * MAX_ANSWER, f"expected at most {MAX_ANSWER} bytes, .* got {MAX_ANSWER + 6}"),
]


@pytest.mark.parametrize(("password", "message"), WRONG)
@pytest.mark.parametrize("name", ["become", "vault:dev", "^Word: "])
def test_what_cannot_be_typed(
    private_data_dir: MakeDir, stages: Stages, name: str, password: str, message: str
) -> None:
    directory = private_data_dir({"site.yml": "[]\n"})
    with pytest.raises(playstream.ConfigurationError, match=message) as caught:
        playstream.run(private_data_dir=directory, playbook="site.yml", passwords={name: password})
    assert "sesame" not in str(caught.value)
    (directory / "env").mkdir()
    (directory / "env" / "passwords").write_text(json.dumps({name: password}))
    for dialect in ("playstream", "runner"):
        done = stages.call("transmit", directory, "-p", "site.yml", "--dialect", dialect)
        assert (done.returncode, done.stdout) == (1, b"")
        assert "sesame" not in done.stderr.decode()
    # On the wire, from a sender of another kind.
    kwargs = json.dumps({"kwargs": {"ident": "7", "module": "ping", "passwords": {name: password}}})
    done = stages.call("worker", stdin=f'{kwargs}\n{{"eof": true}}\n'.encode())
    assert done.returncode == 1
    assert "sesame" not in done.stdout.decode() + done.stderr.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal({r"^Password:\s*?$": "sesame"})
    yield terminal
    terminal.close()


@pytest.fixture
def slave(terminal: Terminal) -> Iterator[int]:
    assert terminal.tty is not None
    fd = os.open(terminal.tty, os.O_RDWR | os.O_NOCTTY)
    yield fd
    os.close(fd)


def typed(slave: int) -> int:
    """Bytes of whole lines that wait to be read."""
    return int.from_bytes(fcntl.ioctl(slave, termios.FIONREAD, b"\0" * 4), sys.byteorder)


def look(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the terminal do what it would do that much later."""
    now = time.monotonic() + seconds
    with monkeypatch.context() as patch:
        patch.setattr("playstream.worker.terminal.time.monotonic", lambda: now)
        assert terminal.attend(5.0 * seconds) is None


def test_a_line_that_is_cut_at_the_end_of_a_read_is_no_prompt(
    terminal: Terminal, slave: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for an answer, so nothing is typed, however long the rest of the line takes."""
    os.write(slave, b"Pass")
    assert terminal.read() == b"Pass"
    os.write(slave, b"word:")
    assert terminal.read() == b"word:"
    for seconds in (1, 10, 100):
        look(terminal, monkeypatch, seconds)
    os.write(slave, b" of the database is none\n")
    read_all(terminal, b" of the database is none\n")
    look(terminal, monkeypatch, 1000)
    assert typed(slave) == 0
    assert terminal.due(None) is None


@pytest.mark.parametrize("after", [b"", b" "])
def test_the_same_line_is_one_when_somebody_waits(
    terminal: Terminal, slave: int, monkeypatch: pytest.MonkeyPatch, after: bytes
) -> None:
    os.write(slave, b"Password:" + after)
    assert terminal.read() == b"Password:" + after
    assert typed(slave) == 0
    reader = subprocess.Popen(["head", "-n1"], stdin=slave, stdout=subprocess.PIPE)
    assert terminal.tty is not None
    while not may_be_read(terminal.tty):
        assert reader.poll() is None
    look(terminal, monkeypatch, 1)
    assert reader.communicate(timeout=LIMIT_SECONDS)[0] == b"sesame\n"
