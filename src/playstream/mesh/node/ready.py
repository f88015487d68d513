"""Workers that are started before there is a job for them, so that a job does not wait for the start of Python."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Sequence
from typing import Final

import playstream
from playstream.mesh.node.process import WorkerProcess
from playstream.pipeline.errors import JobError

MOST: Final = 4
"""How many wait at most, however many slots are free: each takes 17 MiB of memory (Pss)."""

_Installation = tuple[tuple[int, int], ...] | None


class ReadyWorkers:
    """Keeps workers that wait for a job: one for each free slot, at least one, and at most MOST.

    Args:
        clock_seconds: how long ago the last contact to the mesh may be for one that has a job.
        flags: further flags of the workers.
    """

    def __init__(self, clock_seconds: float, flags: Sequence[str] = ()) -> None:
        self._clock_seconds = clock_seconds
        self._flags = flags
        self._wanted = 0
        self._is_closed = False
        self._waiting: deque[tuple[asyncio.Task[WorkerProcess], _Installation]] = deque()
        """Those that were started, the first one first, and from what they were started."""

    def keep(self, free: int) -> None:
        """Start as many as are missing.

        Args:
            free: how many slots are free.
        """
        if not self._is_closed:
            self._wanted = max(1, min(free, MOST))
            self._fill()

    async def take(self) -> WorkerProcess:
        """Return a worker for a job.

        Raises:
            JobError: none can be started.
        """
        while self._waiting:
            starting, started_from = self._waiting.popleft()
            self._fill()
            try:
                worker = await starting
            except JobError:
                continue  # it could not be started then
            if worker.is_running and started_from == _installation():
                return worker
            await worker.close()  # somebody has ended it while it waited, or playstream was updated
        return await self._start()

    async def close(self) -> None:
        """End those that wait. A job that comes nevertheless gets a worker that is started for it."""
        self._is_closed, self._wanted = True, 0
        waiting = [starting for starting, _ in self._waiting]
        self._waiting.clear()
        for found in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(found, WorkerProcess):
                await found.close()

    def _fill(self) -> None:
        while len(self._waiting) < self._wanted:
            self._waiting.append((asyncio.create_task(self._start()), _installation()))

    async def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._clock_seconds, self._flags)
        await worker.start()
        return worker


def _installation() -> _Installation:
    """Return what changes when playstream or Python is installed again; None while they are not there."""
    try:
        return tuple((found.st_ino, found.st_mtime_ns) for found in map(os.stat, (sys.executable, playstream.__file__)))
    except OSError:
        return None
