"""Output that cannot be written is an error, output that is taken slowly arrives whole, and a reader may leave."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from playstream.cli import INTERRUPTED_EXIT_STATUS
from playstream.pipeline.errors import LinkError, OutputError
from tests.conftest import MakeDir
from tests.process.test_recording import line
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages, read_events

FULL = "/dev/full"
LOUD = """\
import sys
for number in range(3000):
    print(f"line {number} " + "x" * 60)
"""


@pytest.fixture
def loud(private_data_dir: MakeDir, tmp_path: Path, stages: Stages) -> Path:
    """A private data directory whose playbook shows more than a pipe holds."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    program = fakes / "ansible-playbook"
    program.write_text(f"#!/usr/bin/env python3\n{LOUD}")
    program.chmod(0o755)
    stages.path_before.append(fakes)
    return private_data_dir({"site.yml": "[]\n"})


def call(stages: Stages, words: Sequence[str | Path], stdin: bytes = b"", **streams: str) -> tuple[int, str]:
    """The exit status and standard error of a command with standard streams that are files."""
    files: dict[str, Any] = {name: Path(path).open("wb") for name, path in streams.items()}  # noqa: SIM115 - closed below
    try:
        process = stages.start(*words, **files)
    finally:
        for file in files.values():
            file.close()
    _, stderr = process.communicate(stdin, timeout=LIMIT_SECONDS)
    return process.returncode, (stderr or b"").decode()


@pytest.mark.parametrize("flags", [(), ("-j",), ("--raw-output",)])
def test_a_run_that_cannot_be_shown(stages: Stages, loud: Path, flags: Sequence[str]) -> None:
    status, stderr = call(stages, ("run", loud, "-p", "site.yml", "-i", "x", *flags), stdout=FULL)
    assert status == OutputError.exit_status, stderr
    assert stderr.count("standard output cannot be written: No space left on device") == 1
    check_complete(loud)


@pytest.mark.parametrize("flags", [(), ("-j",), ("--summary", "-")])
def test_a_stream_that_cannot_be_shown(stages: Stages, loud: Path, flags: Sequence[str]) -> None:
    result = stages.call("worker", stdin=stages.transmit(loud, "-p", "site.yml")).stdout
    status, stderr = call(stages, ("process", loud, "-i", "x", *flags), result, stdout=FULL)
    assert status == OutputError.exit_status, stderr
    assert stderr.count("standard output cannot be written: No space left on device") == 1
    check_complete(loud)


def check_complete(directory: Path) -> None:
    artifacts = directory / "artifacts" / "x"
    assert (artifacts / "status").read_text() == "successful"
    assert (artifacts / "rc").read_text() == "0"
    assert len(read_events(artifacts)) > 0
    assert "line 2999" in (artifacts / "stdout").read_text() or "line 2999" in str(read_events(artifacts))


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("--help",),
        ("run", "--help"),
        ("plugin-path",),
        ("worker", "--worker-info"),
    ],
)
def test_what_is_printed(stages: Stages, words: Sequence[str]) -> None:
    status, stderr = call(stages, words, stdout=FULL)
    assert status == OutputError.exit_status
    assert "standard output cannot be written" in stderr


@pytest.mark.parametrize("flags", [(), ("--dialect", "runner")])
def test_a_stream(stages: Stages, loud: Path, flags: Sequence[str]) -> None:
    status, stderr = call(stages, ("transmit", loud, "-p", "site.yml", *flags), stdout=FULL)
    assert status == LinkError.exit_status
    assert "the stream cannot be written: No space left on device" in stderr


def test_results(stages: Stages, loud: Path) -> None:
    status, stderr = call(stages, ("worker",), stages.transmit(loud, "-p", "site.yml"), stdout=FULL)
    assert status == LinkError.exit_status
    assert "the stream cannot be written: No space left on device" in stderr
    assert stages.leftovers() == []


