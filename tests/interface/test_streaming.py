"""run(streamer=…): the stages as functions, on whatever carries bytes."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError, LinkError, PlaystreamError
from tests.ansible_runner_env import ansible_runner_python
from tests.interface.programs import fake, leftovers, messages, run_program
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages


def transmit(demo: Path, **options: Any) -> bytes:
    job = io.BytesIO()
    runner = playstream.run(
        streamer="transmit", private_data_dir=demo, _output=job, **{"playbook": "site.yml", **options}
    )
    assert isinstance(runner, playstream.Runner)
    return job.getvalue()


def work(job: bytes) -> bytes:
    results = io.BytesIO()
    playstream.run(streamer="worker", _input=io.BytesIO(job), _output=results)
    return results.getvalue()


@pytest.fixture(scope="module")
def results(shared_demo: Path) -> bytes:
    """The worker's stream of one real run."""
    return work(transmit(shared_demo, extravars={"word": "far away"}))


def test_through_memory(results: bytes, tmp_path: Path) -> None:
    runner = playstream.run(
        streamer="process",
        private_data_dir=tmp_path,
        _input=io.BytesIO(results),
        quiet=True,
        ident="x",
        playbook="site.yml",
    )
    assert (runner.status, runner.rc, runner.errored) == ("successful", 0, False)
    assert messages(runner.events) == ["far away"]
    assert runner.stats is not None
    assert runner.stats["ok"] == {"node1": 1}
    assert runner.config.artifact_dir == str(tmp_path / "artifacts" / "x")
    with runner.stdout as output:
        assert "far away" in output.read()


def test_as_awx_uses_it(results: bytes, tmp_path: Path) -> None:
    """Handlers, parameters of other stages, unknown ones, and an event handler that keeps nothing."""
    seen: list[str] = []
    configs: list[Any] = []

    def status_handler(data: dict[str, Any], runner_config: Any) -> None:
        seen.append(data["status"])
        configs.append(runner_config)

    def event_handler(event: dict[str, Any]) -> bool:
        assert {"stdout", "start_line", "end_line"} <= event.keys()
        event["job_id"] = 1
        return False

    options: dict[str, Any] = {
        "streamer": "process",
        "_input": io.BytesIO(results),
        "quiet": True,
        "private_data_dir": str(tmp_path),
        "event_handler": event_handler,
        "status_handler": status_handler,
        "cancel_callback": lambda: False,
        "finished_callback": lambda runner: seen.append(f"finished {runner.status}"),
        "artifacts_handler": seen.append,
        "playbook": "site.yml",
        "verbosity": 0,
        "settings": {"job_timeout": 9, "own_key": "x"},
        "ident": 42,
        "fact_cache_type": "",
        "something_of_a_later_version": {"a": 1},
        "job_explanation": None,
    }
    runner = playstream.run(**options)
    assert (runner.status, runner.rc) == ("successful", 0)
    assert list(runner.events) == []
    assert runner.stats is None
    artifacts = str(tmp_path / "artifacts" / "42")
    assert seen == ["starting", "running", "successful", artifacts, "finished successful"]
    config = configs[0]
    assert config.settings == {"job_timeout": 9, "own_key": "x"}
    assert config.command[0].endswith("ansible-playbook")
    assert config.env["PLAYSTREAM_IDENT"]
    assert config.cwd.endswith("project")


