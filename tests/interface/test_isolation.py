"""What asks for a container gets one, or an error; never the host."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.compat.ansible_runner.config.runner import RunnerConfig as TheirConfig
from playstream.pipeline.protocol import Job
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.kwargs import write_kwargs
from tests.interface.programs import fake, run_program
from tests.stages import PLAYSTREAM, SAY_STARTED, read_records


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A podman that starts nothing, and says that it has."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return fake(directory, f'echo "podman $1"\n{SAY_STARTED}', "podman")


def test_an_image_is_enough(demo: Path, podman: str) -> None:
    runner = playstream.init_runner(private_data_dir=demo, playbook="site.yml", container_image="ee")
    assert runner.config.command[0] == podman
    assert runner.config.settings["process_isolation"] is True
    (demo / "env").mkdir()
    (demo / "env" / "settings").write_text("container_image: ee\n")
    assert playstream.init_runner(private_data_dir=demo, playbook="site.yml").config.command[0] == podman
    off = playstream.init_runner(private_data_dir=demo, playbook="site.yml", process_isolation=False)
    assert Path(off.config.command[0]).name == "ansible-playbook"


def test_a_file_and_an_argument_make_one_isolation(demo: Path, podman: str) -> None:
    """Each alone would not do."""
    (demo / "env").mkdir()
    (demo / "env" / "settings").write_text("process_isolation: true\n")
    runner = playstream.init_runner(private_data_dir=demo, playbook="site.yml", container_image="ee")
    assert runner.config.command[0] == podman


def test_a_command(podman: str) -> None:
    out, _, rc = playstream.run_command("ansible", ["--version"], container_image="ee", quiet=True)
    assert (out.split(), rc) == (["podman", "run"], 0)


@pytest.mark.parametrize(
    "given",
    [
        {"process_isolation_hide_paths": ["/etc"]},
        {"container_options": ["--network=none"]},
    ],
)
def test_what_would_have_no_effect_is_refused(demo: Path, given: dict[str, Any]) -> None:
    with pytest.raises(playstream.ConfigurationError, match="only applies to an isolated job, and isolation is not"):
        playstream.run(private_data_dir=demo, playbook="site.yml", **given)
    (demo / "env").mkdir()
    name, value = next(iter(given.items()))
    (demo / "env" / "settings").write_text(f"{name}: {value}\n")
    with pytest.raises(playstream.ConfigurationError, match="only applies to an isolated job"):
        playstream.run(private_data_dir=demo, playbook="site.yml")


def test_the_command_line(demo: Path, podman: str, temporary: Path) -> None:
    for words in (["run", str(demo), "-p", "site.yml"], ["playbook", str(demo / "project" / "site.yml")]):
        command = [*PLAYSTREAM, *words, "--container-image", "ee"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["podman", "run"]
    done = subprocess.run(
        [*PLAYSTREAM, "adhoc", "all", "-m", "ping", "--process-isolation-ro-paths", "/etc"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "--process-isolation-ro-paths only applies to an isolated job" in done.stderr


def test_both_dialects_say_it_to_the_worker(demo: Path) -> None:
    sent = io.BytesIO()
    playstream.run(streamer="transmit", private_data_dir=demo, playbook="site.yml", container_image="ee", _output=sent)
    job = read_records(sent.getvalue(), Direction.JOB)[0]
    assert isinstance(job, Job)
    assert job.settings["process_isolation"] is True
    assert write_kwargs(job)["settings"]["process_isolation"] is True


def test_programs_for_ansible_runner(demo: Path, podman: str, temporary: Path) -> None:
    for options, isolated in (
        ({}, True),
        ({"process_isolation": False}, False),
        ({"settings": {"process_isolation": False}}, False),
    ):
        config = TheirConfig(str(demo), playbook="site.yml", container_image="ee", **options)
        config.prepare()
        assert config.containerized is isolated
        assert (config.command[0] == "podman") is isolated
    program = "import ansible_runner as a; print(a.run_command('ansible', ['x'], container_image='ee', quiet=True)[0])"
    done = run_program(
        f"import playstream.compat; playstream.compat.install(); {program}",
        temporary=temporary,
        executable=sys.executable,
    )
    assert done.stdout.split() == ["podman", "run"], done.stderr
