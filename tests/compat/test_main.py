"""The command line as a program calls it: `ansible_runner.__main__.main()`, and `start` with its pid file."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from playstream.compat import ansible_runner
from playstream.compat.ansible_runner.__main__ import main
from tests.compat.conftest import Run, make_directory
from tests.processes import wait_until


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "expected a command"),
        (["run"], 2, "required: DIR"),
        (["run", "DIR", "-r", "x", "-p", "y"], 2, "not allowed with"),
        (["run", "DIR"], 1, "expected something to run"),
        (["start", "DIR", "-p", "x", "--hosts", "all"], 1, "--hosts applies to a module"),
        (["transmit", "DIR", "-p", "x", "--inventory", "none"], 1, "'none' was not found"),
    ],
)
def test_words_that_do_not_go_together(
    words: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([str(tmp_path) if word == "DIR" else word for word in words])
    shown = capsys.readouterr()
    assert left.value.code == status
    assert said in shown.err
    assert ("These are common Ansible Runner commands" in shown.out) == (not words)


@pytest.mark.parametrize("command", ["run", "start", "transmit"])
def test_a_directory_that_is_a_file(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        main([command, str(tmp_path / "file"), "-p", "site.yml"])


def test_a_directory_that_is_a_file_on_the_command_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("-m", "playstream.compat", "-m", "ansible_runner", "run", tmp_path / "file", "-p", "site.yml")
    assert done.returncode != 0
    assert "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_start_writes_a_pid_file(run: Run, tmp_path: Path) -> None:
    directory = make_directory(tmp_path / "demo")
    command = ("-m", "playstream.compat", "-m", "ansible_runner")
    done = run(*command, "start", directory, "-p", "pause.yml", "-i", "one")
    assert done.returncode == 0, done.stderr
    pid = int((directory / "pid").read_text())
    assert main(["is-alive", str(directory), "-q"]) == 0
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not (directory / "pid").exists())
    assert (directory / "artifacts" / "one" / "status").read_text() == "canceled"
    assert main(["is-alive", str(directory), "-q"]) == 1


BAD_STREAMS: list[tuple[bytes, str]] = [
    (b"", "Failed to JSON parse a line from transmit stream."),
    (b"no stream\n", "Failed to JSON parse a line from transmit stream."),
    (b'{"kwargs": {\n', "Failed to JSON parse a line from transmit stream."),
    (b'{"kwargs": {"playbook": "x.yml"}}\n', "Failed to JSON parse a line from transmit stream."),
    (
        b'{"kwargs": {"playbook": "x.yml"}}\n{"zipfile": 5}\n\1\2\3\4\5{"eof": true}\n',
        "Failed to extract private data directory on worker.",
    ),
    (
        b'{"kwargs": {"playbook": "x.yml"}}\n{"zipfile": 8}\nAAAAAAAAAAA={"eof": true}\n',
        "Failed to extract private data directory on worker.",
    ),
]


@pytest.mark.parametrize(("stream", "explanation"), BAD_STREAMS)
def test_a_worker_answers_in_its_own_dialect(stream: bytes, explanation: str, tmp_path: Path) -> None:
    output = io.BytesIO()
    ansible_runner.run(
        streamer="worker", _input=io.BytesIO(stream), _output=output, private_data_dir=tmp_path / "worker"
    )
    status, end = map(json.loads, output.getvalue().splitlines())
    assert (status["status"], status["job_explanation"]) == ("error", explanation)
    assert status["result_traceback"]
    assert end == {"eof": True}


def test_a_worker_of_the_command_line(run: Run) -> None:
    done = run("-m", "playstream.compat", "-m", "ansible_runner", "worker")  # its input is empty
    assert json.loads(done.stdout.splitlines()[0])["job_explanation"] == BAD_STREAMS[0][1]
    assert done.returncode != 0


def test_what_is_transmitted_can_be_read(tmp_path: Path) -> None:
    options: dict[str, Any] = {"playbook": "site.yml", "envvars": {"WORD": "x"}}
    sender = ansible_runner.streaming.Transmitter(_output=io.BytesIO(), private_data_dir=tmp_path, **options)
    assert sender.kwargs == {**options, "private_data_dir": tmp_path}
