"""A prompt that nobody answers ends the job and is named; what only looks like one does not."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from playstream.worker.prompts import Prompt, Tail, explain_unanswered
from tests.conftest import MakeDir
from tests.stages import Run, Stages, displayed

PAUSE = """\
- hosts: all
  gather_facts: false
  tasks:
  - pause: {arguments}
    register: pausing
  - debug: msg="heard {{{{ pausing.user_input | length }}}} letters"
"""
VARS_PROMPT = """\
- hosts: all
  gather_facts: false
  vars_prompt:
  - {{name: word, prompt: 'Which word', private: {private}}}
  tasks:
  - debug: msg="heard {{{{ word | length }}}} letters"
"""
QUIET = """\
- hosts: all
  gather_facts: false
  tasks:
  - command: sleep 3
  - debug: {msg: "[section]\\nname:"}
  - command: sleep 3
"""


def write_env(directory: Path, passwords: str = "", timeout: float = 1) -> None:
    (directory / "env").mkdir(exist_ok=True)
    (directory / "env" / "settings").write_text(f"pexpect_timeout: {timeout}\n")
    (directory / "env" / "passwords").write_text(passwords)


def run_program(stages: Stages, directory: Path, code: str) -> Run:
    """Run a Python program in Ansible's place."""
    (directory / "args").write_text(shlex.join([sys.executable, "-c", code]))
    run = stages.run(directory, "-p", "none.yml")
    assert stages.leftovers() == []
    return run


def assert_unanswered(run: Run, prompt: str, advice: str) -> None:
    assert run.exit_statuses == (0, 254, 254), run.stdout + run.stderr
    assert run.text("status") == "timeout"
    assert f"the prompt {prompt!r} was not answered within 1 seconds (pexpect_timeout)" in run.stderr
    assert advice in run.stderr


@pytest.mark.parametrize(
    ("option", "prompt", "advice"),
    [
        ("--ask-pass", "SSH password: ", "the name 'ssh', or let --ask-pass (-k)"),
        ("--ask-become-pass", "BECOME password: ", "the name 'become', or let --ask-become-pass (-K)"),
        ("--ask-vault-pass", "Vault password: ", "the name 'vault', or let --ask-vault-pass ask"),
        ("--vault-id dev@prompt", "Vault password (dev): ", "the name 'vault:dev', or let --ask-vault-pass=dev"),
    ],
)
def test_prompts_of_ansible_name_the_password(
    stages: Stages, private_data_dir: MakeDir, option: str, prompt: str, advice: str
) -> None:
    directory = private_data_dir({"site.yml": QUIET})
    write_env(directory)
    run = stages.run(directory, "-p", "site.yml", f"--cmdline={option}")
    assert_unanswered(run, prompt, advice)


@pytest.mark.parametrize("private", ["true", "false"])
def test_vars_prompt(stages: Stages, private_data_dir: MakeDir, private: str) -> None:
    directory = private_data_dir({"site.yml": VARS_PROMPT.format(private=private)})
    write_env(directory)
    assert_unanswered(stages.run(directory, "-p", "site.yml"), "Which word: ", "a regular expression that matches")
    write_env(directory, "'^Which word': four")
    run = stages.run(directory, "-p", "site.yml")
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert "heard 4 letters" in run.stdout
    # The worker's terminal echoes nothing, so the answer is nowhere, and the events' lines are those of the file.
    assert "four" not in json.dumps(run.events)
    assert displayed(run.events).encode() == (run.artifacts / "stdout").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        ("{prompt: Go on?}", "Go on?:"),
        ("{prompt: Go on?, echo: false}", "Go on? (output is hidden):"),
        ("{}", "Press enter to continue, Ctrl+C to interrupt:"),
    ],
)
def test_a_pause(stages: Stages, private_data_dir: MakeDir, arguments: str, prompt: str) -> None:
    directory = private_data_dir({"site.yml": PAUSE.format(arguments=arguments)})
    write_env(directory)
    assert_unanswered(stages.run(directory, "-p", "site.yml"), prompt, "set the seconds of the pause")
    write_env(directory, "'^(Go on|Press enter).*:\\s*?$': four")
    run = stages.run(directory, "-p", "site.yml")
    assert run.exit_statuses == (0, 0, 0), run.stdout + run.stderr
    assert "heard 4 letters" in run.stdout
    assert b"four" not in (run.artifacts / "stdout").read_bytes()


@pytest.mark.parametrize("arguments", ["{seconds: 4}", "{seconds: 4, prompt: Wait for it}"])
def test_a_pause_with_seconds_is_no_prompt(stages: Stages, private_data_dir: MakeDir, arguments: str) -> None:
    directory = private_data_dir({"site.yml": PAUSE.format(arguments=arguments)})
    write_env(directory)
    run = stages.run(directory, "-p", "site.yml")
    assert run.exit_statuses == (0, 0, 0), run.stderr


