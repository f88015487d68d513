"""Mistakes of which the right word can be told, on every command that takes a directory."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.stages import Stages

JOBS = ("run", "start", "transmit")


@pytest.fixture
def place(tmp_path: Path, private_data_dir: MakeDir) -> Path:
    """A directory with the private data directory `demo`."""
    demo = private_data_dir({"hello.yml": "- {hosts: all, gather_facts: false}\n", "site.yaml": "[]\n"})
    (demo / "project" / "sub").mkdir()
    (demo / "project" / "sub" / "deep.yml").write_text("[]\n")
    return tmp_path


def said(stages: Stages, place: Path, line: str, exit_status: int) -> str:
    done = stages.call(*shlex.split(line), cwd=place)
    assert (done.returncode, done.stdout) == (exit_status, b""), done.stderr
    assert not (place / "demo" / "artifacts").exists()
    return done.stderr.decode().splitlines()[-1]


@pytest.mark.parametrize("command", JOBS)
@pytest.mark.parametrize(
    ("playbook", "guess"),
    [
        ("demo/project/hello.yml", "hello.yml"),
        ("project/sub/deep.yml", "sub/deep.yml"),
        ("./demo/project/site.yaml", "site.yaml"),
        ("helo.yml", "hello.yml"),
        ("site.yml", "site.yaml"),
        ("hello", "hello.yml"),
    ],
)
def test_a_playbook_with_another_name(stages: Stages, place: Path, command: str, playbook: str, guess: str) -> None:
    shown = said(stages, place, f"{command} demo -p {playbook}", 1)
    assert f"playbook {playbook!r} was not found in" in shown
    assert shown.endswith(f"; did you mean {guess!r}?")


def test_a_playbook_like_none(stages: Stages, place: Path) -> None:
    assert said(stages, place, "run demo -p 7", 1).endswith("; available: hello.yml, site.yaml")
    assert said(stages, place, "playbook demo/project/helo.yml", 1).endswith("; did you mean 'hello.yml'?")


@pytest.mark.parametrize("command", JOBS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("demo hello.yml", "unrecognized arguments: hello.yml; did you mean -p hello.yml?"),
        ("demo demo/project/hello.yml", "did you mean -p hello.yml?"),
        ("demo nope.yaml --check", "did you mean -p nope.yaml?"),
        ("demo ping", "unrecognized arguments: ping; say what to run with -p FILE, -m NAME or -r NAME"),
        ("demo -p hello.yml site.yaml", "unrecognized arguments: site.yaml; -p takes one playbook"),
        ("demo -m ping other", "unrecognized arguments: other"),
    ],
)
def test_what_to_run_without_its_flag(stages: Stages, place: Path, command: str, words: str, expected: str) -> None:
    assert said(stages, place, f"{command} {words}", 2).endswith(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stop demo nightly", "unrecognized arguments: nightly; did you mean -i nightly?"),
        ("is-alive demo nightly", "did you mean -i nightly?"),
        ("process demo again", "did you mean -i again?"),
        ("stop demo -i a b", "unrecognized arguments: b"),
        ("adhoc localhost uname", "did you mean -m uname (a module) or -a uname (a command)?"),
        ("adhoc localhost ls /tmp", "did you mean -a 'ls /tmp'?"),
        ("adhoc localhost uname -r", "did you mean -a 'uname -r'?"),
        ("adhoc localhost -m ping data=x", "did you mean -a data=x?"),
        ("adhoc localhost -a ls /tmp", "put quotes around the arguments of -a"),
    ],
)
def test_a_word_without_its_flag(stages: Stages, place: Path, line: str, expected: str) -> None:
    assert said(stages, place, line, 2).endswith(expected)


@pytest.mark.parametrize("command", [*JOBS, "process"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("demo/project/hello.yml", "'demo/project/hello.yml' is a file, and COMMAND expects a private data directory"),
        ("nope.yml", "'nope.yml' does not exist, and COMMAND expects a private data directory"),
    ],
)
def test_a_playbook_as_the_directory(stages: Stages, place: Path, command: str, path: str, expected: str) -> None:
    shown = said(stages, place, f"{command} {path}", 1)
    assert expected.replace("COMMAND", command) in shown
    assert shown.endswith(f"To run a playbook without one: playstream playbook {path}")


def test_a_directory_as_a_playbook(stages: Stages, place: Path) -> None:
    for line in ("playbook demo", "playbook demo/project/hello.yml demo"):
        assert said(stages, place, line, 1) == (
            "playstream playbook: 'demo' is a directory, and playbook expects a file. To run a playbook of a private "
            "data directory: playstream run demo -p FILE"
        )


def test_a_playbook_in_another_directory_than_the_first(stages: Stages, place: Path) -> None:
    shown = said(stages, place, "playbook demo/project/hello.yml demo/project/sub/depe.yml", 1)
    assert shown == (
        f"playstream playbook: playbook 'depe.yml' was not found in '{place}/demo/project/sub'; available: deep.yml; "
        "did you mean 'deep.yml'?"
    )


@pytest.mark.parametrize("command", ["stop", "is-alive"])
def test_a_playbook_as_the_directory_of_a_run(stages: Stages, place: Path, command: str) -> None:
    assert "Runs of playstream playbook have none" in said(stages, place, f"{command} demo/project/hello.yml", 1)


@pytest.mark.parametrize("command", JOBS)
def test_near_misses_in_env_are_told_once(stages: Stages, place: Path, command: str) -> None:
    env = place / "demo" / "env"
    env.mkdir()
    (env / "settings").write_text("job_timout: 5\nrunner_http_url: x\n")
    (env / "passwords").write_text("becom: x\n'Enter the pin:': y\n")
    (env / "envars").write_text("")
    done = stages.call(command, "demo", "-p", "hello.yml", cwd=place)
    assert done.returncode == 0
    shown = done.stderr.decode()
    for word, guess in (("job_timout", "job_timeout"), ("becom", "become"), ("envars", "envvars")):
        (line,) = [line for line in shown.splitlines() if f"{word}'" in line]
        assert line.startswith(f"playstream {command}: warning: ")
        assert line.endswith(f"did you mean {guess!r}?")
    assert shown.count("warning: ") == 3
    assert b"warning" not in stages.call(command, "demo", "-p", "hello.yml", "-q", cwd=place).stderr
