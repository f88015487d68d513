"""Messages and help tell what is wrong and what can be done from a command line."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from playstream.cli.main import COMMANDS
from tests.conftest import MakeDir
from tests.processes import MODES_BIND
from tests.stages import LIMIT_SECONDS, Stages

UNREAD = b'{"status": "error", "job_explanation": "Failed to JSON parse a line from transmit stream."}\n{"eof": true}\n'
"""What ansible-runner's worker answers to a stream that it cannot read."""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run DIR -p site.yml --project-dir nope", "the project directory 'nope' does not exist: expected an absolute"),
        ("run DIR -m ping --project-dir nope", "the project directory 'nope' does not exist"),
        ("start DIR -p site.yml --project-dir nope", "the project directory 'nope' does not exist"),
        ("transmit DIR -p site.yml --project-dir nope", "the project directory 'nope' does not exist"),
        ("run DIR -p site.yml --project-dir inventory/hosts", "the project directory 'inventory/hosts' is not a dir"),
        ("playbook DIR/nope/site.yml", "playbook 'DIR/nope/site.yml' was not found in 'DIR/nope', which is not a dir"),
        ("stop DIR/nope", "the private data directory 'DIR/nope' does not exist"),
        ("stop DIR/nope -i x", "the private data directory 'DIR/nope' does not exist"),
        ("is-alive DIR/nope", "the private data directory 'DIR/nope' does not exist"),
        ("stop DIR/project/site.yml", "'DIR/project/site.yml' is not a directory: expected the private data directory"),
        ("is-alive DIR/project/site.yml", "'DIR/project/site.yml' is not a directory"),
    ],
)
def test_a_directory_that_does_not_exist_is_named(stages: Stages, directory: Path, line: str, expected: str) -> None:
    words = line.replace("DIR", str(directory)).split()
    done = stages.call(*words)
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert said.startswith(f"playstream {words[0]}: {expected.replace('DIR', str(directory))}")
    assert len(said.splitlines()) == 1
    assert "site.yml" not in said or "site.yml" in expected


