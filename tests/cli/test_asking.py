"""Passwords that a command asks for before a run: what is asked, where it goes, and what to do without a terminal."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from playstream.cli.main import parse
from playstream.pipeline.protocol import Job
from playstream.pipeline.protocol.order import Direction
from tests.cli.typist import Typist
from tests.e2e.secrets.watch import Watch
from tests.processes import wait_until
from tests.stages import PLAYSTREAM, Stages, read_records

SECRET = "plugh-4711-xyzzy"  # noqa: S105 - typed by the tests
ASKS = f"""#!{sys.executable} -ISu
import getpass
print("got", getpass.getpass("BECOME password: ")[::-1], getpass.getpass("Vault password (dev): ")[::-1])
"""
"""What stands in for Ansible; it shows what it gets backwards, so that secrets are not in its output."""


def test_passwords_are_asked_for_before_a_job_is_sent(stages: Stages, directory: Path, tmp_path: Path) -> None:
    stream = tmp_path / "stream"
    words = ["transmit", str(directory), "-p", "site.yml", "-k", "-K", "-J", "--ask-vault-pass=prod"]
    command = " ".join([*PLAYSTREAM, *words]) + f" </dev/null >{stream}"
    user = Typist(["sh", "-c", command], stages.env)
    for prompt, answer in (
        ("SSH password: ", "one"),
        ("BECOME password: ", "two"),
        ("Vault password: ", "three"),
        ("Vault password (prod): ", "four"),
    ):
        user.wait_for(prompt)
        user.wait_for_hidden()
        user.type(answer + "\n")
    assert user.end() == 0
    user.wait_for_restored()
    assert not any(answer in "\n".join(user.lines) for answer in ("one", "two", "three", "four"))
    job = next(record for record in read_records(stream.read_bytes(), Direction.JOB) if isinstance(record, Job))
    assert job.passwords == {"ssh": "one", "become": "two", "vault": "three", "vault:prod": "four"}
    user.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_terminal_is_restored_while_passwords_are_asked_for(
    begin: Callable[..., Typist], directory: Path, number: signal.Signals
) -> None:
    user = begin("run", directory, "-p", "site.yml", "-K")
    user.wait_for("BECOME password: ")
    user.wait_for_hidden()
    user.child.kill(number)
    user.wait_for_restored()
    assert user.end() in {130, 128 + number}
    assert not (directory / "artifacts").exists()


def test_the_end_of_input_is_no_password(begin: Callable[..., Typist], directory: Path) -> None:
    user = begin("run", directory, "-p", "site.yml", "-K")
    user.wait_for("BECOME password: ")
    user.wait_for_hidden()
    user.type("\x04")
    assert user.end() == 1
    assert "--ask-become-pass: expected a password, got the end of input" in "\n".join(user.lines)


def test_nobody_can_be_asked_without_a_terminal(stages: Stages, directory: Path) -> None:
    process = stages.start("run", directory, "-p", "site.yml", "-k", start_new_session=True)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"--ask-pass asks on the terminal, and this process has none. Put the password into env/passwords" in errors


@pytest.mark.parametrize("flag", ["--ask-vault-pass", "--ask-vault", "-J"])
def test_an_optional_value_comes_after_an_equals_sign(directory: Path, flag: str) -> None:
    """The next word is another argument, also before the command."""
    playbook = str(directory / "project" / "site.yml")
    for words in (["playbook", flag, playbook], [flag, "playbook", playbook], ["playbook", playbook, flag]):
        found = parse(words)
        assert (found.playbook, found.ask_vault_pass) == ([playbook], [None])
    assert parse(["playbook", playbook, "--ask-vault-pass=dev", flag]).ask_vault_pass == ["dev", None]


def test_the_help_shows_where_an_optional_value_belongs(stages: Stages) -> None:
    assert b"-J, --ask-vault-pass[=ID]" in stages.call("playbook", "--help").stdout


@pytest.mark.parametrize("value", ["", "a b", "project/site.yml", "-x"])
def test_what_is_no_vault_id(stages: Stages, directory: Path, value: str) -> None:
    done = stages.call("playbook", directory / "project" / "site.yml", f"--ask-vault-pass={value}")
    assert done.returncode == 2
    assert b"expected a vault ID of letters" in done.stderr


def test_a_run_in_the_background_gets_what_was_asked_for(
    begin: Callable[..., Typist], stages: Stages, directory: Path, tmp_path: Path
) -> None:
    """It goes from one process to the other through a pipe."""
    binary = tmp_path / "ansible-playbook"
    binary.write_text(ASKS)
    binary.chmod(0o755)
    words = ("-p", "site.yml", "--binary", binary, "-i", "x", "-K", "--ask-vault-pass=dev")
    with Watch({"password": SECRET}, [directory, stages.temporary], stages.temporary) as watch:
        user = begin("start", directory, *words)
        for prompt in ("BECOME password: ", "Vault password (dev): "):
            user.wait_for(prompt)
            user.wait_for_hidden()
            user.type(SECRET + "\n")
        user.wait_for("started x")
        assert user.end() == 0
        user.wait_for_restored()
        wait_until(lambda: stages.call("is-alive", directory, *words, "-q").returncode == 1)
    assert f"got {SECRET[::-1]} {SECRET[::-1]}" in (directory / "artifacts" / "x" / "stdout").read_text()
    assert SECRET not in "\n".join(user.lines)
    assert (watch.findings, watch.open_to_others) == (set(), set())
    assert watch.looks > 3
    assert stages.leftovers() == []


@pytest.mark.parametrize("command", ["run", "start", "transmit", "playbook"])
def test_a_password_is_not_typed_in_vain(stages: Stages, directory: Path, tmp_path: Path, command: str) -> None:
    """Ansible too looks for the playbook before it asks."""
    words = ("nope.yml",) if command == "playbook" else (str(directory), "-p", "nope.yml")
    line = shlex.join([*PLAYSTREAM, command, *words, "-K"])
    user = Typist(["sh", "-c", f"cd {directory}/project && {line} >{tmp_path}/output"], stages.env)
    assert user.end() == 1
    shown = "\n".join(user.lines)
    assert f"playstream {command}: playbook 'nope.yml' was not found in" in shown
    assert "BECOME password:" not in shown
    user.close()


def test_what_was_asked_for_is_not_asked_again(begin: Callable[..., Typist], directory: Path, tmp_path: Path) -> None:
    """Ansible's own prompts, which are answered, would look so."""
    binary = tmp_path / "ansible-playbook"
    binary.write_text(ASKS)
    binary.chmod(0o755)
    user = begin("run", directory, "-p", "site.yml", "--binary", binary, "-i", "x", "-K", "--ask-vault-pass=dev")
    for prompt in ("BECOME password: ", "Vault password (dev): "):
        user.wait_for(prompt)
        user.wait_for_hidden()
        user.type(SECRET + "\n")
    assert user.end() == 0
    assert user.lines == ["BECOME password:", "Vault password (dev):", f"got {SECRET[::-1]} {SECRET[::-1]}"]
    assert "BECOME password: " in (directory / "artifacts" / "x" / "stdout").read_text()


