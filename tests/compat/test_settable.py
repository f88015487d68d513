"""A configuration's attributes can be set, and its command run as it is, as with ansible-runner's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from playstream.compat.ansible_runner import Runner, RunnerConfig, interface
from playstream.compat.ansible_runner.config.command import CommandConfig
from playstream.pipeline.errors import ConfigurationError


@pytest.fixture
def config(tmp_path: Path) -> RunnerConfig:
    config = RunnerConfig(str(tmp_path))
    config.suppress_ansible_output = True
    return config


def told(config: RunnerConfig) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((Path(config.artifact_dir) / "command").read_text())
    return told


def test_a_command_without_prepare(config: RunnerConfig, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    config.command = ["sh", "-c", "pwd; env"]
    config.cwd, config.env = str(tmp_path / "here"), {"WORD": "mine"}
    runner = Runner(config)
    assert runner.run() == ("successful", 0)
    with runner.stdout as output:
        shown = output.read()
    assert shown.startswith(str(tmp_path / "here"))
    assert "WORD=mine" in shown
    assert "HOME=" not in shown
    assert told(config)["command"] == ["sh", "-c", "pwd; env"]
    assert runner.run() == ("successful", 0)


def test_a_command_with_the_environment_of_prepare_env(config: RunnerConfig) -> None:
    config.command = ["env"]
    config.envvars = {"wörter": "ŵ"}
    config.prepare_env()
    assert (config.command, config.env["wörter"]) == (["env"], "ŵ")
    assert "PATH" in config.env
    assert Runner(config).run() == ("successful", 0)
    assert "wörter" in told(config)["env"]


@pytest.mark.parametrize("prepared", [True, False])
def test_a_program_that_is_not_there(prepared: bool, config: RunnerConfig) -> None:
    if prepared:
        config.module, config.host_pattern = "ping", "localhost"
        config.prepare()
    config.command = ["no-such-program", "x"]
    runner = Runner(config)
    assert runner.run() == ("failed", 127)
    (event,) = runner.events
    assert "The command was not found or was not executable: no-such-program" in event["stdout"]
    assert told(config)["command"] == ["no-such-program", "x"]


@pytest.mark.parametrize("name", ["job_timeout", "idle_timeout"])
@pytest.mark.parametrize("prepared", [True, False])
def test_limits(name: str, prepared: bool, config: RunnerConfig) -> None:
    config.command = ["sleep", "60"]
    if prepared:
        config.prepare_env()
    setattr(config, name, 0.000001)
    assert getattr(config, name) == 0.000001
    assert Runner(config).run() == ("timeout", 254)


def test_a_limit_that_is_none(config: RunnerConfig) -> None:
    config.command = ["true"]
    config.job_timeout = "soon"
    with pytest.raises(ConfigurationError, match=r"job_timeout: expected .*, got 'soon'"):
        Runner(config).run()
    config.job_timeout = None
    config.prepare_env()
    config.idle_timeout = -1
    with pytest.raises(ConfigurationError, match=r"idle_timeout: expected .*, got -1"):
        Runner(config).run()
    config.idle_timeout = None
    assert Runner(config).run() == ("successful", 0)


@pytest.mark.parametrize("prepared", [True, False])
def test_prompts(prepared: bool, config: RunnerConfig) -> None:
    config.command = ["sh", "-c", "printf 'Name of it: '; read line; echo got $line"]
    config.passwords = {"never asked": "x"}
    if prepared:
        config.prepare_env()
        assert [pattern.pattern for pattern in config.expect_passwords] == ["never asked"]
    config.expect_passwords[re.compile(r"name OF it:\s*?$", re.MULTILINE | re.IGNORECASE)] = "an answer"
    config.expect_passwords[TimeoutError] = None  # as pexpect.TIMEOUT is there
    runner = Runner(config)
    assert runner.run() == ("successful", 0)
    with runner.stdout as output:
        assert "got an answer" in output.read()


def test_places(config: RunnerConfig, tmp_path: Path) -> None:
    config.artifact_dir = str(tmp_path / "elsewhere" / "one")
    config.project_dir = str(tmp_path / "plays")
    config.fact_cache = "facts"
    (tmp_path / "plays").mkdir()
    (tmp_path / "plays" / "site.yml").write_text("- {hosts: localhost, gather_facts: false, tasks: [{ping: }]}\n")
    config.playbook, config.ident = "site.yml", "named"
    runner = Runner(config)
    assert runner.run() == ("successful", 0)
    assert (config.cwd, config.fact_cache) == (str(tmp_path / "plays"), str(tmp_path / "elsewhere" / "one" / "facts"))
    assert (tmp_path / "elsewhere" / "one" / "rc").read_text() == "0"
    assert {event["runner_ident"] for event in runner.events} == {"named"}


def test_the_environment_is_what_the_job_sees(tmp_path: Path) -> None:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "connection": "local",
        "tasks": [
            {"command": "cat /proc/self/environ", "register": "seen"},
            {"copy": {"content": "{{ seen.stdout }}", "dest": str(tmp_path / "seen")}},
        ],
    }
    runner = interface.run(private_data_dir=tmp_path, playbook=[play], envvars={"WORD": "mine"}, quiet=True)
    assert runner.rc == 0
    seen = dict(item.partition("=")[::2] for item in (tmp_path / "seen").read_text().split("\0") if item)
    given = {name: value for name, value in runner.config.env.items() if name != "PWD"}  # which Ansible itself sets
    assert {name: seen.get(name) for name in given} == given
    assert {name for name in seen if name.startswith("PLAYSTREAM")} == {
        name for name in runner.config.env if name.startswith("PLAYSTREAM")
    }


@pytest.mark.parametrize(
    ("options", "rc", "said"),
    [
        ({"playbook": "none.yml"}, 1, "none.yml could not be found"),
        ({"playbook": "/none/such.yml"}, 1, "could not be found"),
        ({"role": "none", "hosts": "localhost"}, 1, "the role 'none' was not found"),
    ],
)
def test_what_is_missing_is_told_by_ansible(options: dict[str, Any], rc: int, said: str, tmp_path: Path) -> None:
    runner = interface.run(private_data_dir=tmp_path, quiet=True, **options)
    assert (runner.status, runner.rc) == ("failed", rc)
    with runner.stdout as output:
        assert said in output.read().lower()  # ansible-core 2.21 begins a sentence with it


def test_an_inventory_that_is_missing(tmp_path: Path) -> None:
    plays = [{"hosts": "none", "gather_facts": False, "tasks": []}]
    runner = interface.run(private_data_dir=tmp_path, quiet=True, playbook=plays, inventory="none/such")
    with runner.stdout as output:
        assert "Unable to parse" in output.read()


def test_a_command_configuration_before_and_after_its_command(tmp_path: Path) -> None:
    config = CommandConfig(private_data_dir=tmp_path, ident="x", settings={"own": 1}, quiet=True)
    assert (config.ident, config.private_data_dir, config.settings) == ("x", str(tmp_path), {"own": 1})
    config.ident = "y"
    for words in (["-c", "echo one"], ["-c", "echo two"]):
        config.prepare_run_command("sh", words)
    runner = Runner(config)
    assert runner.run() == ("successful", 0)
    assert config.artifact_dir == str(tmp_path / "artifacts" / "y")
    with runner.stdout as output:
        assert output.read() == "two\n"


def test_arguments_that_are_left(tmp_path: Path) -> None:
    options: dict[str, Any] = {"private_data_dir": tmp_path, "module": "ping", "quiet": True}
    hosts, variables = tmp_path / "inventory" / "hosts", tmp_path / "env" / "envvars"
    interface.init_runner(**options, inventory="localhost", envvars={"A": "1"}, suppress_env_files=True)
    assert (hosts.read_text(), variables.exists()) == ("localhost", False)
    interface.init_runner(**options, inventory="other ansible_connection=local", envvars={"A": "1"})
    assert hosts.read_text() == "other ansible_connection=local"
    assert json.loads(variables.read_text()) == {"A": "1"}
    assert (hosts.stat().st_mode & 0o777, variables.stat().st_mode & 0o777) == (0o600, 0o600)
    interface.init_runner(**options, inventory={"all": {"hosts": {"x": None}}}, envvars={"A": "2"})
    assert json.loads((tmp_path / "inventory" / "hosts.json").read_text()) == {"all": {"hosts": {"x": None}}}
    assert json.loads(variables.read_text()) == {"A": "1"}
    with pytest.raises(ConfigurationError):
        interface.init_runner(**options, inventory="late a=b", playbook="both.yml")
    interface.init_runner(**options, inventory="a,b")
    assert hosts.read_text() == "other ansible_connection=local"
