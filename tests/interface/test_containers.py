"""A run in a container in which Ansible never ran is no success, however it was asked for."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.compat import ansible_runner
from playstream.pipeline.errors import ConfigurationError, IsolationError
from tests.stages import SAY_STARTED

ENGINE = """\
#!/bin/sh
# Stands in for an engine that has taken its words for something else: says how it is used, and is content.
[ "$1" = run ] && echo 'Usage: podman run'
exit 0
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    engine = tmp_path / "bin" / "podman"
    engine.parent.mkdir()
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    return {"process_isolation": True, "process_isolation_executable": str(engine), "container_image": "ee"}


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    (tmp_path / "demo" / "project").mkdir(parents=True)
    (tmp_path / "demo" / "env").mkdir()
    (tmp_path / "demo" / "project" / "site.yml").write_text("[]\n")
    return tmp_path / "demo"


def transmit(demo: Path, settings: dict[str, Any], dialect: str) -> bytes:
    """The stream of a job with these settings."""
    job = io.BytesIO()
    more: dict[str, Any] = {} if dialect == "native" else {"dialect": "runner"}
    playstream.run(
        streamer="transmit", private_data_dir=demo, playbook="site.yml", settings=settings, _output=job, **more
    )
    return job.getvalue()


def assert_refused(demo: Path, job: bytes, error: type[Exception], text: str) -> None:
    """The worker raises the error, and process says it."""
    results = io.BytesIO()
    with pytest.raises(error, match=re.escape(text)):
        playstream.run(streamer="worker", _input=io.BytesIO(job), _output=results)
    ran = playstream.run(
        streamer="process", private_data_dir=demo, ident="1", quiet=True, _input=io.BytesIO(results.getvalue())
    )
    assert ran.status == "error"
    assert text in (ran.explanation or "")


def test_a_run(demo: Path, settings: dict[str, Any]) -> None:
    ran = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, **settings)
    assert (ran.status, ran.rc) == ("error", None)
    assert "exited with status 0 without starting the job in the container" in (ran.explanation or "")
    assert ran.exit_status == IsolationError.exit_status == 83
    with ran.stdout as output:
        assert output.read() == "Usage: podman run\n"


@pytest.mark.parametrize("engine", ["podman", "docker"])
@pytest.mark.parametrize(
    ("status", "does", "told"),
    [
        (
            125,
            ":",
            "{} exited with status 125 without starting the job in the container or sandbox: the engine itself failed",
        ),
        (126, ":", "{} exited with status 126 without starting the job in the container or sandbox: the image has no"),
        (2, ":", "{} exited with status 2 without starting the job in the container or sandbox: its /bin/sh could not"),
        (125, SAY_STARTED, "{} failed with exit status 125 after it had started the job"),
        (126, SAY_STARTED, "exit status 126 in the container or sandbox: the program that runs the job, or its inter"),
        (127, SAY_STARTED, "exit status 127 in the container or sandbox: the program that runs the job was probably"),
    ],
)
def test_an_engine_that_fails(
    demo: Path, settings: dict[str, Any], engine: str, status: int, does: str, told: str
) -> None:
    """An exit status that is not Ansible's is not taken for one."""
    program = Path(settings["process_isolation_executable"]).with_name(engine)
    program.write_text(f"{ENGINE.replace('exit 0', does)}\nexit {status}\n")
    program.chmod(0o755)
    settings["process_isolation_executable"] = str(program)
    ran = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, **settings)
    assert (ran.status, ran.rc, ran.exit_status) == ("error", None, IsolationError.exit_status)
    assert (ran.explanation or "").startswith(told.format(program))
    results = io.BytesIO()
    with pytest.raises(IsolationError, match=re.escape(told.format(program))):
        playstream.run(streamer="worker", _input=io.BytesIO(transmit(demo, settings, "native")), _output=results)
    rebuilt = playstream.run(
        streamer="process", private_data_dir=demo, ident="1", quiet=True, _input=io.BytesIO(results.getvalue())
    )
    assert (rebuilt.status, rebuilt.rc, rebuilt.exit_status) == ("error", None, IsolationError.exit_status)


@pytest.mark.parametrize("status", [1, 125, 126, 127])
def test_the_exit_status_of_a_command(settings: dict[str, Any], status: int) -> None:
    """A command of the caller may end with any, so only an engine that has not started it is told apart."""
    program = Path(settings["process_isolation_executable"])
    program.write_text(f"{ENGINE.replace('exit 0', SAY_STARTED)}\nexit {status}\n")
    runner = playstream.run_command_async("ansible", ["--version"], quiet=True, **settings)[1]
    assert runner.wait(60)
    assert (runner.status, runner.rc) == ("failed", status)
    assert (runner.explanation or "").endswith("this is the exit status of the command itself") is (status != 1)
    program.write_text(f"{ENGINE.replace('exit 0', ':')}\nexit {status}\n")
    runner = playstream.run_command_async("ansible", ["--version"], quiet=True, **settings)[1]
    assert runner.wait(60)
    assert (runner.status, runner.rc) == ("error", None)


def test_a_command(settings: dict[str, Any]) -> None:
    runner = playstream.run_command_async("ansible", ["--version"], quiet=True, **settings)[1]
    assert runner.wait(60)
    assert runner.status == "error"


@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_a_pipe(dialect: str, demo: Path, settings: dict[str, Any]) -> None:
    job = transmit(demo, settings, dialect)
    assert_refused(demo, job, IsolationError, "without starting the job")


def _as_argument(demo: Path, settings: dict[str, Any]) -> None:
    playstream.run(private_data_dir=demo, playbook="site.yml", **settings)


def _as_settings(demo: Path, settings: dict[str, Any]) -> None:
    playstream.run(private_data_dir=demo, playbook="site.yml", settings=settings)


def _as_file(demo: Path, settings: dict[str, Any]) -> None:
    (demo / "env" / "settings").write_text(json.dumps(settings))
    playstream.run(private_data_dir=demo, playbook="site.yml")


def _to_a_command(demo: Path, settings: dict[str, Any]) -> None:
    playstream.run_command("ansible", ["--version"], **settings)


def _by_compat(demo: Path, settings: dict[str, Any]) -> None:
    ansible_runner.run(private_data_dir=str(demo), playbook="site.yml", **settings)


def _transmitted(demo: Path, settings: dict[str, Any]) -> None:
    playstream.run(
        streamer="transmit", private_data_dir=demo, playbook="site.yml", settings=settings, _output=io.BytesIO()
    )


@pytest.mark.parametrize("way", [_as_argument, _as_settings, _as_file, _to_a_command, _by_compat, _transmitted])
@pytest.mark.parametrize("option", ["-d", "--entrypoint=/bin/true"])
def test_an_option_is_refused_on_every_way(
    way: Callable[[Path, dict[str, Any]], None], option: str, demo: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"container_options: '{option}' cannot be used") as caught:
        way(demo, {**settings, "container_options": [option]})
    assert way is _by_compat or isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_a_worker_refuses_what_another_sender_let_through(
    dialect: str, demo: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("playstream.pipeline.job.isolation.check_container_options", lambda *_: None)
        job = transmit(demo, {**settings, "container_options": ["-d"]}, dialect)
    assert_refused(demo, job, ConfigurationError, "container_options: '-d' cannot be used")