@pytest.mark.parametrize(
    "words",
    [
        ("adhoc", "localhost", "-m", "ping"),
        ("playbook", "site.yml", "-i", "localhost,"),
        ("start", ".", "-p", "site.yml", "-i", "x"),
    ],
    ids=["adhoc", "playbook", "start"],
)
def test_what_other_commands_show(
    stages: Stages, loud: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    fakes = stages.path_before[0]
    (fakes / "ansible").symlink_to("ansible-playbook")
    monkeypatch.chdir(loud if words[0] == "start" else loud / "project")
    status, stderr = call(stages, words, stdout=FULL)
    assert status == OutputError.exit_status, stderr
    assert stderr.count("standard output cannot be written: No space left on device") == 1
    if words[0] == "start":
        wait_until(lambda: stages.call("is-alive", loud, "-i", "x").returncode)
        check_complete(loud)


@pytest.fixture
def stored(stages: Stages, tmp_path: Path) -> str:
    """A store with one run, whose results together are longer than what a pipe has room for."""
    url = f"sqlite:///{tmp_path}/runs.db"
    hosts = [f"node{number}" for number in range(200)]
    results = [
        line(number, "runner_on_ok", host=host, task="t", task_uuid="t1", task_action="debug", res={"msg": "x" * 1000})
        for number, host in enumerate(hosts, 2)
    ]
    recorded = (
        line(1, "playbook_on_task_start", name="t", task="t", task_uuid="t1", task_action="debug")
        + b"".join(results)
        + line(len(hosts) + 2, "playbook_on_stats", ok=dict.fromkeys(hosts, 1), changed={}, processed={})
    )
    done = stages.call("process", tmp_path, "-q", "-i", "x", "--store", url, stdin=recorded)
    assert (done.returncode, done.stderr) == (0, b"")
    return url


@pytest.mark.parametrize("words", [("runs",), ("show", "x"), ("show", "x", "--json")])
def test_what_a_store_has(stages: Stages, stored: str, words: Sequence[str]) -> None:
    status, stderr = call(stages, (*words, "--store", stored), stdout=FULL)
    assert status == OutputError.exit_status, stderr
    assert stderr.count("standard output cannot be written: No space left on device") == 1


@pytest.mark.parametrize("words", [("--help",), ("run", "DIRECTORY", "-p", "site.yml", "-i", "x")])
def test_the_command_line_of_compat(stages: Stages, loud: Path, words: Sequence[str]) -> None:
    command = [PLAYSTREAM[0], "-m", "playstream.compat", "-m", "ansible_runner"]
    command += [str(loud) if word == "DIRECTORY" else word for word in words]
    with Path(FULL).open("wb") as full:
        done = subprocess.run(
            command, env=stages.env, stdout=full, stderr=subprocess.PIPE, check=False, timeout=LIMIT_SECONDS
        )
    assert done.returncode == OutputError.exit_status, done.stderr
    assert done.stderr.count(b"standard output cannot be written: No space left on device") == 1
    if words[0] == "run":
        check_complete(loud)


@pytest.mark.parametrize("words", [("run", "--help"), ("show", "x", "--json")], ids=["help", "show"])
def test_ctrl_c_while_nobody_takes_the_output(stages: Stages, stored: str, words: Sequence[str]) -> None:
    pipe = Slow(blocking=True)
    if words[0] == "show":
        words = (*words, "--store", stored)
    try:
        pipe.leave_a_page()
        process = stages.start(*words, stdin=subprocess.DEVNULL, stdout=pipe.writing_end)
        wait_until(pipe.is_full)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        pipe.close()
    program = b"playstream show" if words[0] == "show" else b"playstream"
    assert (process.returncode, stderr) == (INTERRUPTED_EXIT_STATUS, program + b": interrupted\n")


def test_a_log(stages: Stages, loud: Path) -> None:
    status, stderr = call(stages, ("--logfile", FULL, "run", loud, "-p", "site.yml", "-i", "x", "-q"))
    assert status == OutputError.exit_status
    assert f"logfile: '{FULL}' cannot be written: No space left on device" in stderr
    assert "Traceback" not in stderr
    check_complete(loud)


def test_messages(stages: Stages, loud: Path) -> None:
    status, _ = call(stages, ("--debug", "run", loud, "-p", "site.yml", "-i", "x", "-q"), stderr=FULL)
    assert status == OutputError.exit_status
    check_complete(loud)


@pytest.mark.parametrize("words", [("--help",), ("plugin-path",), ("RUN",)])
def test_a_reader_that_has_left_is_no_error(stages: Stages, loud: Path, words: Sequence[str]) -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    if words == ("RUN",):
        words = ("run", str(loud), "-p", "site.yml", "-i", "x")
    try:
        process = stages.start(*words, stdout=writing_end)
    finally:
        os.close(writing_end)
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stderr) == (0, b"")


