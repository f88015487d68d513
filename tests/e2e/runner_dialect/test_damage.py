"""Streams with noise in them, and streams that are cut, each with a clear end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import StatusName
from tests.e2e.runner_dialect import captured
from tests.e2e.runner_dialect.replay import kept_events, process_stream, serve_stream
from tests.stages import Stages

BANNER = b"Welcome to node1\r\n\x1b[1mAuthorized use only {see below}\x1b[0m\r\nWARNING: 1 package can be updated\n\n"
WARNINGS = (
    b"/usr/lib/python3/dist-packages/paramiko/transport.py:236: CryptographyDeprecationWarning: old\n",
    b"  {'a': 1}\n",
    b'[WARNING]: something {"of": "no meaning"} here\n',
    b"Traceback (most recent call last):\n",
    b"\n",
    b"\xff\xfe\x00 bytes\n",
)
WORKER = captured.stream("2.4.3", "worker")
JOB = captured.stream("2.4.3", "transmit")

_ARCHIVE = WORKER.index(b'{"zipfile"')
_BASE64 = WORKER.index(b"\n", _ARCHIVE) + 1
_EOF = WORKER.index(b'{"eof"')
CUTS = sorted(
    {
        *captured.line_ends(WORKER)[:-1],
        *(end + offset for end in [0, *captured.line_ends(WORKER)[:-2:5]] for offset in (1, 40, 400)),
        *range(_BASE64, _EOF, 211),
        _BASE64 + 1,
        _BASE64 + 2,
        _BASE64 + 3,
        _EOF - 1,
        _EOF,
        _EOF + 5,
    }
)
_JOB_BASE64 = JOB.index(b"\n", JOB.index(b'{"zipfile"')) + 1
_JOB_EOF = JOB.index(b'{"eof"')
JOB_CUTS = [
    20,
    JOB.index(b"\n"),
    JOB.index(b"\n") + 1,
    JOB.index(b"\n") + 5,
    _JOB_BASE64,
    _JOB_BASE64 + 1,
    _JOB_BASE64 + 500,
    _JOB_EOF - 1,
    _JOB_EOF,
    _JOB_EOF + 6,
]


def complete_events(data: bytes) -> list[object]:
    """The events whose lines are whole."""
    lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
    found = [json.loads(line) for line in lines if line.startswith(b'{"')]
    return [values for values in found if values.get("counter")]


def between_lines(data: bytes) -> bytes:
    """The stream with lines of other programs between its own, but for the archive."""
    lines = data.split(b"\n")
    archive = next(number for number, line in enumerate(lines) if line.startswith(b'{"zipfile"'))
    parts = [line + b"\n" + WARNINGS[number % len(WARNINGS)] for number, line in enumerate(lines[:archive])]
    return b"".join([*parts, b"\n".join(lines[archive:])])


@pytest.mark.parametrize("version", captured.VERSIONS)
@pytest.mark.parametrize("noise", ["before", "between", "behind", "all"])
def test_noise_is_skipped_and_told(version: str, noise: str, tmp_path: Path) -> None:
    clean = captured.stream(version, "worker")
    data = between_lines(clean) if noise in {"between", "all"} else clean
    data = BANNER + data if noise in {"before", "all"} else data
    data = data + b"Connection to node1 closed.\r\n" if noise in {"behind", "all"} else data
    result, watcher = process_stream(data, tmp_path / "artifacts")
    assert (result.status, result.rc, result.exit_status) == (StatusName.SUCCESSFUL, 0, 0)
    assert kept_events(result.artifact_dir) == captured.events(clean)
    assert (result.artifact_dir / "stdout").read_bytes() == captured.files(clean)["stdout"]
    assert all("not part of the stream" in message for message in watcher.logs)
    assert bool(watcher.logs) is (noise != "behind")
    if noise in {"before", "all"}:
        assert "Welcome to node1" in watcher.logs[0]


@pytest.mark.parametrize("prefix", [BANNER, b"".join(WARNINGS), b"no line end: "], ids=["banner", "warnings", "prompt"])
def test_noise_before_a_job(prefix: bytes, stages: Stages) -> None:
    served = stages.call("worker", stdin=prefix + JOB)
    assert served.returncode == 0, served.stderr
    found = captured.objects(served.stdout)
    assert [values["status"] for values in found if "status" in values][-1] == "successful"
    assert b"Traceback (most" not in served.stderr


@pytest.mark.parametrize("cut", CUTS)
def test_results_that_are_cut(cut: int, tmp_path: Path) -> None:
    data = WORKER[:cut]
    result, watcher = process_stream(data, tmp_path / "artifacts")
    assert result.status is StatusName.ERROR
    assert result.exit_status in {IncompleteStream.exit_status, RemoteProtocolError.exit_status}
    assert result.explanation
    assert "\n" not in result.explanation
    assert watcher.statuses[-1] == "error"
    assert watcher.statuses.count("error") == 1
    artifacts = result.artifact_dir
    assert (artifacts / "status").read_text() == "error"
    events = complete_events(data)
    assert kept_events(artifacts) == events
    if b'"starting"' in data and b"\n" in data:
        assert json.loads((artifacts / "command").read_text())["command"][0] == "ansible-playbook"
    assert not (artifacts / ".incoming").exists()


@pytest.mark.parametrize("version", captured.VERSIONS)
def test_the_last_line_may_lack_its_end(version: str, tmp_path: Path) -> None:
    result, watcher = process_stream(captured.stream(version, "worker").removesuffix(b"\n"), tmp_path / "artifacts")
    assert (result.status, result.exit_status, watcher.logs) == (StatusName.SUCCESSFUL, 0, [])


@pytest.mark.parametrize("cut", [1, 200, _ARCHIVE, _BASE64 + 333, _EOF])
def test_results_that_are_cut_on_the_command_line(cut: int, stages: Stages, tmp_path: Path) -> None:
    done = stages.call("process", tmp_path / "demo", stdin=WORKER[:cut])
    assert done.returncode in {IncompleteStream.exit_status, RemoteProtocolError.exit_status}
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("playstream process: error: ")
    assert (tmp_path / "demo" / "artifacts" / "status").read_text() == "error"


@pytest.mark.parametrize("version", captured.VERSIONS)
def test_a_damaged_archive(version: str, tmp_path: Path) -> None:
    data = bytearray(captured.stream(version, "worker"))
    start = data.index(b"\n", data.index(b'{"zipfile"')) + 1
    data[start + 400 : start + 440] = b"A" * 40
    result, _ = process_stream(bytes(data), tmp_path / "artifacts")
    assert result.status is StatusName.ERROR
    assert result.exit_status == RemoteProtocolError.exit_status
    assert "archive" in (result.explanation or "")
    assert kept_events(result.artifact_dir) == captured.events(captured.stream(version, "worker"))


def test_a_line_of_another_program_in_an_archive(tmp_path: Path) -> None:
    data = WORKER[: _BASE64 + 400] + b"\nWARNING: disk is full\n" + WORKER[_BASE64 + 400 :]
    result, _ = process_stream(data, tmp_path / "artifacts")
    assert result.status is StatusName.ERROR
    assert "Another program" in (result.explanation or "")
    assert kept_events(result.artifact_dir) == captured.events(WORKER)


def test_a_line_with_another_program_s_in_it(tmp_path: Path) -> None:
    place = captured.line_ends(WORKER)[5] + 30
    result, _ = process_stream(WORKER[:place] + b"\nWARNING: disk is full\n" + WORKER[place:], tmp_path / "artifacts")
    assert result.status is StatusName.ERROR
    assert result.exit_status == RemoteProtocolError.exit_status
    assert kept_events(result.artifact_dir) == complete_events(WORKER[:place])


@pytest.mark.parametrize("cut", JOB_CUTS)
def test_a_job_that_is_cut(cut: int, tmp_path: Path) -> None:
    sent, error = serve_stream(JOB[:cut], tmp_path / "unpacked")
    assert isinstance(error, RemoteProtocolError)
    said, end = [json.loads(line) for line in sent.splitlines()]
    assert end == {"eof": True}
    assert said["status"] == "error"
    assert said["job_explanation"] == str(error)
    assert "\n" not in said["job_explanation"]


@pytest.mark.parametrize("cut", [_JOB_BASE64 + 500, _JOB_EOF])
def test_a_job_that_is_cut_on_the_command_line(cut: int, stages: Stages) -> None:
    done = stages.call("worker", stdin=JOB[:cut])
    assert done.returncode == IncompleteStream.exit_status
    said, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert (said["status"], end) == ("error", {"eof": True})
    [line] = done.stderr.decode().splitlines()
    assert line == f"playstream worker: {said['job_explanation']}"
    assert stages.leftovers() == []


@pytest.mark.parametrize("cut", [20, _JOB_BASE64 + 500, _JOB_EOF])
def test_what_process_says_when_the_job_was_cut(cut: int, tmp_path: Path) -> None:
    sent, error = serve_stream(JOB[:cut], tmp_path / "unpacked")
    result, _ = process_stream(sent, tmp_path / "artifacts")
    assert result.status is StatusName.ERROR
    assert result.explanation == str(error)
    assert result.exit_status != 0