def test_silent_tasks_are_no_prompts(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({"site.yml": QUIET}, hosts=("node1", "node2"))
    write_env(directory)
    (directory / "env" / "envvars").write_text("ANSIBLE_CALLBACK_RESULT_FORMAT: yaml\n")
    run = stages.run(directory, "-p", "site.yml", "--forks", "1")
    assert run.exit_statuses == (0, 0, 0), run.stderr


@pytest.mark.parametrize(
    "text",
    [
        "so far",
        "50%\\r",
        "[====>     ] 50%",
        "Downloading a thing: ",
        "a line:\\n",
        "0 of 10 [==>   ]",
        "\\x1b[1mtask 1:\\x1b[0m",
    ],
)
def test_output_that_nobody_waits_behind_is_no_prompt(stages: Stages, private_data_dir: MakeDir, text: str) -> None:
    directory = private_data_dir({})
    write_env(directory)
    code = f"import sys, time; sys.stdout.write('{text}'); sys.stdout.flush(); time.sleep(2.5); print('done')"
    run = run_program(stages, directory, code)
    assert run.exit_statuses == (0, 0, 0), run.stderr


@pytest.mark.parametrize(
    "reading",
    [
        "sys.stdin.readline()",
        "open('/dev/tty').readline()",
        "select.select([0], [], [])",
        "os.fork() or (os.setsid(), sys.stdin.readline()); time.sleep(60)",
        "subprocess.run(['sh', '-c', 'read word < /dev/tty'])",
    ],
)
def test_whoever_reads(stages: Stages, private_data_dir: MakeDir, reading: str) -> None:
    directory = private_data_dir({})
    write_env(directory)
    code = f"import os, select, subprocess, sys, time; print(end='Password:', flush=True); {reading}"
    assert_unanswered(run_program(stages, directory, code), "Password:", "a regular expression that matches")


def test_an_answered_prompt_may_be_followed_by_silence(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({})
    write_env(directory, "'^Secret': xyzzy")
    code = (
        "import getpass, sys, time; word = getpass.getpass('Secret word: '); time.sleep(2.5); "
        "print(end='Secret:', flush=True); again = sys.stdin.readline().strip(); time.sleep(2.5); print(word == again)"
    )
    run = run_program(stages, directory, code)
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert "True" in run.stdout
    assert "xyzzy" not in run.stdout


def test_a_wrong_password_does_not_loop_for_ever(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({})
    write_env(directory, "'Password: ': xyzzy", timeout=0)
    code = "import getpass\nwhile True: getpass.getpass('Password: ')"
    run = run_program(stages, directory, code)
    assert run.exit_statuses == (0, 254, 254), run.stderr
    assert "'Password: ' was shown again after each of 10 answers" in run.stderr
    assert run.text("status") == "timeout"
    assert run.stdout.count("Password: ") == 11
    assert "xyzzy" not in run.stdout + run.stderr


def test_without_a_time_limit_a_prompt_waits(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({})
    write_env(directory, timeout=0)
    code = "import os, threading; threading.Timer(3, lambda: print('late') or os._exit(0)).start(); input('Password: ')"
    assert run_program(stages, directory, code).exit_statuses == (0, 0, 0)


def test_the_question_of_an_unknown_host(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({})
    write_env(directory)
    code = (
        "input('This key is not known by any other names.\\n"
        "Are you sure you want to continue connecting (yes/no/[fingerprint])? ')"
    )
    run = run_program(stages, directory, code)
    assert_unanswered(run, "Are you sure you want to continue connecting (yes/no/[fingerprint])? ", "known_hosts")


@pytest.mark.parametrize(
    ("output", "raw", "expected"),
    [
        (b"Password: ", False, "Password: "),
        (b"\x1b[?2004hPassword: \x1b[0m", False, "Password: "),
        (b"a\r\nProceed [y/N] ", False, "Proceed [y/N] "),
        (b">>> ", False, None),
        (b"prompt> ", False, "prompt> "),
        (b"Password: \r\n", False, None),
        (b"Password: \r", False, None),
        (b"", True, None),
        (b"ok: [node1]\r\n", True, None),
        (b"[Ask]\r\nGo on?:\r\n", False, None),
        (b"[Ask]\r\nGo on?:\r\n", True, "Go on?:"),
        (b"[Ask]\r\nseveral\r\nlines:\r\n", True, "lines:"),
        (b"Pausing for 4 seconds\r\n(ctrl+C then 'C' = continue early, ctrl+C then 'A' = abort)\r\r\n", True, None),
        (b"\xff\x00: ", False, None),
    ],
)
def test_what_looks_like_a_prompt(output: bytes, raw: bool, expected: str | None) -> None:
    tail = Tail()
    for byte in output:
        tail.add(bytes([byte]))
    prompt = tail.prompt(raw=raw)
    assert (prompt and prompt.text) == expected


def test_the_advice_for_a_passphrase() -> None:
    for text, advice in (
        ("Enter passphrase for key '/x': ", "'ssh_key'"),
        ("Bad passphrase, try again for /r/artifacts/7/ssh_key_data: ", "is wrong"),
        ("root@h's password: ", "'ssh'"),
        ("(root@h) Password: ", "'ssh'"),
        ("SUDO password: ", "'become'"),
    ):
        assert advice in explain_unanswered(Prompt(text), 5)
