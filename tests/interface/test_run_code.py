"""Return codes in words, and what Ansible really ends with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from playstream.interface.run_code import RunCode

ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


def test_the_values_are_ansibles() -> None:
    assert {name: int(code) for name, code in RunCode.__members__.items()} == {
        "RUN_OK": 0,
        "ERROR": 1,
        "FAILED_HOSTS": 2,
        "UNREACHABLE_HOSTS": 4,
        "FAILED_BREAK_PLAY": 8,
        "UNKNOWN_ERROR": 255,
    }


@pytest.mark.parametrize(
    ("rc", "shown"),
    [
        (0, "RUN_OK"),
        (1, "ERROR"),
        (2, "FAILED_HOSTS"),
        (4, "UNREACHABLE_HOSTS"),
        (8, "FAILED_BREAK_PLAY"),
        (3, "ERROR|FAILED_HOSTS"),
        (6, "FAILED_HOSTS|UNREACHABLE_HOSTS"),
        (15, "ERROR|FAILED_HOSTS|UNREACHABLE_HOSTS|FAILED_BREAK_PLAY"),
        (5, "ERROR"),
    ],
)
def test_numbers_that_are_flags(rc: int, shown: str) -> None:
    code = RunCode.of(rc)
    assert str(code) == f"{code}" == "|".join(code.names) == shown
    assert bool(code) == (rc != 0)


@pytest.mark.parametrize("rc", [None, -9, 16, 99, 127, 128 + 9, 128 + 15, 250, 254, 255, 256, 10**30])
def test_numbers_that_are_none(rc: int | None) -> None:
    code = RunCode.of(rc)
    assert code is RunCode.UNKNOWN_ERROR
    assert str(code) == "UNKNOWN_ERROR"
    assert code.names == ("UNKNOWN_ERROR",)


def test_a_combination_holds_its_flags() -> None:
    code = RunCode.of(6)
    assert RunCode.FAILED_HOSTS in code
    assert RunCode.UNREACHABLE_HOSTS in code
    assert RunCode.of(6) in code
    assert code == RunCode.FAILED_HOSTS | RunCode.UNREACHABLE_HOSTS
    assert RunCode.ERROR not in code
    assert RunCode.ERROR | RunCode.FAILED_HOSTS not in code


def test_all_well_is_part_of_nothing() -> None:
    assert RunCode.RUN_OK in RunCode.of(0)
    assert RunCode.RUN_OK not in RunCode.of(2)
    assert RunCode.FAILED_HOSTS not in RunCode.of(0)


def test_an_unknown_error_tells_nothing_of_hosts() -> None:
    assert RunCode.UNKNOWN_ERROR in RunCode.of(None)
    assert RunCode.FAILED_HOSTS not in RunCode.of(250)
    assert RunCode.UNKNOWN_ERROR not in RunCode.of(15)


def test_nothing_else_is_in_a_code() -> None:
    assert 2 not in RunCode.of(2)


def test_it_is_a_number_too() -> None:
    assert RunCode.of(6) == 6
    assert f"{RunCode.of(6):03d}" == "006"


@pytest.mark.parametrize(
    ("play", "expected"),
    [
        ("- {hosts: localhost, gather_facts: false, tasks: [{debug: {}}]}", RunCode.RUN_OK),
        ("- {hosts: localhost, gather_facts: false, tasks: [{fail: {}}]}", RunCode.FAILED_HOSTS),
        (
            "- {hosts: localhost, gather_facts: false, tasks: [{fail: {}}], max_fail_percentage: 0}",
            RunCode.FAILED_HOSTS,
        ),
        ("- {hosts: [", RunCode.UNREACHABLE_HOSTS),
        (None, RunCode.ERROR),
    ],
)
def test_what_ansible_ends_with(play: str | None, expected: RunCode, tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    if play is not None:
        path.write_text(play)
    done = subprocess.run([ANSIBLE_PLAYBOOK, path], capture_output=True, check=False, cwd=tmp_path, timeout=60)
    assert RunCode.of(done.returncode) is expected, done
