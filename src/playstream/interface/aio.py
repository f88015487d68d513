"""asyncio: a run's events as an asynchronous iterator, and a run that is awaited.

The run has a thread of its own; what comes from it is handed to the event loop, and a loop that is slow makes the run
wait, so that memory stays bounded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import CancelledError
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from playstream.interface.event_handler import expand_handler
from playstream.interface.runner import Runner
from playstream.interface.running import init_runner
from playstream.pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from playstream.interface.options import RunOptions

_AHEAD = 256
"""Events that may wait for the event loop."""
_Queue = asyncio.Queue["dict[str, Any] | None"]


class EventStream:
    """The events of one run, and the run. Made by stream().

    The job starts with the first event that is asked for. Cancelling the task that iterates ends the job, and so does
    leaving the loop early: `aclose()`, or the end of an `async with`, returns when it has ended; after a mere `break`
    the event loop ends it as soon as it comes to it.

    Attributes:
        runner: the run; None until it has been made ready.
    """

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self.runner: Runner | None = None
        self._begun = False
        self._run: _Run | None = None
        self._queue: _Queue = asyncio.Queue(_AHEAD)

    def __aiter__(self) -> AsyncGenerator[dict[str, Any], None]:
        """The iterator; there is one.

        Raises:
            ConfigurationError: it was asked for before.
        """
        if self._begun:
            raise ConfigurationError("an event stream can be iterated over only once: call stream() for another run")
        self._begun = True
        # Not held by this object: an iterator that nobody holds is closed by the event loop, which ends the job.
        return self._events()

    async def __aenter__(self) -> Self:
        """Nothing starts yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the job if it goes on."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the job if it goes on, and return when it has ended."""
        if self._run is not None:
            await self._end(self._run)

    async def _events(self) -> AsyncGenerator[dict[str, Any], None]:
        loop = asyncio.get_running_loop()
        queue = self._queue
        given: dict[str, Any] = dict(self._options)
        expand_handler(given)
        handler = given.get("event_handler")

        def hand_over(event: dict[str, Any]) -> bool:
            keep = True if handler is None else bool(handler(event))
            try:
                # A copy, since the event is written to its file while the other thread has it.
                asyncio.run_coroutine_threadsafe(queue.put({**event}), loop).result()
            except (RuntimeError, CancelledError):
                pass  # nobody reads any more
            return keep

        options: dict[str, Any] = {"quiet": True, **given, "event_handler": hand_over}
        self.runner = await asyncio.to_thread(lambda: init_runner(**options))
        self._run = run = _Run(self.runner)
        run.done.add_done_callback(lambda _: _wake(queue))
        try:
            while (event := await _next(queue, run)) is not None:
                yield event
        finally:
            await self._end(run)
        run.done.result()

    async def _end(self, run: _Run) -> None:
        """Wait for the end of the run, which is canceled if it goes on."""
        if not run.done.done():
            run.runner.cancel("the event stream was closed")
        emptying = asyncio.ensure_future(_empty(self._queue))  # the run may be waiting for room
        try:
            await run.ended()
        finally:
            emptying.cancel()
            run.join()


def stream(**options: Unpack[RunOptions]) -> EventStream:
    """Run something and iterate over its events as they come.

    Args:
        options: as those of run(); `quiet` is true when left out.

    Returns:
        An asynchronous iterator of events, with the run as its `runner`. It is a context manager too.

    Raises:
        ConfigurationError: when iterating; the job could not run as asked. At once, with `streamer`.

    Example:
        >>> async def show():  # doctest: +SKIP
        ...     async for event in stream(private_data_dir="demo", playbook="site.yml"):
        ...         print(event["event"])
    """
    if options.get("streamer"):
        raise ConfigurationError(f"streamer: expected None with stream(), got {options['streamer']!r}: use run()")
    return EventStream(options)


async def arun(**options: Unpack[RunOptions]) -> Runner:
    """Run something and wait for its end without holding up the event loop. Handlers are called in another thread.

    Cancelling the task cancels the job, and returns when it has ended.

    Args:
        options: as those of run().

    Returns:
        The run.

    Raises:
        ConfigurationError: the job could not run as asked; nothing has run.
        CallbackError: a cancel callback, artifacts handler or finished callback raised.

    Example:
        >>> runner = await arun(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
        >>> runner.status  # doctest: +SKIP
        'successful'
    """
    runner = await asyncio.to_thread(lambda: init_runner(**options))
    run = _Run(runner)
    try:
        await asyncio.shield(run.done)
    except asyncio.CancelledError:
        runner.cancel("the asyncio task was canceled")
        await run.ended()
        raise
    finally:
        run.join()
    return runner


class _Run:
    """A run in a thread of its own: a pool's threads are few, and a job may take hours.

    `done` is a future and no task, so that a loop that cancels all its tasks does not lose it.
    """

    def __init__(self, runner: Runner) -> None:
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self.runner = runner
        runner.expect_events()
        self._thread = threading.Thread(target=self._work, name=f"playstream-{runner.config.ident}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            self.runner.run()
        except BaseException as caught:  # noqa: BLE001 - raised where the future is awaited
            error = caught
        try:
            self._loop.call_soon_threadsafe(self._settle, error)
        except RuntimeError:
            pass  # the loop was closed

    def _settle(self, error: BaseException | None) -> None:
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    async def ended(self) -> None:
        """Return when the run has ended, however often this task is cancelled meanwhile. Raises nothing of the run."""
        while not self.done.done():
            try:
                await asyncio.wait([self.done])
            except asyncio.CancelledError:
                continue
        self.done.exception()

    def join(self) -> None:
        """Wait for the last steps of the thread, if the run has ended."""
        if self.done.done():
            self._thread.join()


async def _next(queue: _Queue, run: _Run) -> dict[str, Any] | None:
    """The next event; None when the run has ended and all its events have been taken."""
    if run.done.done() and queue.empty():
        return None
    return await queue.get()


def _wake(queue: _Queue) -> None:
    """Wake a reader that waits. One that does not, because the queue is full, sees that the run has ended."""
    try:
        queue.put_nowait(None)
    except asyncio.QueueFull:
        pass


async def _empty(queue: _Queue) -> None:
    while True:
        await queue.get()
