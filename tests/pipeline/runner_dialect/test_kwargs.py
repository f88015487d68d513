"""Jobs as keyword arguments and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.job.job import make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.protocol import Job
from playstream.pipeline.runner_dialect.kwargs import read_kwargs, write_kwargs

_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "project" / "roles" / "web").mkdir(parents=True)
    (tmp_path / "project" / "site.yml").write_text("[]")
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts").write_text("localhost\n")
    (tmp_path / "roles" / "db").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "job",
    [
        Job(
            "7",
            playbook="site.yml",
            limit="a:b",
            tags="x,y",
            skip_tags="z",
            forks=3,
            verbosity=2,
            inventory=("inventory/hosts",),
            extravars={"a": [1, None, {"ü": True}]},
            envvars={"A": "1"},
            passwords={"^Really\\?": "yes"},
            settings={"idle_timeout": 5, "own": "x"},
            ssh_key=_KEY,
            cmdline=("--check", "-e", "a b"),
            hosts=None,
            omit_event_data=True,
            only_failed_event_data=True,
        ),
        Job("7", module="command", module_args="echo 'a b'", hosts="web", project_dir="."),
        Job("7", role="db", role_vars={"v": 1}, role_skip_facts=True, hosts="db"),
        Job("7", plays=({"hosts": "all", "tasks": [{"ping": None}]},), hosts="all", inventory=()),
        Job("7", playbook="site.yml", binary="/usr/bin/env", hosts=None),
    ],
)
def test_there_and_back(job: Job, directory: Path) -> None:
    travelled = json.loads(json.dumps(write_kwargs(job)))
    assert read_kwargs(travelled, directory) == job


def test_what_older_versions_and_the_command_line_send(directory: Path) -> None:
    job = read_kwargs({"playbook": "site.yml", "resource_profiling": None, "forks": "7", "limit": None}, directory)
    assert job.forks == 7


@pytest.mark.parametrize(
    ("sent", "written", "isolated"),
    [
        ({"container_image": "quay.io/ansible/ansible-runner:devel", "process_isolation": None}, None, False),
        ({"container_image": "quay.io/ansible/ansible-runner:devel", "process_isolation": True}, None, True),
        ({"container_image": "quay.io/ansible/ansible-runner:devel"}, "process_isolation: true", True),
        ({"container_image": "quay.io/a/b:1", "process_isolation": None}, None, True),
        ({"container_image": "quay.io/a/b:1", "process_isolation": False}, None, False),
    ],
)
def test_the_default_image_asks_for_no_container(
    sent: dict[str, Any], written: str | None, isolated: bool, directory: Path
) -> None:
    if written:
        (directory / "env").mkdir()
        (directory / "env" / "settings").write_text(written)
    isolation = read_isolation("settings", read_kwargs({"playbook": "site.yml", **sent}, directory).settings)
    assert (isolation.image if isolation else None) == (sent["container_image"] if isolated else None)


def test_a_task_to_start_at_is_words_of_the_command_line(directory: Path) -> None:
    """ansible-runner has no argument for it. The caller's own words come later, and win."""
    sent = write_kwargs(Job("7", playbook="site.yml", start_at_task="it's here", cmdline=("--diff",)))
    assert sent["cmdline"] == """--start-at-task 'it'"'"'s here' --diff"""
    assert read_kwargs(sent, directory).cmdline == ("--start-at-task", "it's here", "--diff")


def test_roles_are_found_from_the_project(directory: Path) -> None:
    sent = write_kwargs(Job("7", playbook="site.yml", roles_path=("roles", "/usr/share/roles")))
    assert sent["roles_path"] == "../roles:/usr/share/roles"
    assert read_kwargs(sent, directory).roles_path == ("roles", "/usr/share/roles")


def test_named_passwords_become_prompts_and_the_options_that_ask() -> None:
    passwords = {"ssh": "1", "become": "2", "vault": "3", "vault:dev.x": "4", "ssh_key": "5", "^x": "6"}
    sent = write_kwargs(Job("7", playbook="a", passwords=passwords, cmdline=("--ask-pass",)))
    assert sent["cmdline"] == "--ask-pass --ask-become-pass --vault-id @prompt --vault-id dev.x@prompt"
    assert sorted(sent["passwords"].values()) == ["1", "2", "3", "4", "5", "6"]
    assert r"^Vault password \(dev\.x\):\s*?$" in sent["passwords"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"playbook": "site.yml", "colour": 1}, r"run\(\) got an unexpected keyword argument 'colour'"),
        ({"playbook": "none.yml"}, "'none.yml' was not found"),
        ({"playbook": "site.yml", "forks": "many"}, "forks: expected an integer"),
        ({}, "expected one of playbook"),
        ({"playbook": "../../etc/passwd"}, "was not found in"),
    ],
)
def test_what_cannot_be_run_is_told(kwargs: dict[str, Any], message: str, directory: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_kwargs(kwargs, directory)


def test_files_win_as_with_ansible_runner(directory: Path) -> None:
    env = directory / "env"
    env.mkdir()
    (env / "envvars").write_text("A: file\n")
    (env / "settings").write_text("job_timeout: 5\nidle_timeout: 6\n")
    (env / "passwords").write_text("'^a': file\n")
    (env / "extravars").write_text("a: file\nb: file\n")
    (env / "cmdline").write_text("--check")
    kwargs = {
        "playbook": "site.yml",
        "envvars": {"A": "argument", "B": "argument"},
        "timeout": 9,
        "cmdline": "--diff",
        "settings": {"idle_timeout": 9},
        "passwords": {"^a": "argument"},
        "extravars": {"a": "argument"},
        "ident": "7",
        "artifact_dir": "/elsewhere",
        "rotate_artifacts": 3,
        "quiet": True,
    }
    job = read_kwargs(kwargs, directory)
    assert job.envvars == {"A": "file", "B": "argument"}
    assert job.passwords == {"^a": "file"}
    assert job.settings == {"job_timeout": 9, "subprocess_timeout": 9, "idle_timeout": 6}
    assert (job.extravars_texts, job.extravars) == (("a: file\nb: file\n",), {"a": "argument"})
    assert job.cmdline == ("--diff",)
    assert read_kwargs({**kwargs, "suppress_env_files": True}, directory) == job


def test_a_whole_command_line_of_the_tree(directory: Path) -> None:
    (directory / "args").write_text("ansible --version")
    assert read_kwargs({"playbook": "site.yml"}, directory).command == ("ansible", "--version")


@pytest.mark.parametrize(
    "job",
    [
        Job("7", playbook="a", inventory=(), inventory_contents=("x",)),
        Job("7", command=("ansible", "--version")),
    ],
)
def test_what_only_a_tree_can_carry(job: Job) -> None:
    with pytest.raises(ConfigurationError, match="in the tree, and no tree is sent"):
        write_kwargs(job)


def test_a_time_limit_stands_above_the_settings_of_the_workers_directory(directory: Path) -> None:
    job = make_job({"private_data_dir": directory, "playbook": "site.yml", "timeout": 7}, Delivery.ARGUMENTS)
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text("job_timeout: 100\nidle_timeout: 3\n")
    settings = read_kwargs(write_kwargs(job), directory).settings
    assert settings == {"job_timeout": 7, "subprocess_timeout": 7, "idle_timeout": 3}