class Slow:
    """A non-blocking pipe as ssh leaves it, or any other, read when it is full.

    Args:
        blocking: whether it blocks.
        terminal: whether it is a terminal.
    """

    def __init__(self, *, blocking: bool = False, terminal: bool = False) -> None:
        self._reading_end, self.writing_end = os.openpty() if terminal else os.pipe()
        os.set_blocking(self.writing_end, blocking)
        self.data = b""

    def read(self, process: subprocess.Popen[bytes]) -> bytes:
        """All that comes; at first when the writer has found the pipe full or has ended."""
        wait_until(lambda: process.poll() is not None or self.is_full())
        os.close(self.writing_end)
        while data := self._read_some():
            self.data += data
        os.close(self._reading_end)
        return self.data

    def _read_some(self) -> bytes:
        try:
            return os.read(self._reading_end, 1000)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return b""  # a terminal that nobody has open any more

    def close(self) -> None:
        """Close both ends of a pipe that is not read."""
        os.close(self._reading_end)
        os.close(self.writing_end)

    def leave_a_page(self) -> None:
        """Fill it but for a page."""
        os.write(self.writing_end, bytes(fcntl.fcntl(self.writing_end, fcntl.F_GETPIPE_SZ) - select.PIPE_BUF))

    def is_full(self) -> bool:
        """Whether the kernel has no room for a page, however little the pages that it has hold."""
        poll = select.poll()
        poll.register(self.writing_end, select.POLLOUT)
        return not poll.poll(0)


@pytest.mark.parametrize("flags", [(), ("-j",), ("--raw-output",), ("--debug",)])
def test_a_pipe_that_does_not_block(stages: Stages, loud: Path, flags: Sequence[str]) -> None:
    slow = Slow()
    process = stages.start(
        "run",
        loud,
        "-p",
        "site.yml",
        "-i",
        "x",
        *flags,
        stdin=subprocess.DEVNULL,
        stdout=slow.writing_end,
        stderr=slow.writing_end,
    )
    shown = slow.read(process).decode()
    assert process.wait(LIMIT_SECONDS) == 0
    for number in (0, 1500, 2999):
        assert f"line {number} " in shown
    assert shown.count("xxxx\n") == 3000 or "-j" in flags


def test_streams_that_do_not_block(stages: Stages, loud: Path) -> None:
    """All three stages, each with standard output and error on one pipe that ssh has made non-blocking."""
    (loud / "project" / "large").write_bytes(os.urandom(1 << 20))
    job = filter_slowly(stages, ("transmit", loud, "-p", "site.yml"), b"")
    results = filter_slowly(stages, ("worker",), job)
    shown = filter_slowly(stages, ("process", loud, "-i", "x"), results).decode()
    assert shown.count("xxxx\n") == 3000
    check_complete(loud)


def filter_slowly(stages: Stages, words: Sequence[str | Path], stdin: bytes) -> bytes:
    """What a stage makes of its input, between two pipes that do not block."""
    slow = Slow()
    source, sink = os.pipe()
    os.set_blocking(source, False)
    process = stages.start(*words, stdin=source, stdout=slow.writing_end, stderr=slow.writing_end)
    os.close(source)

    def feed() -> None:
        with os.fdopen(sink, "wb") as file:
            file.write(stdin)

    thread = threading.Thread(target=feed)
    thread.start()
    found = slow.read(process)
    thread.join()
    assert process.wait(LIMIT_SECONDS) == 0, found[-2000:]
    return found


def test_a_terminal_that_does_not_block(stages: Stages, loud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live display moves its line there, and what the run shows scrolls above it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    slow = Slow(terminal=True)
    process = stages.start(
        "run",
        loud,
        "-p",
        "site.yml",
        "-i",
        "x",
        stdin=subprocess.DEVNULL,
        stdout=slow.writing_end,
        stderr=slow.writing_end,
    )
    shown = slow.read(process).decode()
    assert process.wait(LIMIT_SECONDS) == 0
    assert shown.count("xxxx\r\n") == 3000
    assert "\x1b[2K" in shown


LIBRARY = """
import os, sys, playstream
from playstream.cli import INTERRUPTED_EXIT_STATUS
from playstream.pipeline.errors import OutputError
try:
    runner = playstream.run(private_data_dir=sys.argv[1], playbook="site.yml", ident="x")
except OutputError as error:
    os.write(2, str(error).encode())
    os._exit(3)
print(runner.status, file=sys.stderr)
"""


def test_a_program(stages: Stages, loud: Path) -> None:
    command = [PLAYSTREAM[0], "-c", LIBRARY, str(loud)]
    with Path(FULL).open("wb") as full:
        done = subprocess.run(
            command, env=stages.env, stdout=full, stderr=subprocess.PIPE, check=False, timeout=LIMIT_SECONDS
        )
    assert done.returncode == 3
    assert b"standard output cannot be written: No space left on device. " in done.stderr
    assert b"the artifacts are complete" in done.stderr
    check_complete(loud)

    slow = Slow()
    process = subprocess.Popen(command, env=stages.env, stdout=slow.writing_end, stderr=subprocess.PIPE)
    assert slow.read(process).count(b"xxxx\n") == 3000
    assert process.communicate(timeout=LIMIT_SECONDS)[1] == b"successful\n"
