"""RunnerConfig: prepared, changed, run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream import Runner, RunnerConfig
from playstream.pipeline.errors import ConfigurationError, ExecutableNotFound
from tests.interface.programs import fake, leftovers, output, play


def test_what_is_known_before_it_is_prepared(demo: Path) -> None:
    config = RunnerConfig(private_data_dir=demo, playbook="site.yml", ident=5, rotate_artifacts=3, quiet=True)
    assert config.private_data_dir == str(demo)
    assert config.artifact_dir == str(demo / "artifacts" / "5")
    assert config.project_dir == str(demo / "project")
    assert config.fact_cache == str(demo / "artifacts" / "5" / "fact_cache")
    assert (config.ident, config.playbook, config.inventory, config.rotate_artifacts) == ("5", "site.yml", None, 3)
    assert (config.quiet, config.json_mode, config.suppress_ansible_output) == (True, False, True)
    assert not config.prepared
    assert (config.command, config.env, config.cwd) == ([], {}, "")


def test_what_is_known_afterwards(demo: Path) -> None:
    config = RunnerConfig(str(demo), playbook="site.yml")
    config.prepare()
    assert config.prepared
    assert Path(config.command[0]).name == "ansible-playbook"
    assert config.command[1:] == ["-i", str(demo / "inventory"), "site.yml"]
    assert config.cwd == str(demo / "project")
    assert config.env["PLAYSTREAM_IDENT"] == config.ident


def test_command_environment_and_directory_can_be_changed(demo: Path, tmp_path: Path) -> None:
    config = RunnerConfig(private_data_dir=demo, playbook="site.yml")
    config.prepare()
    config.command = [fake(tmp_path, 'pwd; echo "$ADDED $1"'), "word"]
    config.env["ADDED"] = "added"
    config.cwd = str(tmp_path)
    config.suppress_ansible_output = True
    runner = Runner(config=config)
    assert runner.run() == ("successful", 0)
    assert output(runner) == f"{tmp_path}\nadded word\n"


def test_a_variable_that_is_added_gets_past_an_engine(demo: Path) -> None:
    config = RunnerConfig(
        private_data_dir=demo,
        playbook="site.yml",
        binary=fake(demo / "project", 'echo "$BASH_ENV $LD_PRELOAD"'),
        settings={"process_isolation": True, "process_isolation_executable": "bwrap"},
        envvars={"LD_PRELOAD": "/x"},
        suppress_ansible_output=True,
    )
    config.prepare()
    config.env["BASH_ENV"] = "added"
    del config.env["LD_PRELOAD"]
    runner = Runner(config)
    assert runner.run() == ("successful", 0)
    assert output(runner) == "added \n"


def test_words_can_be_added_to_a_real_command(demo: Path) -> None:
    config = RunnerConfig(private_data_dir=demo, playbook="site.yml", quiet=True)
    config.prepare()
    config.command.append("--syntax-check")
    config.env["ANSIBLE_NOCOLOR"] = "1"
    runner = Runner(config)
    assert runner.run() == ("successful", 0)
    assert output(runner).strip() == "playbook: site.yml"


def test_prepared_by_the_run(demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With a setting of the directory's that only preparing reads."""
    (demo / "env").mkdir()
    (demo / "env" / "settings").write_text("suppress_ansible_output: true\nsuppress_output_file: true\n")
    runner = Runner(RunnerConfig(private_data_dir=demo, playbook="site.yml", binary=fake(tmp_path, "echo 1")))
    assert runner.run() == ("successful", 0)
    assert capfd.readouterr().out == ""
    assert not (runner.artifact_path / "stdout").exists()


def test_prepared_twice_leaves_one_place(demo: Path, temporary: Path) -> None:
    config = RunnerConfig(private_data_dir=demo, playbook="site.yml")
    config.prepare()
    config.prepare()
    assert len(leftovers(temporary)) == 1
    del config
    assert leftovers(temporary) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"command": []}, "command: expected at least the name of a program"),
        ({"cwd": "/nonexistent"}, "cwd: expected a directory to start the command in, got '/nonexistent'"),
        ({"command": ["/nonexistent"]}, None),
    ],
)
def test_changes_that_cannot_run(demo: Path, temporary: Path, change: dict[str, Any], expected: str | None) -> None:
    config = RunnerConfig(private_data_dir=demo, playbook="site.yml", quiet=True)
    config.prepare()
    for name, value in change.items():
        setattr(config, name, value)
    runner = Runner(config)
    if expected is not None:
        with pytest.raises(ConfigurationError, match=expected):
            runner.run()
        assert not (demo / "artifacts").exists()
    else:
        assert runner.run()[0] == "error"
        assert runner.explanation is not None
        assert "/nonexistent" in runner.explanation
    assert leftovers(temporary) == []


def test_init_runner_starts_nothing(demo: Path, tmp_path: Path) -> None:
    runner = playstream.init_runner(
        private_data_dir=demo, playbook="site.yml", binary=fake(tmp_path, f"touch {tmp_path}/started"), quiet=True
    )
    assert (runner.status, runner.rc, runner.explanation) == ("unstarted", None, None)
    assert not (tmp_path / "started").exists()
    assert not (demo / "artifacts").exists()
    runner.run()
    assert (tmp_path / "started").exists()


def test_ansible_that_is_missing(demo: Path, temporary: Path) -> None:
    with pytest.raises(ExecutableNotFound, match="no-such-ansible was not found"):
        RunnerConfig(private_data_dir=demo, playbook="site.yml", binary="no-such-ansible").prepare()
    assert leftovers(temporary) == []


def test_options_that_a_configuration_has_not(demo: Path) -> None:
    with pytest.raises(ConfigurationError, match="unexpected keyword argument 'event_handler'"):
        RunnerConfig(private_data_dir=demo, playbook="site.yml", event_handler=print)  # type: ignore[call-arg]


def test_secrets_are_not_in_a_representation(demo: Path) -> None:
    config = RunnerConfig(private_data_dir=demo, playbook=play(), passwords={"ssh": "hunter2"})
    config.prepare()
    assert "hunter2" not in repr(config) + repr(config.prepared_run.job) + repr(config.command) + repr(config.env)
