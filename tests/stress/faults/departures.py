"""A reader of the worker's results that goes away after so many bytes: how `work` ends, and what is left."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import LinkError
from playstream.pipeline.io.stdio import Connection
from playstream.worker import WorkerOptions, WorkResult
from playstream.worker.serving import work
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS
from tests.stress.faults.sessions import job

_KEEPALIVE_SECONDS = 0.02
"""So that a job that prints nothing still says more than any offset."""
SCRIPTS = {"short": "echo one; echo two", "long": "echo one; exec sleep 600"}
"""What runs in Ansible's place."""


@contextmanager
def host(directory: Path, script: str) -> Iterator[None]:
    """This process as the worker's host: a fake Ansible, a small environment, temporary files in `directory`.

    Args:
        directory: an empty one.
        script: one of SCRIPTS.
    """
    program = directory / "bin" / "ansible-playbook"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{SCRIPTS[script]}\n")
    program.chmod(0o755)
    (directory / "tmp").mkdir()
    environment, temporary = dict(os.environ), tempfile.tempdir
    os.environ.clear()
    os.environ.update({"PATH": f"{program.parent}:{environment['PATH']}", "TERM": "dumb"})
    tempfile.tempdir = str(directory / "tmp")
    try:
        yield
    finally:
        tempfile.tempdir = temporary
        os.environ.clear()
        os.environ.update(environment)


def serve(dialect: Dialect, size: int | None) -> tuple[int, WorkResult | LinkError, float]:
    """Serve a small job.

    Args:
        dialect: the job's.
        size: bytes of the results after which their reader goes away; None for never.

    Returns:
        How many bytes it has read, how the worker ended, and seconds from the reader's end to the worker's.
    """
    reading, writing = os.pipe()
    job_end, job_start = os.pipe()
    os.write(job_start, job(dialect).data)  # a pipe takes that much
    os.close(job_start)
    found: list[tuple[int, float]] = []

    def read() -> None:
        count = 0
        while size is None or count < size:
            data = os.read(reading, 65536 if size is None else min(65536, size - count))
            if not data:
                break
            count += len(data)
        os.close(reading)
        found.append((count, time.monotonic()))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        ended: WorkResult | LinkError = work(
            Connection(job_end, writing), options=WorkerOptions(keepalive_seconds=_KEEPALIVE_SECONDS)
        )
    except LinkError as error:
        ended = error
    finally:
        finished = time.monotonic()
        os.close(writing)
        reader.join(LIMIT_SECONDS)
        os.close(job_end)
    ((count, gone),) = found
    return count, ended, max(0.0, finished - gone)


def check(dialect: Dialect, script: str, size: int) -> float:
    """Let the reader go away after `size` bytes, inside of `host`.

    Returns:
        Seconds from then until the worker had ended.

    Raises:
        AssertionError: something is left, or the end is not the right one.
    """
    before = _ours()
    count, ended, seconds = serve(dialect, size)
    if isinstance(ended, LinkError):
        assert str(ended).startswith("the next stage has exited"), ended
    else:
        assert script == "short", "nobody has read the end of the long one"
        assert ended.exit_status == 0
    assert count <= size
    temporary = Path(tempfile.gettempdir())
    assert marked_processes(temporary) == []
    assert list(temporary.iterdir()) == []
    wait_until(lambda: _ours() == before)  # a thread that has said that it failed may need a moment to end
    return seconds


def _ours() -> tuple[frozenset[str], frozenset[str], int]:
    """This process's descriptors, its children, and the number of its threads."""
    descriptors = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            descriptors.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:
            pass  # it was open to list the others
    children: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            children.update((task / "children").read_text().split())
        except OSError:
            continue  # the thread has ended
    return frozenset(descriptors), frozenset(children), threading.active_count()