def test_settings_of_the_directory(results: bytes, tmp_path: Path) -> None:
    """Plugins look for their settings there."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "settings").write_text("runner_http_url: http://x\nown: 1\n")
    runner = playstream.run(
        streamer="process", private_data_dir=tmp_path, _input=io.BytesIO(results), quiet=True, settings={"own": 2}
    )
    assert runner.config.settings == {"runner_http_url": "http://x", "own": 2}
    assert runner.config.artifact_dir == str(tmp_path / "artifacts")


def test_rotation_stays_among_the_runs(results: bytes, tmp_path: Path) -> None:
    for name in ("a", "b"):
        playstream.run(
            streamer="process",
            _input=io.BytesIO(results),
            artifact_dir=tmp_path / "runs" / name,
            quiet=True,
            rotate_artifacts=1,
            ident="x",
        )
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b"]
    assert (tmp_path / "runs" / "a" / "status").exists()


@pytest.mark.parametrize("streamer", ["transmit", "worker"])
def test_a_stage_in_a_thread_can_be_waited_for(streamer: str, demo: Path, temporary: Path) -> None:
    job = io.BytesIO(transmit(demo, binary=fake(demo, "echo one")))
    thread, runner = playstream.run_async(
        streamer=streamer,  # type: ignore[arg-type]
        private_data_dir=demo if streamer == "transmit" else None,
        playbook="site.yml",
        _input=job,
        _output=io.BytesIO(),
    )
    assert runner.wait(LIMIT_SECONDS)
    assert list(runner.events) == []
    thread.join()
    assert runner.status == ("unstarted" if streamer == "transmit" else "successful")


def test_through_open_files(results: bytes, tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(results)
    with (tmp_path / "capture").open("rb") as capture:
        runner = playstream.run(streamer="process", private_data_dir=tmp_path, _input=capture, quiet=True)
    assert runner.status == "successful"


def test_through_sockets_and_pipes_at_once(demo: Path, tmp_path: Path) -> None:
    """All three stages at the same time: transmit to the worker by a socket, the worker to process by a pipe."""
    near, far = socket.socketpair()
    reading, writing = os.pipe()

    def send() -> None:
        with near, near.makefile("wb") as file:
            playstream.run(
                streamer="transmit",
                private_data_dir=demo,
                playbook="site.yml",
                extravars={"word": "by wire"},
                _output=file,
            )

    def serve() -> None:
        with far, far.makefile("rb") as source, os.fdopen(writing, "wb") as target:
            playstream.run(streamer="worker", _input=source, _output=target)

    threads = [threading.Thread(target=send), threading.Thread(target=serve)]
    for thread in threads:
        thread.start()
    with os.fdopen(reading, "rb") as source:
        runner = playstream.run(streamer="process", private_data_dir=tmp_path, _input=source, quiet=True)
    for thread in threads:
        thread.join()
    assert runner.status == "successful"
    assert messages(runner.events) == ["by wire"]


def test_only_the_arguments(demo: Path) -> None:
    """For a worker that has the directory."""
    job = io.BytesIO()
    playstream.run(
        streamer="transmit",
        playbook="site.yml",
        only_transmit_kwargs=True,
        _output=job,
        extravars={"word": "kept there"},
    )
    results = io.BytesIO()
    playstream.run(streamer="worker", private_data_dir=demo, _input=io.BytesIO(job.getvalue()), _output=results)
    runner = playstream.run(
        streamer="process", private_data_dir=demo, _input=io.BytesIO(results.getvalue()), quiet=True
    )
    assert messages(runner.events) == ["kept there"]


@pytest.mark.parametrize("worker", ["playstream", "ansible-runner"])
def test_in_the_dialect_of_ansible_runner(worker: str, demo: Path, tmp_path: Path, temporary: Path) -> None:
    job = transmit(demo, extravars={"word": "in other words"}, dialect="runner", ident="7")
    assert job.startswith(b'{"kwargs": {')
    if worker == "playstream":
        results = work(job)
    else:
        python = ansible_runner_python()
        env = {**Stages(temporary).env, "PATH": f"{python.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            [python, "-m", "ansible_runner", "worker"],
            input=job,
            capture_output=True,
            env=env,
            check=True,
            timeout=LIMIT_SECONDS,
        )
        results = done.stdout
    assert results.startswith(b'{"status": "starting"')
    runner = playstream.run(streamer="process", private_data_dir=tmp_path, _input=io.BytesIO(results), quiet=True)
    assert (runner.status, runner.rc) == ("successful", 0)
    assert messages(runner.events) == ["in other words"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage"])
def test_a_broken_stream_is_a_status(results: bytes, tmp_path: Path, damage: str) -> None:
    """Not an exception: the status, its file, and the last callbacks say it."""
    stream = {"truncated": results[: len(results) // 2], "empty": b"", "garbage": b"no stream at all\n" * 9}[damage]
    seen: list[str] = []
    runner = playstream.run(
        streamer="process",
        private_data_dir=tmp_path,
        _input=io.BytesIO(stream),
        quiet=True,
        ident="x",
        status_handler=lambda data, **_: seen.append(data["status"]),
        finished_callback=lambda runner: seen.append(f"finished {runner.status}"),
    )
    assert (runner.status, runner.errored) == ("error", True)
    assert runner.explanation
    assert seen[-2:] == ["error", "finished error"]
    assert (tmp_path / "artifacts" / "x" / "status").read_text() == "error"


def test_a_failed_job_and_its_return_code(demo: Path, tmp_path: Path) -> None:
    results = work(transmit(demo, playbook=None, module="command", module_args="false"))
    runner = playstream.run(streamer="process", private_data_dir=tmp_path, _input=io.BytesIO(results), quiet=True)
    assert (runner.status, runner.rc, runner.errored) == ("failed", 2, False)
    assert (tmp_path / "artifacts" / "rc").read_text() == "2"


def test_what_handlers_raise(results: bytes, tmp_path: Path) -> None:
    def explode(*_: object, **__: object) -> bool:
        raise LookupError("boom")

    with pytest.raises(LookupError, match="boom"):
        playstream.run(
            streamer="process", private_data_dir=tmp_path, _input=io.BytesIO(results), quiet=True, event_handler=explode
        )
    assert (tmp_path / "artifacts" / "status").read_text() == "error"
    with pytest.raises(playstream.CallbackError, match="cancel_callback raised LookupError"):
        playstream.run(
            streamer="process",
            private_data_dir=tmp_path,
            _input=io.BytesIO(results),
            quiet=True,
            cancel_callback=explode,
        )


def test_process_is_canceled_while_nothing_comes(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        return len(asked) == 2

    with near, far, far.makefile("rb") as source:
        runner = playstream.run(
            streamer="process", private_data_dir=tmp_path, _input=source, quiet=True, cancel_callback=cancel
        )
    assert (runner.status, runner.rc) == ("canceled", 254)
    assert runner.explanation == "canceled by the cancel callback"


def test_what_a_file_has_read_ahead_is_not_lost(results: bytes, tmp_path: Path) -> None:
    near, far = socket.socketpair()

    def send() -> None:
        near.sendall(b"header\n" + results)
        near.close()

    sender = threading.Thread(target=send)
    sender.start()
    with far, far.makefile("rb") as source:
        assert source.readline() == b"header\n"
        runner = playstream.run(streamer="process", private_data_dir=tmp_path, _input=source, quiet=True)
    sender.join()
    assert runner.status == "successful"


def test_a_worker_whose_reader_goes_ends_its_job(demo: Path, temporary: Path, tmp_path: Path) -> None:
    job = transmit(demo, binary=fake(tmp_path, "echo 1; exec sleep 100"))
    near, far = socket.socketpair()
    failed: list[BaseException] = []

    def serve() -> None:
        with far, far.makefile("wb") as target:
            try:
                playstream.run(streamer="worker", _input=io.BytesIO(job), _output=target)
            except PlaystreamError as error:
                failed.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    wait_until(lambda: marked_processes(temporary))
    near.close()
    thread.join(60)
    assert not thread.is_alive()
    assert marked_processes(temporary) == []
    assert leftovers(temporary) == []


STANDARD = """
import sys
import playstream
playstream.run(streamer=sys.argv[1], private_data_dir=sys.argv[2], playbook="site.yml", quiet=True)
print("a stray line")
"""


def test_on_standard_output(demo: Path, tmp_path: Path) -> None:
    with (tmp_path / "job").open("wb") as job:
        done = run_program(STANDARD, "transmit", demo, temporary=tmp_path, stdout=job)
    assert (done.returncode, done.stderr) == (0, "a stray line\n")
    assert work((tmp_path / "job").read_bytes())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"streamer": "teleport"}, "streamer: expected 'transmit' or 'worker' or 'process', got 'teleport'"),
        ({"streamer": "transmit", "dialect": "Runner"}, "dialect: expected 'playstream' or 'runner', got 'Runner'"),
        ({"streamer": "process"}, "private_data_dir: expected a directory for the artifacts"),
        (
            {"streamer": "transmit", "playbook": "nope.yml", "private_data_dir": "."},
            r"playbook 'nope\.yml' was not found",
        ),
        ({"streamer": "transmit", "playbok": "x"}, "did you mean 'playbook'"),
        ({"streamer": "worker", "keepalive_seconds": "5"}, "keepalive_seconds: expected a number"),
        ({"streamer": "process", "private_data_dir": ".", "_input": "name"}, "_input: expected a file object"),
    ],
)
def test_bad_input(options: dict[str, Any], expected: str) -> None:
    output = io.BytesIO()
    with pytest.raises(ConfigurationError, match=expected):
        playstream.run(**{"_output": output, "_input": io.BytesIO(), **options})
    assert output.getvalue() == b""


def test_an_output_that_takes_nothing(demo: Path) -> None:
    class Full(io.RawIOBase):
        def write(self, _data: Any, /) -> int:
            raise OSError(28, "No space left on device")

        def writable(self) -> bool:
            return True

    with pytest.raises(LinkError, match=r"No space left on device|the next stage has exited"):
        playstream.run(streamer="transmit", private_data_dir=demo, playbook="site.yml", _output=Full())  # type: ignore[arg-type]
