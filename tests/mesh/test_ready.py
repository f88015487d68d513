"""Workers that a node starts before there is a job for them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.mesh.node.process import WorkerProcess
from playstream.mesh.node.ready import MOST, ReadyWorkers
from playstream.pipeline.io.cancellation import Cancellation
from playstream.worker.readiness import Call, wait_for_job
from tests.mesh.nodes import NodeProcess, World, wait_for_text
from tests.processes import children, command_line, guards_of, is_running, wait_until

CLOCK_SECONDS = 4.0


def workers_of(pid: int) -> list[int]:
    """Return the workers that a process has started, the first one first."""
    return [child for child in children(pid) if b"--wait-on" in command_line(child)]


def waiting(node: NodeProcess, number: int) -> list[int]:
    """Wait until a node has so many workers, and return them."""
    wait_until(lambda: len(workers_of(node.process.pid)) == number)
    return workers_of(node.process.pid)


@pytest.mark.parametrize("flags", [[], ["--no-encryption"]])
def test_a_job_gets_a_worker_that_was_waiting(world: World, hanging: Path, flags: list[str]) -> None:
    node = world.node("node1", "--slots", "2", *flags)
    first, second = waiting(node, 2)
    assert world.processes() == []
    world.start(hanging, "hang.yml", *flags)
    wait_for_text(hanging, "waiting")
    assert guards_of(first) != []
    assert guards_of(second) == []
    assert workers_of(node.process.pid) == [first, second]


def test_a_node_without_a_free_slot_has_one_ready(world: World, hanging: Path) -> None:
    node = world.node("node1", "--slots", "1")
    (first,) = waiting(node, 1)
    world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    assert waiting(node, 2)[0] == first


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_that_die_while_they_wait_do_not_end_a_job(
    world: World, directory: Path, number: signal.Signals
) -> None:
    node = world.node("node1", "--slots", "2")
    found = waiting(node, 2)
    for pid in found:
        os.kill(pid, number)
    wait_until(lambda: not any(map(is_running, found)))
    status, stdout, stderr = world.run(directory, "site.yml")
    assert (status, "hello" in stdout) == (0, True), stderr


def test_they_end_with_a_node_that_is_killed(world: World) -> None:
    node = world.node("node1", "--slots", "2")
    found = waiting(node, 2)
    node.send(signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, found)))


def test_they_end_when_no_more_jobs_are_taken(world: World, hanging: Path) -> None:
    node = world.node("node1", "--slots", "3")
    first = waiting(node, 3)[0]
    run = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    node.send(signal.SIGTERM)
    assert waiting(node, 1) == [first]
    assert run.poll() is None
    node.send(signal.SIGTERM)
    assert world.finish(run)[0] == 254
    assert node.process.wait(60) == 0
    assert not is_running(first)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for what is installed."""
    path = tmp_path / "__init__.py"
    path.touch()
    monkeypatch.setattr(playstream, "__file__", str(path))
    return path


def with_workers(body: Callable[[ReadyWorkers], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        ready = ReadyWorkers(CLOCK_SECONDS)
        try:
            await body(ready)
        finally:
            await ready.close()
        assert workers_of(os.getpid()) == []

    asyncio.run(run())


async def until(number: int) -> None:
    """Wait until this process has so many workers."""
    while len(workers_of(os.getpid())) != number:
        await asyncio.sleep(0.01)


async def taken(ready: ReadyWorkers) -> int:
    """Take a worker and end it; return its process."""
    worker: WorkerProcess = await ready.take()
    pid = worker.pid
    assert worker.is_running
    await worker.close()
    return pid


def test_a_worker_from_before_an_update_gets_no_job(installed: Path) -> None:
    async def body(ready: ReadyWorkers) -> None:
        ready.keep(2)
        await until(2)
        before = workers_of(os.getpid())
        os.utime(installed, ns=(0, 0))
        assert await taken(ready) not in before
        assert not any(map(is_running, before))

    with_workers(body)


def test_without_an_update_the_first_is_taken_first(installed: Path) -> None:
    async def body(ready: ReadyWorkers) -> None:
        ready.keep(2)
        await until(2)
        before = workers_of(os.getpid())
        assert [await taken(ready) for _ in before] == before

    with_workers(body)


@pytest.mark.parametrize(("free", "expected"), [(0, 1), (1, 1), (3, 3), (100, MOST)])
def test_how_many_wait(free: int, expected: int) -> None:
    async def body(ready: ReadyWorkers) -> None:
        ready.keep(free)
        await until(expected)

    with_workers(body)


def test_a_job_that_comes_at_the_end_has_a_worker_nevertheless() -> None:
    async def body(ready: ReadyWorkers) -> None:
        await ready.close()
        ready.keep(1)
        assert workers_of(os.getpid()) == []
        await taken(ready)

    with_workers(body)


def wait_with(data: bytes | None, reason: str | None = None) -> Call | None:
    """Let a worker wait, whose node says something, or has ended; with a reason the worker is to end."""
    reading, writing = os.pipe()
    with closing(Cancellation()) as cancellation:
        if reason is not None:
            cancellation.request(reason)
        if data is not None:
            os.write(writing, data)
            os.close(writing)
        try:
            return wait_for_job(reading, cancellation)
        finally:
            if data is None:
                os.close(writing)


def test_what_a_worker_hears_from_its_node() -> None:
    assert wait_with(b"e") is Call.ENCRYPTED
    assert wait_with(b"p") is Call.PLAIN
    assert wait_with(b"") is None
    assert wait_with(None, "canceled by SIGTERM") is None
    assert wait_with(b"e", "canceled by SIGTERM") is None