def test_is_alive_without_a_directory_can_be_quiet(stages: Stages, directory: Path) -> None:
    done = stages.call("is-alive", directory / "nope", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize(
    ("line", "mode", "expected"),
    [
        ("run DIR -p nope.yml", 0o100, "playbook 'nope.yml' was not found in 'DIR/project', which cannot be listed by"),
        ("transmit DIR -p nope.yml", 0o100, "playbook 'nope.yml' was not found in 'DIR/project', which cannot be lis"),
        ("run DIR -p site.yml", 0, "playbook 'DIR/project/site.yml' cannot be read by this user: check the owner and"),
        ("run DIR -p site.yml --project-dir project", 0, "playbook 'DIR/project/site.yml' cannot be read by this user"),
        ("transmit DIR -p site.yml", 0, "playbook 'DIR/project/site.yml' cannot be read by this user"),
        ("transmit DIR -m ping", 0, "cannot read 'project' in DIR: Permission denied"),
    ],
)
def test_a_project_that_this_user_cannot_read(
    stages: Stages, directory: Path, line: str, mode: int, expected: str
) -> None:
    (directory / "project").chmod(mode)
    running = stages.start(*line.replace("DIR", str(directory)).split(), prefix=MODES_BIND)
    _, stderr = running.communicate(timeout=LIMIT_SECONDS)
    (directory / "project").chmod(0o700)
    said = stderr.decode()
    assert running.returncode == 1, said
    assert expected.replace("DIR", str(directory)) in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("mode", [0o500, 0])
@pytest.mark.parametrize("line", ["run DIR -m ping -i x", "process DIR -i x"])
def test_a_permission_is_not_said_to_be_a_lack_of_space(stages: Stages, directory: Path, line: str, mode: int) -> None:
    (directory / "artifacts").mkdir(mode)
    running = stages.start(*line.replace("DIR", str(directory)).split(), prefix=MODES_BIND)
    _, stderr = running.communicate(b"", timeout=LIMIT_SECONDS)
    said = stderr.decode()
    (directory / "artifacts").chmod(0o700)
    assert running.returncode == 71, said
    assert f"cannot be written to '{directory}/artifacts/x': Permission denied. Check its owner and mode" in said
    assert "Free space" not in said


@pytest.mark.parametrize("command", ["stop", "is-alive", "process"])
def test_the_help_of_a_commands_ident_is_its_own(stages: Stages, command: str) -> None:
    shown = stages.call(command, "--help").stdout.decode()
    assert "--ident IDENT" in shown
    assert "a new UUID" not in shown
    assert "a new UUID" in stages.call("run", "--help").stdout.decode()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_can_be_shown_in_any_encoding(stages: Stages, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    words = [*command.split(), "--help"]
    monkeypatch.setenv("COLUMNS", "80")
    whole = stages.call(*words).stdout.decode()
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = stages.call(*words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("ascii") == whole.replace("…", "...")


def test_messages_can_be_shown_in_any_encoding(
    stages: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = stages.call("run", directory, "-p", "é…☃.yml")
    assert done.returncode == 1
    assert b"playbook '\xe9...\\u2603.yml' was not found" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_stream_of_the_wrong_stage_is_explained_first(stages: Stages, tmp_path: Path) -> None:
    job = stages.transmit(tmp_path, "-m", "ping")
    done = stages.call("process", tmp_path, stdin=job)
    assert done.stderr.startswith(b"playstream process: error: expected results, got a job: this is the output of")
    assert b"Status" not in done.stderr.partition(b"run `playstream worker` in between")[0]


def test_a_worker_of_ansible_runner_that_cannot_read_the_job(stages: Stages, tmp_path: Path) -> None:
    done = stages.call("process", tmp_path, stdin=UNREAD)
    assert done.returncode != 0
    assert b"add --dialect runner to playstream transmit" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        ("-i localhost,", True),
        ("-i hosts", True),
        ("-i inventory", True),
        ("-i here.ini", True),
        ("-i nightly", False),
        ("-i artifacts", False),
        ("-i nightly --inventory hosts", False),
        ("-q -i localhost,", False),
    ],
)
@pytest.mark.parametrize("command", ["run", "transmit"])
def test_an_inventory_as_the_name_of_a_run_is_warned_of(
    fakes: Stages, private_data_dir: MakeDir, tmp_path: Path, command: str, words: str, warned: bool
) -> None:
    demo = private_data_dir({"quiet.yml": "[]\n"})
    (tmp_path / "here.ini").write_text("localhost\n")
    (tmp_path / "nightly").mkdir()
    done = fakes.call(command, demo, "-p", "quiet.yml", *shlex.split(words), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    given = words.rsplit(maxsplit=1)[-1]
    expected = (
        f"playstream {command}: warning: -i {given!r} is the name of the run and not an inventory. To choose hosts, "
        f"pass --inventory {given}\n"
    )
    assert done.stderr.decode() == (expected if warned else "")


def test_a_path_of_an_inventory_as_the_name_of_a_run(stages: Stages, directory: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "-i", "inventory/hosts")
    assert done.returncode == 1
    said = done.stderr.decode().splitlines()
    assert said[0].endswith("To choose hosts, pass --inventory inventory/hosts")
    assert "is not a valid directory name" in said[1]
    assert not os.path.exists(directory / "artifacts")


def test_the_help_of_run_tells_a_name_from_an_inventory(stages: Stages) -> None:
    shown = " ".join(stages.call("run", "--help").stdout.decode().split())
    assert "name of the run, and not an inventory: see --inventory" in shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run DIR -p site.yml --forks 0", "--forks: expected an integer of 1 or more"),
        ("run DIR -p site.yml -vvvvvvvv", "-v: expected 0 to 7, got 8"),
        ('run DIR -p site.yml --cmdline "\'a"', "--cmdline: "),
        ("run DIR -r nope", "Move it there, or set --roles-path to its directory"),
        ("run DIR -m ping --container-image x --container-option=-d", "--container-option: '-d' cannot be used"),
        ("run DIR -m ping --container-image x --container-option=a", "Set the image with --container-image; write"),
        (
            "run DIR -m ping --container-image x --container-volume-mount a",
            "--container-volume-mount: expected HOST_PATH",
        ),
        (
            "run DIR -m ping --process-isolation-path /x",
            "--process-isolation-path only applies to an isolated job, and",
        ),
        ("run DIR -m ping --process-isolation-path /x", "Enable it with --process-isolation or --container-image, or"),
        ("adhoc all -m ping --process-isolation", "or set --process-isolation-executable to bwrap"),
        (
            "transmit DIR -m ping --process-isolation-executable x --process-isolation",
            "--process-isolation-executable: e",
        ),
        (
            "run DIR -m ping --directory-isolation-base-path DIR/project",
            "--directory-isolation-base-path 'DIR/project' is",
        ),
        ("run DIR -m ping --logfile DIR/nope/log", "--logfile: 'DIR/nope/log' cannot be written"),
        ("transmit DIR -m ping --hold --dialect runner", "--hold: ansible-runner's protocol cannot cancel"),
        ("transmit DIR -m ping --encrypt-to x", "--encrypt-to: expected age1"),
        ("process DIR --identity nope", "--identity: nope cannot be read: No such file or directory"),
        ("process DIR --max-tree-bytes 0", "--max-tree-bytes: expected an integer of 1 or more"),
        ("worker --max-record-bytes 0", "--max-record-bytes: expected an integer of 1 or more"),
        ("worker --max-job-seconds x", "--max-job-seconds: expected a number, got 'x'"),
    ],
)
def test_a_flag_is_called_by_its_name(stages: Stages, directory: Path, line: str, expected: str) -> None:
    done = stages.call(*shlex.split(line.replace("DIR", str(directory))))
    assert done.returncode in {1, 2, 71}
    said = done.stderr.decode()
    assert expected.replace("DIR", str(directory)) in said
    assert "settings:" not in said


def test_a_key_of_a_file_is_called_by_its_name(stages: Stages, directory: Path) -> None:
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text("process_isolation: true\nprocess_isolation_executable: nope\n")
    said = stages.call("run", directory, "-m", "ping").stderr.decode()
    assert "env/settings: process_isolation_executable: expected podman, docker or bwrap, or the path" in said


def test_an_unanswered_prompt_names_what_a_command_line_can_do(stages: Stages, directory: Path) -> None:
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text("pexpect_timeout: 1\n")
    done = stages.call("run", directory, "-m", "ping", "--cmdline", "--ask-become-pass")
    assert done.returncode == 254
    assert (
        b"add the password to env/passwords, under the name 'become', or let --ask-become-pass (-K) ask" in done.stderr
    )
    assert b"passwords=" not in done.stderr
