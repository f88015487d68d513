"""Secrets that playstream knows are handed to an Ansible that masks them: ansible-core 2.22 and later."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from playstream.pipeline.protocol import Job, Log, Record
from playstream.worker.events import EventSource
from playstream.worker.known_secrets import FIRST_WITH_MASKS, find_secrets, is_secret_name, masks
from playstream.worker.paths import Paths
from tests.conftest import MakeDir
from tests.stages import Stages, read_events

PASSWORDS = {"become": "Xbecome4711", "vault": "Xvault4711", "vault:lab": "Xlab4711"}
ENVVARS = {"LAB_API_KEY": "Xkey4711", "LAB_WORD": "open1"}
EXTRAVARS = {"lab": {"db_password": 'Xdb"4711'}, "word": "open2"}
SECRETS = [*PASSWORDS.values(), "Xkey4711", 'Xdb"4711']


def test_known_secrets_are_masked_everywhere(stages: Stages, private_data_dir: MakeDir) -> None:
    """An older ansible-core shows them: what a task prints is the playbook's to keep."""
    directory = private_data_dir(
        {
            "site.yml": "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: cat words\n"
            "      args: {chdir: '{{ playbook_dir }}'}\n",
            "words": "\n".join([*SECRETS, "open1", "open2", "end"]),
        }
    )
    (directory / "env").mkdir()
    for name, values in (("passwords", PASSWORDS), ("envvars", ENVVARS), ("extravars", EXTRAVARS)):
        (directory / "env" / name).write_text(json.dumps(values))
    run = stages.run(directory, "-p", "site.yml", "-v")
    assert run.exit_statuses == (0, 0, 0), run.stderr
    kept = (directory / "artifacts" / "stdout").read_text()
    ok = next(event for event in read_events(directory / "artifacts") if event["event"] == "runner_on_ok")
    lines = ok["event_data"]["res"]["stdout_lines"]
    able = masks(version("ansible-core"))
    assert lines == [*(["$REDACTED$"] * len(SECRETS) if able else SECRETS), "open1", "open2", "end"]
    for text in (run.stdout, kept, ok["stdout"]):
        assert ("$REDACTED$" in text) is able
        assert "open1" in text
        assert able is not any(secret in text for secret in SECRETS[:-1])
    assert stages.leftovers() == []


@pytest.mark.parametrize(
    ("given", "able"),
    [
        ("2.22.0rc1", True),
        ("2.22.0", True),
        ("3.0", True),
        ("2.21.5", False),
        ("2.9", False),
        ("", False),
        (None, False),
        ("x", False),
        (["2.22"], False),
    ],
)
def test_which_are_handed_secrets(tmp_path: Path, given: object, able: bool) -> None:
    assert masks(given) is able
    answer, records = _welcome(tmp_path, json.dumps({"playstream": 1, "ansible": given}), lambda: ["s1", "s2"])
    assert answer == [0, 0, ["s1", "s2"] if able else []]
    assert records == []


def test_more_than_a_pipe_holds_is_said(tmp_path: Path) -> None:
    answer, records = _welcome(tmp_path, '{"playstream":1,"ansible":"2.22"}', lambda: ["first", *["x" * 100_000] * 100])
    assert answer[2][0] == "first"
    assert len(answer[2]) < 101
    assert isinstance(records[0], Log)
    assert f"does not mask {101 - len(answer[2])} of the job's secrets" in records[0].message


def _welcome(directory: Path, hello: str, find: Callable[[], list[str]]) -> tuple[Any, list[Record]]:
    paths = Paths(directory, directory, directory, directory, directory)
    records: list[Record] = []
    source = EventSource(paths, "x", {}, lambda *new: records.extend(new), lambda: None, find)
    reader = os.open(paths.origin, os.O_RDONLY | os.O_NONBLOCK)
    try:
        paths.events.write_text(hello + "\n")
        source.read()
        return json.loads(os.read(reader, 1 << 21)), records
    finally:
        os.close(reader)
        source.close()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "DB_PASSWD",
        "dbPass",
        "ansible_become_pass",
        "PGPASSWORD",
        "api_key",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "github_token",
        "tokens",
        "secret1",
        "ssh_private_key",
        "MYSQL_PWD",
        "key_passphrase",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "word",
        "bypass",
        "compass",
        "token_url",
        "password_file",
        "ask_password_prompt",
        "sort_key",
        "public_key",
        "secret_name",
        "vault_password_files",
        "max_token_count",
    ],
)
def test_names_of_what_is_none(name: str) -> None:
    assert not is_secret_name(name)


def test_where_secrets_are_looked_for() -> None:
    job = Job(
        "x",
        passwords={"ssh": "p", "Which password.*": "p2", "Go on?": "yes"},
        ssh_key="KEY\nLINES\n",
        envvars={"A_TOKEN": "env1", "A": "no"},
        extravars_texts=(
            "db_password: text1\nmore: {secrets: [text2, {deep: text3}], pin_token: 4711}\n",
            "a_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00\n",
            "$ANSIBLE_VAULT;1.1;AES256\n00",
        ),
        extravars={"api_key": "json1", "short_password": "on", "flag_password": True, "no": "no"},
        role_vars={"role_password": "role1"},
        plays=({"vars": {"play_token": "play1"}},),
        settings={"container_auth_data": {"password": "auth1"}},
        inventory_contents=(
            "[all]\nh1 ansible_password=ini1 a=no\nh2 ansible_password='ini 2'\n",
            '{"all": {"vars": {"ansible_become_password": "json2"}}}',
        ),
    )
    assert find_secrets(job) == [
        "p",
        "p2",
        "KEY\nLINES\n",
        "env1",
        "json1",
        "role1",
        "auth1",
        "play1",
        "text1",
        "text2",
        "text3",
        "4711",
        "ini1",
        "ini 2",
        "json2",
    ]
    assert find_secrets(Job("x")) == []
    assert FIRST_WITH_MASKS == (2, 22)
