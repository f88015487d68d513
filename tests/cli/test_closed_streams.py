"""Commands whose standard input, output or error is closed, as services and `2>&-` leave them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import LinkError
from playstream.pipeline.io.stdio import claim_input, claim_output, fill_standard_streams
from tests.conftest import MakeDir
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages


@pytest.fixture
def directory(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": "- {hosts: all, gather_facts: false, tasks: []}\n"})


def call(stages: Stages, closed: str, *words: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command without some of its standard streams; what it says must not get elsewhere."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *PLAYSTREAM, *map(str, words)]
    return subprocess.run(command, env=stages.env, input=stdin, check=False, timeout=LIMIT_SECONDS, capture_output=True)


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_transmit_without_standard_error(stages: Stages, directory: Path, closed: str) -> None:
    done = call(stages, closed, "transmit", directory, "-p", "site.yml")
    assert done.returncode == 0
    ran = call(stages, "2>&-", "worker", stdin=done.stdout)
    assert (ran.returncode, ran.stderr) == (0, b"")
    shown = call(stages, "2>&-", "process", directory, "-i", "x", stdin=ran.stdout)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert (directory / "artifacts" / "x" / "status").read_text() == "successful"
    assert stages.leftovers() == []


@pytest.mark.parametrize(
    ("words", "closed", "name"),
    [
        (("worker",), "<&-", "input"),
        (("process", "."), "<&-", "input"),
        (("worker",), ">&-", "output"),
        (("transmit", ".", "-p", "site.yml"), ">&-", "output"),
    ],
)
def test_a_stream_of_a_stage_that_is_closed(
    stages: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], closed: str, name: str
) -> None:
    monkeypatch.chdir(directory)
    monkeypatch.chdir(directory)
    done = call(stages, closed, *words)
    assert done.returncode == LinkError.exit_status, done.stderr
    assert f"playstream {words[0]}: standard {name} is closed; connect it to the ".encode() in done.stderr
    assert not (directory / "artifacts").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("run", ".", "-p", "missing.yml"),
        ("stop", "."),
        ("show", "x"),
        ("adhoc",),
        ("process", "."),
    ],
    ids=lambda words: words[0],
)
def test_messages_do_not_get_into_standard_output(
    stages: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(directory)
    monkeypatch.chdir(directory)
    done = call(stages, "2>&-", *words)
    assert done.returncode > 0
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize(("closed", "shown"), [("2>&-", b"started x\n"), ("<&- >&- 2>&-", b"")])
def test_start_without_standard_streams(stages: Stages, directory: Path, closed: str, shown: bytes) -> None:
    done = call(stages, closed, "start", directory, "-p", "site.yml", "-i", "x")
    assert (done.returncode, done.stdout, done.stderr) == (0, shown, b"")
    status = directory / "artifacts" / "x" / "status"
    wait_until(lambda: status.exists() and status.read_text() == "successful")
    wait_until(lambda: stages.leftovers() == [])


@contextlib.contextmanager
def without(number: int) -> Iterator[None]:
    """This process without one of its standard streams."""
    kept = os.dup(number)
    os.close(number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)


def test_a_stage_of_a_program_without_standard_input(tmp_path: Path) -> None:
    result = (tmp_path / "result").open("wb")
    with result, without(0), pytest.raises(LinkError, match="standard input is closed"):
        playstream.run(streamer="worker", _output=result)


def test_a_standard_stream_that_is_opened_later_is_taken(tmp_path: Path) -> None:
    with without(0):
        fill_standard_streams()
        (tmp_path / "input").write_bytes(b"input")
        fd = os.open(tmp_path / "input", os.O_RDONLY)
        os.dup2(fd, 0)
        os.close(fd)
        claimed = claim_input()
        assert os.read(claimed, 9) == b"input"
        os.close(claimed)
    with without(1):
        fill_standard_streams()
        with pytest.raises(LinkError, match="standard output is closed"):
            claim_output()
