"""The programs that are measured: where they are, and how they are started, timed and watched."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.errors import BenchmarkError

_POLL_SECONDS = 0.002
_ROWS, _COLUMNS = 24, 80


@dataclass(frozen=True, slots=True)
class Program:
    """A command line and what it is started with."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path


def time_pipeline(programs: Sequence[Program], *, source: Path | None = None, sink: Path | None = None) -> float:
    """Seconds from the start of the first program to the end of the last, joined as in a shell.

    Args:
        programs: in the order of the shell.
        source: the first one's standard input; nothing when left out.
        sink: the last one's standard output; /dev/null when left out.

    Raises:
        BenchmarkError: one of them failed.
    """
    with ExitStack() as stack:
        first: IO[bytes] = stack.enter_context((source or Path(os.devnull)).open("rb"))
        last: IO[bytes] = stack.enter_context((sink or Path(os.devnull)).open("wb"))
        messages: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
        running: list[subprocess.Popen[bytes]] = []
        started = time.perf_counter()
        for index, program in enumerate(programs):
            before = running[-1].stdout if running else first
            after = last if index == len(programs) - 1 else subprocess.PIPE
            running.append(_start(program, before, after, messages))
            if before is not None and before is not first:
                before.close()
        for process in running:
            process.wait()
        seconds = time.perf_counter() - started
        for program, process in zip(programs, running, strict=True):
            _check(program, process.returncode, messages)
        return seconds


def time_on_terminal(program: Program) -> float:
    """Seconds that the program takes on a terminal, whose output is read and dropped.

    Raises:
        BenchmarkError: it failed.
    """
    master, slave = os.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        reader = threading.Thread(target=_drain, args=(master,))
        reader.start()
        started = time.perf_counter()
        process = subprocess.Popen(
            program.argv,
            env=program.env,
            cwd=program.cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        process.wait()
        seconds = time.perf_counter() - started
    finally:
        os.close(slave)
    reader.join()
    os.close(master)
    if process.returncode:
        raise BenchmarkError(f"{program.argv[0]} ended with status {process.returncode}")
    return seconds


def peak_memory(program: Program, *, source: Path | None = None, sink: Path | None = None) -> float:
    """MiB of memory that the program's own process held at most, those it starts not counted.

    wait4's ru_maxrss is of no use here: it counts children that were waited for, and what the process was before
    exec. So VmHWM, which only grows, is read every few milliseconds.

    Raises:
        BenchmarkError: it failed.
    """
    with ExitStack() as stack:
        first: IO[bytes] = stack.enter_context((source or Path(os.devnull)).open("rb"))
        last: IO[bytes] = stack.enter_context((sink or Path(os.devnull)).open("wb"))
        messages: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
        process = _start(program, first, last, messages)
        status = Path(f"/proc/{process.pid}/status")
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _read_peak(status))
            time.sleep(_POLL_SECONDS)
        _check(program, process.returncode, messages)
        return peak


def _start(
    program: Program, before: IO[bytes] | None, after: IO[bytes] | int, messages: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            program.argv, env=program.env, cwd=program.cwd, stdin=before, stdout=after, stderr=messages
        )
    except OSError as error:
        raise BenchmarkError(f"{program.argv[0]} cannot be started: {error.strerror}") from None


def _check(program: Program, status: int, messages: IO[bytes]) -> None:
    if status:
        messages.seek(0)
        said = messages.read()[-2000:].decode(errors="replace").strip()
        raise BenchmarkError(f"{' '.join(program.argv)} ended with status {status}: {said or 'it said nothing'}")


def _read_peak(status: Path) -> float:
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0  # it is ending


def _drain(master: int) -> None:
    while True:
        try:
            if not os.read(master, 1 << 16):
                return
        except OSError:
            return  # EIO: no process has the terminal open any more
