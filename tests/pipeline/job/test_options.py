"""The table of the options that Ansible has too: each row agrees with the types, the Job and Ansible's own help."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from playstream.cli.flags import OTHER_NAMES, PASSED_ON, flags_of
from playstream.pipeline.job.options import ANSIBLE_OPTIONS, AnsibleOption, JobOptions
from playstream.pipeline.protocol import Job
from tests.stages import LIMIT_SECONDS


@pytest.fixture(scope="module")
def flags() -> dict[str, set[str]]:
    """The flags of Ansible's two programs."""
    found = {}
    for program in ("ansible", "ansible-playbook"):
        path = Path(sys.executable).parent / program
        shown = subprocess.run([path, "--help"], capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS)
        lines = re.findall(r"^  (-.*?)(?:  |$)", shown.stdout, re.MULTILINE)
        found[program] = {name for line in lines for name in re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", line)}
    return found


@pytest.mark.parametrize("option", ANSIBLE_OPTIONS, ids=lambda option: option.name)
def test_a_row_agrees_with_the_rest(option: AnsibleOption, flags: dict[str, set[str]]) -> None:
    hint = str(JobOptions.__annotations__[option.name])
    assert ("int" in hint, "Sequence" in hint) == (option.is_number, option.is_list)
    (field,) = [item for item in fields(Job) if item.name == option.name]
    assert ("'bool'" in hint) is option.is_switch
    kind = "bool" if option.is_switch else "int | None" if option.is_number else "str | None"
    assert (field.type, field.default) == (kind, False if option.is_switch else None)
    assert {option.flag, option.short or option.flag} <= flags["ansible-playbook"]
    assert (option.flag in flags["ansible"]) is option.for_module


def test_a_value_that_begins_with_a_dash() -> None:
    limit = next(option for option in ANSIBLE_OPTIONS if option.name == "limit")
    assert (limit.words("-x"), limit.words("x -y"), limit.words(None)) == (["--limit=-x"], ["--limit", "x -y"], [])


def test_a_switch_is_a_word_or_none() -> None:
    check = next(option for option in ANSIBLE_OPTIONS if option.name == "check")
    assert (check.words(True), check.words(False), check.words(None)) == (["--check"], [], [])


def test_all_other_flags_of_ansible_are_known(flags: dict[str, set[str]]) -> None:
    """A hint tells their names here, or that they can be passed on."""
    ours = {name for command in ("adhoc", "playbook") for item in flags_of(command) for name in item.names}
    keyboards = {"-k", "-K", "-J", "--ask-pass", "--ask-become-pass", "--ask-vault-pass", "--ask-vault-password"}
    known = ours | set(OTHER_NAMES) | PASSED_ON | keyboards | {"-h", "--help", "--version"}
    assert flags["ansible"] | flags["ansible-playbook"] <= known
    assert not PASSED_ON & ours
