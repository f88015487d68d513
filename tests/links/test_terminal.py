"""The user's terminal is asked by a job on another host as by one on this host, and afterwards is as it was."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from playstream.pipeline.protocol import Input, KeyMode, Prompt, Resize
from playstream.pipeline.protocol.order import Direction
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
from tests.links.conftest import WORKER, Listen
from tests.links.hosts import Host
from tests.links.workers import WITHOUT_HELLO, WITHOUT_THE_RECORDS, link_to, records_in
from tests.processes import children, command_line, marked_processes, wait_until
from tests.stages import PLAYSTREAM, Stages

SECRET = "xyzzy-plugh"  # noqa: S105 - what a test types
ASKS_LATER = f"""#!{sys.executable} -ISu
import os, sys
print("ready")
os.read(os.open(sys.argv[0] + ".go", os.O_RDONLY), 1)
print("got", input("Name: "))
"""
NAME = f"(exec:{Path(sys.executable).name})"


@pytest.fixture
def asks(asking: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    """The words of a run that asks for a secret and a name, without Ansible."""
    return ("run", asking, "-p", "pause.yml", "-i", "x", "--binary", program(tmp_path, ASKS))


def files_with(directory: Path, secret: bytes) -> list[Path]:
    """The files below a directory that contain a text."""
    return [path for path in directory.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_questions_are_answered(begin: Callable[..., Typist], asking: Path, tmp_path: Path) -> None:
    user = begin(
        "run", asking, "-p", "site.yml", "-i", "asked", "--logfile", tmp_path / "log", "--debug", "--on", WORKER
    )
    answer_questions(user)
    assert "Your name: Ada" in (asking / "artifacts" / "asked" / "stdout").read_text()
    assert files_with(tmp_path, SECRET.encode()) == []


def test_it_is_shown_who_asks(begin: Callable[..., Typist], asks: tuple[str | Path, ...]) -> None:
    user = begin(*asks, "--on", WORKER)
    user.wait_for("Secret: ")
    user.wait_for_hidden()
    user.type("pass\n")
    user.wait_for("Name: ")
    user.type("Ada\n")
    assert user.end() == 0
    kept = [line for line in user.lines if not line.startswith("playstream run: artifacts")]
    assert kept == ["starting", f"{NAME} Secret:", "got 4", f"{NAME} Name: Ada", "name is Ada"]


def test_over_ssh(begin: Callable[..., Typist], asking: Path, host: Host) -> None:
    user = begin("run", asking, "-p", "site.yml", "-i", "asked", "--on", "ssh://worker-1")
    answer_questions(user)
    assert "(ssh://worker-1) Your word:" in user.lines


def test_over_a_socket(begin: Callable[..., Typist], asking: Path, listen: Listen) -> None:
    user = begin("run", asking, "-p", "site.yml", "-i", "asked", "--on", listen().address)
    answer_questions(user)


def test_encrypted(begin: Callable[..., Typist], asking: Path, tmp_path: Path) -> None:
    ours, theirs = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("ours", ours), ("theirs", theirs)):
        (tmp_path / name).write_text(f"{identity}\n")
        (tmp_path / name).chmod(0o600)
    link = f"{WORKER} --identity {tmp_path}/theirs --encrypt-to {ours.to_public()}"
    words = ("--on", link, "--encrypt-to", str(theirs.to_public()), "--identity", str(tmp_path / "ours"))
    answer_questions(begin("run", asking, "-p", "site.yml", "-i", "asked", *words))


def test_a_playbook_without_a_directory(begin: Callable[..., Typist], asking: Path) -> None:
    user = begin("playbook", asking / "project" / "pause.yml", "-i", "node1,", "-c", "local", "--on", WORKER)
    user.wait_for("Wait here:")
    user.wait_for_keys()
    user.type("\r")
    assert user.end() == 0


@pytest.mark.parametrize("identity", [False, True], ids=["plain", "encrypted"])
def test_a_job_without_a_tree(
    begin: Callable[..., Typist], stages: Stages, listen: Listen, tmp_path: Path, identity: bool
) -> None:
    """A listener starts a worker for the question that comes before it, if nobody else can answer."""
    (tmp_path / "programs").mkdir()
    program(tmp_path / "programs", ASKS).rename(tmp_path / "programs" / "ansible")
    stages.path_before.append(tmp_path / "programs")
    ours = pyrage.x25519.Identity.generate()
    (tmp_path / "ours").write_text(f"{ours}\n")
    (tmp_path / "ours").chmod(0o600)
    flags: tuple[str, ...] = ()
    words: tuple[str | Path, ...] = ()
    if identity:
        flags, words = ("--encrypt-to", str(ours.to_public())), ("--identity", tmp_path / "ours")
    user = begin("adhoc", "localhost", "-m", "ping", *words, "--on", listen(*flags).address)
    user.wait_for("Secret: ")
    user.wait_for_hidden()
    user.type("pass\n")
    user.wait_for("Name: ")
    user.type("Ada\n")
    assert user.end() == 0


def test_a_playbook_in_steps(begin: Callable[..., Typist], asking: Path) -> None:
    words = ("-p", "site.yml", "-e", "who=Ada", "-e", "word=x", "--cmdline=--step", "--on", WORKER)
    user = begin("run", asking, *words)
    user.wait_for("Perform task: TASK: answers (N)o/(y)es/(c)ontinue: ")
    user.type("y\n")
    user.wait_for("Ada has 1")
    user.wait_for("Perform task: TASK: value (N)o/(y)es/(c)ontinue: ")
    user.type("n\n")
    user.wait_for("Perform task: TASK: ansible.builtin.debug (N)o/(y)es/(c)ontinue: ")
    user.type("n\n")
    assert user.end() == 0
    assert f"{NAME} Perform task: TASK: value (N)o/(y)es/(c)ontinue: n" in user.lines


def test_the_debugger(begin: Callable[..., Typist], asking: Path) -> None:
    (asking / "project" / "debug.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  strategy: debug\n"
        "  tasks:\n    - name: broken\n      ansible.builtin.debug: {msg: '{{ nope }}'}\n"
    )
    user = begin("run", asking, "-p", "debug.yml", "--on", WORKER)
    user.wait_for("[node1] TASK: broken (debug)> ")
    user.wait_for_keys()
    user.type("task.args['msg'] = 'mended'\r")
    user.wait_for("[node1] TASK: broken (debug)> ")
    user.type("redo\r")
    user.wait_for('"msg": "mended"')
    assert user.end() == 0
    user.wait_for_restored()


@pytest.mark.parametrize(("key", "status", "expected"), [("c", 0, "went on"), ("a", 2, "user requested abort!")])
def test_ctrl_c_in_a_pause_is_ansibles(
    begin: Callable[..., Typist], asking: Path, key: str, status: int, expected: str
) -> None:
    user = begin("run", asking, "-p", "pause.yml", "--on", WORKER)
    user.wait_for("Wait here:")
    user.wait_for_keys()
    user.type("\x03")
    user.wait_for("Press 'C' to continue the play or 'A' to abort")
    user.wait_for_keys()
    user.type(key)
    assert user.end() == status
    assert expected in "\n".join(user.lines)
    user.wait_for_restored()


def test_a_pause_is_seen_without_the_output(begin: Callable[..., Typist], asking: Path) -> None:
    user = begin("run", asking, "-p", "pause.yml", "--quiet", "--on", WORKER)
    user.wait_for("Wait here:")
    user.wait_for_keys()
    user.type("\r")
    assert user.end() == 0
    assert "\n".join(user.lines).split() == [*NAME.split(), "Wait", "here:"]


def test_the_size_is_the_users(begin: Callable[..., Typist], asking: Path, tmp_path: Path) -> None:
    """From the start of the job: Ansible reads it once."""
    user = begin("run", asking, "-p", "pause.yml", "--binary", program(tmp_path, SHOWS_SIZE), "--on", WORKER)
    user.wait_for("size 120 40")
    user.child.setwinsize(30, 100)
    user.wait_for("size 100 30")
    assert user.end() == 0


@pytest.mark.parametrize("worker", [WITHOUT_THE_RECORDS, WITHOUT_HELLO])
def test_an_earlier_worker_is_sent_neither_record(
    begin: Callable[..., Typist], asking: Path, tmp_path: Path, worker: str
) -> None:
    (asking / "env" / "settings").write_text("pexpect_timeout: 1\n")
    shows = program(tmp_path, SHOWS_SIZE.partition("signal.sigwait")[0] + "input('Name: ')\n")
    link = link_to(tmp_path / "worker.py", worker, f"tee {shlex.quote(str(tmp_path / 'sent'))}")
    user = begin("run", asking, "-p", "pause.yml", "--binary", shows, "--on", link)
    user.wait_for("size 80 24")
    user.child.setwinsize(30, 100)
    user.type("Ada\n")
    assert user.end() == 254
    assert "'Name: ' was not answered within 1 seconds" in " ".join(user.lines)
    sent = records_in(tmp_path / "sent", Direction.JOB)
    assert not any(isinstance(record, (Input, Resize)) for record in sent)


def test_what_a_link_carries(begin: Callable[..., Typist], asks: tuple[str | Path, ...], tmp_path: Path) -> None:
    """What is typed travels on the link, as passwords do, and nowhere else: an own copy of the link shows it."""
    sent, received = tmp_path / "sent", tmp_path / "received"
    inner = shlex.join([*PLAYSTREAM, "worker"])
    link = f"exec:sh -c {shlex.quote(f'tee {sent} | {inner} | tee {received}')}"
    user = begin(*asks, "--on", link)
    user.wait_for("Secret: ")
    user.wait_for_hidden()
    user.type(f"{SECRET}\n")
    user.wait_for("Name: ")
    user.type("Ada\n")
    assert user.end() == 0
    keys = [record for record in records_in(sent, Direction.JOB) if isinstance(record, Input)]
    assert [record.data for record in keys] == [f"{SECRET}\n".encode(), b"Ada\n"]
    assert SECRET not in repr(keys)
    answered = records_in(received, Direction.RESULT)
    modes = [record.mode for record in answered if isinstance(record, Prompt) and not record.text]
    assert KeyMode.HIDDEN in modes
    assert SECRET not in repr(answered)


def test_a_capture_has_neither_record(stages: Stages, asking: Path) -> None:
    """Even if the stages of a pipe run on a terminal."""
    words = [*PLAYSTREAM, "transmit", str(asking), "-p", "site.yml"]
    capture = asking / "capture"
    user = Typist(["sh", "-c", '"$@" >"$0"', str(capture), *words], stages.env)
    assert user.end() == 0
    user.close()
    assert not any(isinstance(record, (Input, Resize)) for record in records_in(capture, Direction.JOB))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL])
def test_the_terminal_is_restored(
    begin: Callable[..., Typist], asks: tuple[str | Path, ...], stages: Stages, number: signal.Signals
) -> None:
    user = begin(*asks, "--on", WORKER)
    user.wait_for("Secret: ")
    user.wait_for_hidden()
    user.child.kill(number)
    user.wait_for_restored()
    canceled = number in {signal.SIGINT, signal.SIGTERM}
    assert user.end() == (254 if canceled else 128 + number)
    wait_until(lambda: marked_processes(stages.temporary) == [])


@pytest.mark.parametrize("playbook", ["site.yml", "pause.yml"])
def test_ctrl_c_cancels(begin: Callable[..., Typist], asking: Path, tmp_path: Path, playbook: str) -> None:
    """Once at a question, and twice where Ansible takes it as a key."""
    user = begin("run", asking, "-p", playbook, "-i", "x", "--on", WORKER)
    if playbook == "site.yml":
        user.wait_for("Your name: ")
        user.type("\x03")
    else:
        user.wait_for("Wait here:")
        user.wait_for_keys()
        user.type("\x03\x03")
    assert user.end() == 254
    assert "playstream run: canceled by SIGINT" in user.lines
    assert (asking / "artifacts" / "x" / "status").read_text() == "canceled"
    user.wait_for_restored()


def test_the_connection_is_lost(begin: Callable[..., Typist], asks: tuple[str | Path, ...], asking: Path) -> None:
    user = begin(*asks, "--on", WORKER)
    user.wait_for("Secret: ")
    user.wait_for_hidden()
    (worker,) = [pid for pid in children(user.child.pid) if b"playstream\0worker" in command_line(pid)]
    subprocess.run(["kill", "-KILL", str(worker)], check=True)
    assert user.end() == 75
    user.wait_for_restored()
    assert user.lines[1] == f"{NAME} Secret:"
    assert "the program was ended by signal 9" in " ".join(user.lines[2:])
    assert (asking / "artifacts" / "x" / "status").read_text() == "error"


def test_what_is_typed_before_a_question_is_not_sent(
    begin: Callable[..., Typist], asking: Path, tmp_path: Path
) -> None:
    path = program(tmp_path, ASKS_LATER)
    subprocess.run(["mkfifo", f"{path}.go"], check=True)
    user = begin("run", asking, "-p", "pause.yml", "--binary", path, "--on", WORKER)
    user.wait_for("ready")
    user.type("typed too early\n")
    user.wait_for("typed too early")
    Path(f"{path}.go").write_text("x")
    user.wait_for("Name: ")
    user.type("Ada\n")
    user.wait_for("got Ada")
    assert user.end() == 0


class TestWithAShell:
    """Job control: the shell moves the command between foreground and background."""

    @pytest.fixture
    def words(self, asks: tuple[str | Path, ...], asking: Path) -> str:
        (asking / "env" / "settings").write_text("pexpect_timeout: 1\n")
        return shlex.join([*PLAYSTREAM, *map(str, asks), "--on", WORKER])

    def test_stopped_and_continued(self, shell: Typist, words: str) -> None:
        """The question is shown again."""
        stop_at_the_question(shell, words)
        shell.type("fg\n")
        shell.wait_for("Secret: ")
        shell.wait_for_hidden()
        answer_asks(shell)
        shell.wait_for(SHELL_PROMPT)

    def test_stopped_and_in_the_background(self, shell: Typist, words: str, asking: Path) -> None:
        """There nobody can answer, as in any background."""
        stop_at_the_question(shell, words)
        shell.type("bg\n")
        shell.wait_for("was not answered within 1 seconds")
        shell.type("wait; echo ended\n")
        shell.wait_for("ended\r\n")
        assert (asking / "artifacts" / "x" / "status").read_text() == "timeout"

    def test_moved_to_the_foreground_it_asks(self, shell: Typist, words: str, asking: Path) -> None:
        (asking / "env" / "settings").write_text("pexpect_timeout: 0\n")
        answer_in_the_foreground(shell, words)

    def test_what_nobody_read_is_not_run(self, shell: Typist, words: str, tmp_path: Path) -> None:
        check_that_nothing_typed_ahead_is_run(shell, words, tmp_path)
