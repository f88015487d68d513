"""Everything that a run can be given, seen from what Ansible gets of it."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.job import job as job_module
from playstream.pipeline.protocol import Job
from tests.interface.programs import HOSTS, INVENTORY, debug, fake, messages, output, play

SHOW = 'for word in "$@"; do case $word in /*) cat "$word" 2>/dev/null || echo "$word";; *) echo "$word";; esac; done'


@pytest.fixture
def words(tmp_path: Path) -> str:
    """In place of Ansible: shows the words it was given, and files that they name."""
    return fake(tmp_path, SHOW + '; for word in "$@"; do case $word in @*) cat "${word#@}"; echo;; esac; done')


def shown(**options: Any) -> list[str]:
    return output(playstream.run(quiet=True, **options)).splitlines()


def test_options_of_the_command_line(demo: Path, words: str) -> None:
    found = shown(
        private_data_dir=demo,
        playbook="site.yml",
        binary=words,
        limit="node1,!x",
        tags=["a", "b"],
        skip_tags="c,d",
        forks=3,
        verbosity=2,
        cmdline="--diff -e 'a=b c'",
        inventory="localhost,",
    )
    assert found == [
        "-i",
        "localhost,",
        "--limit",
        "node1,!x",
        "--tags",
        "a,b",
        "--skip-tags",
        "c,d",
        "--forks",
        "3",
        "-vv",
        "--diff",
        "-e",
        "a=b c",
        "site.yml",
    ]


def test_a_module(demo: Path, words: str) -> None:
    options: dict[str, Any] = {"private_data_dir": demo, "inventory": "x,", "binary": words, "module": "shell"}
    assert shown(**options, module_args="whoami; id") == ["-i", "x,", "all", "-m", "shell", "-a", "whoami; id"]
    assert shown(**options, host_pattern="web") == ["-i", "x,", "web", "-m", "shell"]
    assert shown(**options, host_pattern="web", hosts="web", tags="t", limit="l") == [
        "-i",
        "x,",
        "--limit",
        "l",
        "web",
        "-m",
        "shell",
    ]


@pytest.mark.parametrize(
    ("inventory", "expected"),
    [
        (None, ["-i", "DEMO/inventory"]),
        ("inventory/hosts", ["-i", *HOSTS.split("\n")[:1]]),
        ("hosts", ["-i", *HOSTS.split("\n")[:1]]),
        ("a,b", ["-i", "a,b"]),
        ("localhost", ["-i", "localhost"]),
        ("10.0.0.1", ["-i", "10.0.0.1"]),
        ("web ansible_host=1.2.3.4", ["-i", "web ansible_host=1.2.3.4"]),
        ("[web]\nn1\n", ["-i", "[web]", "n1"]),
        ({"all": {"hosts": {"n": None}}}, ["-i", '{"all": {"hosts": {"n": null}}}']),
        (["a,", "[web]\nn1", {"all": {}}], ["-i", "a,", "-i", "[web]", "n1", "-i", '{"all": {}}']),
        ([], []),
    ],
)
def test_inventories(demo: Path, words: str, inventory: Any, expected: list[str]) -> None:
    found = shown(private_data_dir=demo, playbook="site.yml", binary=words, inventory=inventory)
    assert found[-1] == "site.yml"
    assert found[: len(expected)] == [word.replace("DEMO", str(demo)) for word in expected]
    if inventory == []:
        assert found == ["site.yml"]


def test_an_inventory_from_elsewhere(demo: Path, words: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("n7\n")
    found = shown(private_data_dir=demo, playbook="site.yml", binary=words, inventory=tmp_path / "elsewhere")
    assert found == ["-i", "n7", "site.yml"]


def test_a_playbook_by_its_path(demo: Path, words: str) -> None:
    playbook = demo / "project" / "site.yml"
    assert shown(private_data_dir=demo, playbook=playbook, binary=words, inventory="x,") == ["-i", "x,", "site.yml"]


def test_a_project_elsewhere(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "more.yml").write_text("[]\n")
    script = fake(tmp_path, 'pwd; echo "$1"')
    found = shown(
        private_data_dir=demo, playbook="more.yml", project_dir=tmp_path / "other", inventory=[], binary=script
    )
    assert found == [str(tmp_path / "other"), "more.yml"]
    found = shown(playbook="more.yml", project_dir=tmp_path / "other", inventory=[], binary=script)
    assert found == [str(tmp_path / "other"), "more.yml"]


def test_files_of_env_and_arguments(demo: Path, tmp_path: Path) -> None:
    """YAML, JSON and a FIFO; arguments win, name by name."""
    env = demo / "env"
    env.mkdir()
    (env / "envvars").write_text('{"FROM_FILE": 1, "FROM_BOTH": "file"}')
    os.mkfifo(env / "extravars")
    (env / "cmdline").write_text("--check\n")
    (env / "settings").write_text("job_timeout: 77\nidle_timeout: 66\n")
    script = fake(tmp_path, 'echo "$FROM_FILE $FROM_BOTH $FROM_ARGUMENT"; cat "${4#@}" "${6#@}"; echo; echo $7 $8')

    def feed() -> None:
        (env / "extravars").write_text("a: file\nb: file\n")

    feeder = threading.Thread(target=feed)
    feeder.start()
    runner = playstream.run(
        private_data_dir=demo,
        playbook="site.yml",
        binary=script,
        quiet=True,
        envvars={"FROM_BOTH": "argument", "FROM_ARGUMENT": 7},
        extravars={"b": "argument"},
        settings={"idle_timeout": 55},
    )
    feeder.join()
    lines = output(runner).splitlines()
    assert lines[0] == "1 argument 7"
    assert lines[1:4] == ["a: file", "b: file", '{"b": "argument"}']
    assert lines[4] == "--check site.yml"
    assert (runner.config.job_timeout, runner.config.idle_timeout) == (77, 55)
    assert runner.config.settings == {"job_timeout": 77, "idle_timeout": 55}


def test_what_is_read_from_env_in_any_case(demo: Path, words: str) -> None:
    (demo / "env").mkdir()
    (demo / "env" / "cmdline").write_text("--check")
    found = shown(private_data_dir=demo, playbook="site.yml", binary=words, inventory="x,", suppress_env_files=True)
    assert found == ["-i", "x,", "--check", "site.yml"]  # it is about files that ansible-runner would write
    empty = shown(private_data_dir=demo, playbook="site.yml", binary=words, inventory="x,", cmdline="")
    assert empty == found  # as in ansible-runner, no words are the same as none given


def test_extra_variables_from_a_file(demo: Path, words: str) -> None:
    (demo / "vars.yml").write_text("a: 1\n")
    found = shown(private_data_dir=demo, playbook="site.yml", binary=words, inventory=[], extravars="vars.yml")
    assert found[-2] == "a: 1"


def test_the_file_args_is_the_whole_command_line(demo: Path) -> None:
    (demo / "args").write_text("printf '%s\\n' 'a b' c\n")
    assert shown(private_data_dir=demo, playbook="site.yml") == ["a b", "c"]
    assert shown(private_data_dir=demo) == ["a b", "c"]


def test_plays_find_what_is_beside_the_project(demo: Path) -> None:
    """Roles, files, templates and group_vars of the project, for plays that are no file of it; and for a role."""
    project = demo / "project"
    for name, text in {
        "roles/greet/tasks/main.yml": '- debug: {msg: "role {{ word }}"}\n',
        "roles/greet/defaults/main.yml": "word: default\n",
        "group_vars/all.yml": "colour: red\n",
        "templates/t.j2": "template {{ colour }}",
        "files/f.txt": "file",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    tasks = [
        debug("{{ colour }}"),
        debug("{{ lookup('template', 't.j2') }}"),
        debug("{{ lookup('file', 'f.txt') }}"),
        {"import_role": {"name": "greet"}},
    ]
    runner = playstream.run(private_data_dir=demo, playbook=play(*tasks), quiet=True)
    assert messages(runner.events) == ["red", "template red", "file", "role default"]
    runner = playstream.run(
        private_data_dir=demo,
        role="greet",
        role_vars={"word": "given"},
        role_skip_facts=True,
        hosts="webservers",
        quiet=True,
    )
    assert messages(runner.events) == ["role given"]
    assert runner.stats == {**runner.stats, "ok": {"node1": 1}} if runner.stats else False


def test_a_role_from_elsewhere(demo: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "more" / "found" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- debug: {msg: here}\n")
    for roles_path in (str(tmp_path / "more"), [tmp_path / "none", tmp_path / "more"]):
        runner = playstream.init_runner(
            private_data_dir=demo, role="found", roles_path=roles_path, role_skip_facts=True, quiet=True
        )
        assert str(tmp_path / "more") in runner.config.env["ANSIBLE_ROLES_PATH"].split(":")
    assert runner.run() == ("successful", 0)
    assert messages(runner.events) == ["here"]


def test_plays_that_are_texts_of_yaml_and_a_job_from_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner = playstream.run(
        playbook=[play(debug("{{ a }} {{ lookup('env', 'B') }}")), play(debug("two"))],
        inventory=INVENTORY,
        extravars={"a": "ä"},
        envvars={"B": "b"},
        quiet=True,
    )
    assert messages(runner.events) == ["ä b", "two"]
    assert not (tmp_path / "artifacts").exists()


def test_the_default_inventory_with_json_and_localhost(demo: Path) -> None:
    runner = playstream.run(private_data_dir=demo, playbook="site.yml", extravars={"word": "w"}, quiet=True)
    assert messages(runner.events) == ["w"]
    text = f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}"
    runner = playstream.run(module="ping", inventory=text, quiet=True)
    assert runner.status == "successful"
    assert [event["event_data"]["host"] for event in runner.events if event["event"] == "runner_on_ok"] == ["localhost"]


@pytest.mark.parametrize("tree", [True, False])
@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_values_are_checked_once_on_each_side(
    demo: Path, monkeypatch: pytest.MonkeyPatch, dialect: Any, tree: bool
) -> None:
    """A large job is copied by each check; and two places that check would come to differ."""
    checked: list[str] = []
    check = job_module._check_values

    def count(job: Job) -> Job:
        checked.append(job.ident)
        return check(job)

    monkeypatch.setattr(job_module, "_check_values", count)
    job = io.BytesIO()
    options: dict[str, Any] = {"private_data_dir": demo, "playbook": "site.yml", "ident": "7", "binary": "true"}
    playstream.run(streamer="transmit", dialect=dialect, only_transmit_kwargs=not tree, _output=job, **options)
    assert checked == ["7"]
    job.seek(0)
    own = None if tree else demo
    playstream.run(streamer="worker", private_data_dir=own, _input=job, _output=io.BytesIO())
    assert checked == ["7", "7"]
    playstream.run(**options, quiet=True)
    assert checked == ["7", "7", "7"]