def test_ctrl_c_at_the_question_ends_its_line(begin: Callable[..., Typist], directory: Path) -> None:
    user = begin("run", directory, "-p", "site.yml", "-K")
    user.wait_for("BECOME password: ")
    user.wait_for_hidden()
    user.type("\x03")
    assert user.end() == 130
    assert user.lines == ["BECOME password:", "playstream run: interrupted"]


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("adhoc all -a id -k", "Use playstream run, with the password in env/passwords, under the name 'ssh'"),
        ("playbook FILE -J", "Pass a file with the password instead: --vault-password-file FILE"),
        ("playbook FILE --ask-vault-pass=dev", "Pass a file with the password instead: --vault-id dev@FILE"),
        ("start DIR -p site.yml -K", "Put the password into env/passwords under the name 'become' instead"),
        (
            "transmit DIR -p site.yml --ask-vault-pass=dev",
            "Put the password into env/passwords under the name 'vault:dev' instead",
        ),
    ],
)
def test_without_a_terminal_each_command_says_what_it_can_do(
    stages: Stages, directory: Path, words: str, advice: str
) -> None:
    names = {"DIR": str(directory), "FILE": str(directory / "project" / "site.yml")}
    process = stages.start(*(names.get(word, word) for word in words.split()), start_new_session=True)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (1, b"")
    assert f"asks on the terminal, and this process has none. {advice}" in stderr.decode()


def test_an_unanswered_prompt_of_a_command_without_a_directory(stages: Stages, directory: Path, tmp_path: Path) -> None:
    config = tmp_path / "project"
    config.mkdir()
    words = ("adhoc", "localhost", "-m", "ping", "-c", "local", "--cmdline", "--ask-become-pass")
    done = stages.call(*words, cwd=config)
    assert done.returncode == 254
    assert (
        b"let --ask-become-pass (-K) ask for it before the run, or use playstream run, with the password in "
        b"env/passwords, under the name 'become'"
    ) in done.stderr


@pytest.mark.parametrize("vault_id", ["a b", ".*", "", "-x", "\x1b]0;title\x07"])
def test_a_vault_id_is_part_of_a_prompt(stages: Stages, directory: Path, vault_id: str) -> None:
    """Whoever gives it: it is refused before anybody is asked, and before anything runs."""
    expected = "expected a vault ID of letters, digits, dots, dashes and underscores that does not begin with a dash, "
    for words in ((f"--ask-vault-pass={vault_id}",), (f"--vault-id={vault_id or '-'}@{directory}/project/site.yml",)):
        done = stages.call("run", directory, "-p", "site.yml", *words)
        assert done.returncode in {1, 2}
        assert expected in done.stderr.decode()
    (directory / "env").mkdir()
    (directory / "env" / "passwords").write_text(json.dumps({f"vault:{vault_id}": SECRET}))
    done = stages.call("run", directory, "-p", "site.yml")
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"env/passwords: {'vault:' + vault_id!r}: {expected}got {vault_id!r}" in done.stderr.decode()
    assert SECRET not in done.stderr.decode()
    assert not (directory / "artifacts").exists()
