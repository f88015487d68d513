"""run, adhoc and playbook: jobs on this host, as processes, with what they show, leave and end with."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.processes import MODES_BIND, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages, read_events


def artifacts_of(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "artifacts").iterdir() if path.name != "latest")


def test_in_a_pipe_a_run_shows_plain_lines(stages: Stages, directory: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "-i", "first")
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode()
    assert "TASK [greet]" in shown
    assert "\x1b" not in shown
    assert "\r" not in shown
    artifacts = directory / "artifacts" / "first"
    assert [(artifacts / name).read_text() for name in ("status", "rc")] == ["successful", "0"]
    assert "\x1b[0;32m" in (artifacts / "stdout").read_text()
    assert artifacts_of(directory) == ["first"]
    assert stages.leftovers() == []


def test_quiet_and_logfile_before_the_subcommand(stages: Stages, directory: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = stages.call("-q", "--logfile", log, "run", directory, "-p", "site.yml", "--cmdline", "-e broken=1")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"playstream run: failed: node1 failed at task 'break': broken\n"
    assert ": failed" in log.read_text()


def test_json_is_pure(stages: Stages, directory: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "-j", "--debug", "-i", "x")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert events == read_events(directory / "artifacts" / "x")
    assert b"DEBUG playstream: in " in done.stderr


def test_colours_when_they_are_asked_for(stages: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_FORCE_COLOR", "1")
    done = stages.call("run", directory, "-p", "site.yml")
    assert b"\x1b[0;32mok: [node1]" in done.stdout


def test_a_role_and_its_variables(stages: Stages, directory: Path) -> None:
    (directory / "artifacts" / "old").mkdir(parents=True)
    (directory / "artifacts" / "old" / "status").write_text("successful")
    done = stages.call(
        "run",
        directory,
        "--role",
        "greet",
        "--role-vars",
        "who='a b' n=2",
        "--hosts",
        "node1",
        "--role-skip-facts",
        "--rotate-artifacts",
        "1",
        "-i",
        "r",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"a b 3" in done.stdout
    assert artifacts_of(directory) == ["r"]
    assert b"Gathering Facts" not in done.stdout


def test_a_module_needs_no_project(stages: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "project" / "site.yml").unlink()
    (directory / "project").rmdir()
    monkeypatch.setenv("RUNNER_MODULE", "ping")
    done = stages.call("run", directory, "--hosts", "node1")
    assert done.returncode == 0, done.stderr
    assert b'"ping": "pong"' in done.stdout


@pytest.mark.parametrize(
    ("words", "exit_status", "expected"),
    [
        (("run", "DIR"), 1, "expected something to run, got nothing"),
        (("run", "DIR/nowhere", "-p", "site.yml"), 1, "playstream run: the private data directory"),
        (("start", "DIR/nowhere", "-p", "site.yml"), 1, "playstream start: the private data directory"),
        (("start", "DIR", "-p", "nope.yml"), 1, "playstream start: playbook 'nope.yml' was not found"),
        (("run", "DIR", "-p", "site.yml", "--hosts", "x"), 1, "--hosts applies to a module or role"),
        (("run", "DIR", "-p", "site.yml", "-i", "a/b"), 1, "is not a valid directory name"),
        (("run", "DIR", "-p", "site.yml", "--rotate-artifacts", "-1"), 1, "--rotate-artifacts: expected 0 or more"),
        (("run", "DIR", "-p", "site.yml", "--logfile", "DIR/no/log"), 1, "cannot be written"),
        (("run", "DIR", "-p", "site.yml", "-b", "no-such-program"), 127, "no-such-program was not found on this host"),
        (("run", "DIR", "-p", "site.yml", "--process-isolation"), 1, "requires an image"),
        (("run", "DIR", "-p", "site.yml", "-vvvvvvvv"), 1, "-v: expected 0 to 7"),
        (("stop", "DIR"), 1, "no active run in"),
        (("is-alive", "DIR"), 1, ""),
        (("adhoc", "all"), 1, "expected a module"),
        (("adhoc", "all", "-m", "ping", "-e", "@DIR/none"), 1, "--extra-vars: 'DIR/none' cannot be read"),
        (("adhoc", "all", "-m", "ping", "-i", "DIR/none"), 1, "inventory 'DIR/none' was not found"),
        (("playbook", "DIR/none.yml"), 1, "was not found in"),
    ],
)
def test_bad_input_is_one_clear_error(
    stages: Stages, directory: Path, words: tuple[str, ...], exit_status: int, expected: str
) -> None:
    done = stages.call(*(word.replace("DIR", str(directory)) for word in words))
    assert done.returncode == exit_status, done.stderr
    assert expected.replace("DIR", str(directory)) in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert not (directory / "artifacts").exists()
    assert stages.leftovers() == []


@pytest.mark.parametrize(
    ("closed", "words", "named"),
    [
        (".", (), "the private data directory '{}'"),
        ("..", (), "the private data directory '{}'"),
        ("project", (), "playbook '{}/project/site.yml'"),
        ("inventory", ("--inventory", "hosts"), "inventory '{}/inventory/hosts'"),
        ("inventory", (), "inventory '{}/inventory'"),
        ("inventory", ("--inventory", "inventory"), "inventory '{}/inventory'"),
        ("inventory/hosts", ("--inventory", "hosts"), "inventory '{}/inventory/hosts'"),
    ],
)
def test_what_is_closed_to_the_user_is_not_said_to_be_missing(
    stages: Stages, private_data_dir: MakeDir, closed: str, words: tuple[str, ...], named: str
) -> None:
    demo = private_data_dir({"site.yml": "[]\n"}, name="above/demo")
    directory = (demo / closed).resolve()
    directory.chmod(0)
    run = stages.start("run", demo, "-p", "site.yml", *words, prefix=MODES_BIND)
    stdout, stderr = run.communicate(timeout=LIMIT_SECONDS)
    directory.chmod(0o700)
    assert (run.returncode, stdout) == (1, b"")
    assert f"{named.format(demo)} cannot be read by this user: check" in stderr.decode()
    assert not (demo / "artifacts").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_the_run(fakes: Stages, hanging: Path, number: signal.Signals) -> None:
    process = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    process.send_signal(number)
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 254
    assert stderr.decode() == f"playstream run: canceled by {number.name}\n"
    assert (hanging / "artifacts" / "x" / "status").read_text() == "canceled"
    assert artifacts_of(hanging) == ["x"]
    assert marked_processes(fakes.temporary) == []
    assert fakes.leftovers() == []


def test_a_time_limit_says_which(fakes: Stages, hanging: Path) -> None:
    (hanging / "env").mkdir()
    (hanging / "env" / "settings").write_text("idle_timeout: 0.5\n")
    done = fakes.call("run", hanging, "-p", "hang.yml", "-q")
    assert (done.returncode, done.stdout) == (254, b"")
    assert len(done.stderr.splitlines()) == 1
    assert b"playstream run: timeout: " in done.stderr
    assert b"idle_timeout" in done.stderr


def test_ansible_that_is_killed(fakes: Stages, directory: Path) -> None:
    (directory / "project" / "kill-itself.yml").write_text("[]\n")
    assert fakes.call("run", directory, "-p", "kill-itself.yml").returncode == 128 + signal.SIGKILL


def test_nobody_has_to_read_the_output(fakes: Stages, directory: Path) -> None:
    (directory / "project" / "flood.yml").write_text("[]\n")
    process = fakes.start("run", directory, "-p", "flood.yml", "-i", "x")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stderr) == (0, b"")
    assert (directory / "artifacts" / "x" / "stdout").stat().st_size > 1 << 22


def test_nobody_has_to_read_the_errors(fakes: Stages, hanging: Path) -> None:
    process = fakes.start(
        "run", hanging, "-p", "hang.yml", "-i", "x", stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    process.stdout.close()
    process.terminate()
    assert process.wait(LIMIT_SECONDS) == 254


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(fakes: Stages, directory: Path, closed: str) -> None:
    (directory / "project" / "quiet.yml").write_text("[]\n")
    words = ["sh", "-c", f'exec "$@" {closed}', "sh", *PLAYSTREAM, "run", str(directory), "-p", "quiet.yml", "-i", "x"]
    done = subprocess.run(words, env=fakes.env, check=False, timeout=LIMIT_SECONDS, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (directory / "artifacts" / "x" / "status").read_text() == "successful"


def test_adhoc_needs_no_directory(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vars.yml").write_text("who: file\nansible_connection: local\n")
    done = stages.call(
        "adhoc",
        "all",
        "-i",
        "node1,",
        "-m",
        "debug",
        "-a",
        "msg='{{ who }} {{ n }}'",
        "-e",
        "@vars.yml",
        "-e",
        "who='not file' n=01",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"not file 01" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tmp", "vars.yml"]
    assert stages.leftovers() == []


def test_a_playbook_needs_no_directory(stages: Stages, directory: Path, tmp_path: Path) -> None:
    done = stages.call(
        "playbook",
        directory / "project" / "site.yml",
        "-i",
        directory / "inventory",
        "-e",
        '{"broken": true}',
        "--artifact-dir",
        tmp_path / "kept",
        "--ident",
        "x",
        "--check",
        "-D",
    )
    assert done.returncode == 2
    assert b"hello node1" in done.stdout
    assert (tmp_path / "kept" / "x" / "status").read_text() == "failed"
    command = json.loads((tmp_path / "kept" / "x" / "command").read_text())["command"]
    assert {"--check", "--diff"} <= set(command)
    assert not (directory / "artifacts").exists()


def test_runs_beside_each_other(fakes: Stages, hanging: Path) -> None:
    first = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x")
    wait_until((hanging / "artifacts" / ".running" / "@x").exists)
    again = fakes.call("run", hanging, "-p", "hang.yml", "-i", "x")
    assert (again.returncode, again.stdout) == (1, b"")
    assert b"run 'x' is already active: choose another --ident or stop it first" in again.stderr
    first.terminate()
    first.communicate(timeout=LIMIT_SECONDS)
    assert (hanging / "artifacts" / "x" / "status").read_text() == "canceled"


def test_the_last_line_names_the_artifacts(fakes: Stages, directory: Path, tmp_path: Path) -> None:
    """Without an ident: with one, the user knows; `-q` and `-j` ask for nothing but what they name."""
    (directory / "project" / "quiet.yml").write_text("[]\n")
    words = ("run", directory, "-p", "quiet.yml")
    inside: list[str | Path] = ["--artifact-dir", directory / "else where"]
    for more, here in (([], directory.parent), (inside, directory.parent), (inside, directory / "project")):
        said = fakes.call(*words, *more, cwd=here).stderr.decode().splitlines()
        place = shlex.split(said[-1].removeprefix("playstream run: artifacts: "))[0]
        assert Path(place).is_absolute() is (here != directory.parent)
        assert (here / place / "status").read_text() == "successful"
    for flags in (["-q"], ["-j"], ["-i", "x"]):
        assert b"artifacts" not in fakes.call(*words, *flags).stderr
    file = directory / "project" / "quiet.yml"
    assert b"artifacts" not in fakes.call("playbook", file).stderr
    kept = fakes.call("playbook", file, "--artifact-dir", tmp_path / "kept", cwd=tmp_path).stderr.decode()
    assert kept.startswith("playstream playbook: artifacts: kept/")
