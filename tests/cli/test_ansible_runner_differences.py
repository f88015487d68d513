"""Where `playstream` differs from ansible-runner's command line on purpose: both run. docs/migrating.md says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.side_by_side import Side, both, call_both

Env = dict[str, str]
SITE = "run demo -p site.yml"

DIFFERENT: tuple[tuple[str, Env, int, int], ...] = (
    (SITE + " --inventory a,b", {}, 1, 0),
    (SITE + " --inventory inventory/hosts", {}, 1, 0),
    ("-p site.yml run demo", {}, 2, 0),
    ("run demo -m ping --hosts localhost", {"RUNNER_PLAYBOOK": "site.yml"}, 1, 0),
    ("transmit demo -p nope.yml", {}, 0, 1),
    (SITE + " -i a/b", {}, 0, 1),
    ("transmit demo -p site.yml --process-isolation", {}, 2, 1),
    ("worker", {}, 0, 75),
    ("process demo", {}, 0, 75),
)
"""A command line, more of the environment, ansible-runner's exit status, ours."""


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Side, Side]:
    return both(tmp_path)


@pytest.mark.parametrize(("line", "env", "before", "after"), DIFFERENT)
def test_what_differs_on_purpose(sides: tuple[Side, Side], line: str, env: Env, before: int, after: int) -> None:
    theirs, ours = call_both(sides, line, **env)
    assert (theirs.exit_status, ours.exit_status) == (before, after), ours.stderr
    assert (ours.started is not None) == (after == 0)


def test_flags_before_the_command_are_honoured(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, "-q -vv -i 7 run demo -p site.yml")
    assert theirs.started is not None
    assert ours.started is not None
    assert ("v" in theirs.started, ours.started["v"]) == (False, 2)
    assert not (theirs.home / "demo" / "artifacts" / "7").exists()
    assert (ours.home / "demo" / "artifacts" / "7" / "status").read_text() == "successful"


def test_a_program_in_ansibles_place_is_told_what_to_run(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, SITE + " -b HERE/fakes/ansible-playbook")
    assert theirs.started is not None
    assert ours.started is not None
    assert (theirs.started["rest"], ours.started["rest"]) == ([], ["site.yml"])


def test_a_module_without_hosts_runs_on_all(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, "run demo -m ping")
    assert theirs.started is not None
    assert ours.started is not None
    assert (theirs.started["rest"], ours.started["rest"]) == ([], ["all"])


def test_nothing_but_artifacts_is_written(sides: tuple[Side, Side]) -> None:
    """ansible-runner writes env/cmdline, which a second run without --cmdline reads."""
    for side in sides:
        side.call(SITE + " --cmdline=--check")
    theirs, ours = call_both(sides, SITE)
    assert theirs.started is not None
    assert ours.started is not None
    assert ("check" in theirs.started, "check" in ours.started) == (True, False)
    assert {path.name for path in (ours.home / "demo").iterdir()} == {"artifacts", "inventory", "project"}


def test_a_modules_directory_is_the_project(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, "run demo -m ping --hosts localhost")
    assert theirs.started is not None
    assert ours.started is not None
    assert (theirs.started["cwd"], ours.started["cwd"]) == ("HERE/demo", "HERE/demo/project")


def test_a_killed_ansible_is_a_failure(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, f"{SITE} -i 7", EXIT_STATUS="-9")
    assert (theirs.exit_status, ours.exit_status) == (0, 128 + 9)
    assert [(outcome.home / "demo/artifacts/7/rc").read_text() for outcome in (theirs, ours)] == ["None", "137"]


def test_no_secret_is_kept(sides: tuple[Side, Side]) -> None:
    for side in sides:
        (side.home / "demo" / "env").mkdir()
        (side.home / "demo" / "env" / "envvars").write_text("API_TOKEN: hidden-word\n")
    texts = [(outcome.home / "demo/artifacts/7/command").read_text() for outcome in call_both(sides, f"{SITE} -i 7")]
    assert ["hidden-word" in text for text in texts] == [True, False]
    assert "API_TOKEN" in json.loads(texts[1])["env"]


def test_json_is_nothing_but_json_and_has_no_colours_in_a_pipe(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, f"{SITE} -v", real=True)
    assert ("\x1b" in theirs.stdout, "\x1b" in ours.stdout) == (True, False)
    theirs, ours = call_both(sides, f"{SITE} -v -j", real=True)
    assert not all(line.startswith("{") for line in theirs.stdout.splitlines())
    assert [json.loads(line)["counter"] for line in ours.stdout.splitlines()]


def test_log_records_go_to_standard_error(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, f"{SITE} -q --debug")
    assert [bool(text) for text in (theirs.stdout, theirs.stderr, ours.stdout, ours.stderr)] == [
        True,
        False,
        False,
        True,
    ]


def test_what_cannot_start_says_so_in_the_foreground(sides: tuple[Side, Side]) -> None:
    theirs, ours = call_both(sides, "start demo -p nope.yml -q")
    assert (theirs.exit_status, ours.exit_status) == (0, 1)
    assert "nope.yml" in ours.stderr
    assert {path.name for path in (ours.home / "demo").iterdir()} == {"inventory", "project"}
