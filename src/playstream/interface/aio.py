"""asyncio: iterate over a run's events, and await a run.

The job runs in its own thread, which passes events to the event loop. A slow loop makes the job wait, so memory use is
bounded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
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
"""Maximum number of events that wait for the event loop."""
_Queue = asyncio.Queue["dict[str, Any] | None"]


class EventStream:
    """The events of one run, and the run. Created by stream(), and by playstream.mesh.stream().

    The job starts when the first event is requested. Cancelling the iterating task cancels the job, and so does leaving
    the loop early: `aclose()`, or the end of an `async with`, returns when the job has ended; after a `break` alone,
    the event loop cancels the job later.

    Attributes:
        runner: the run; None until it is prepared.
    """

    def __init__(self, options: Mapping[str, Any], prepare: Callable[..., Runner] = init_runner) -> None:
        self._options = options
        self._prepare = prepare
        self.runner: Runner | None = None
        self._begun = False
        self._run: _Run | None = None
        self._queue: _Queue = asyncio.Queue(_AHEAD)

    def __repr__(self) -> str:
        return f"<EventStream: {'not started' if self.runner is None else repr(self.runner)}>"

    def __aiter__(self) -> AsyncGenerator[dict[str, Any], None]:
        """Return the only iterator.

        Raises:
            ConfigurationError: it was already requested.
        """
        if self._begun:
            raise ConfigurationError("an event stream can be iterated over only once: call stream() for another run")
        self._begun = True
        # This object must not hold the iterator: the event loop closes an unreferenced iterator, which cancels the job.
        return self._events()

    async def __aenter__(self) -> Self:
        """Return this object, without starting the job."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel the job if it is running."""
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the job if it is running, and wait for it to end."""
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
                # Pass a copy, because this thread writes the event to its file while the other uses it.
                asyncio.run_coroutine_threadsafe(queue.put({**event}), loop).result()
            except (RuntimeError, CancelledError):
                pass  # the reader has stopped
            return keep

        options: dict[str, Any] = {"quiet": True, **given, "event_handler": hand_over}
        self.runner = await asyncio.to_thread(lambda: self._prepare(**options))
        self._run = run = _Run(self.runner)
        run.done.add_done_callback(lambda _: _wake(queue))
        try:
            while (event := await _next(queue, run)) is not None:
                yield event
        finally:
            await self._end(run)
        run.done.result()

    async def _end(self, run: _Run) -> None:
        """Cancel the run if it is active, and wait for it to end."""
        if not run.done.done():
            run.runner.cancel("the event stream was closed")
        emptying = asyncio.ensure_future(_empty(self._queue))  # the run may be waiting for space
        try:
            await run.ended()
        finally:
            emptying.cancel()
            run.join()


def stream(**options: Unpack[RunOptions]) -> EventStream:
    """Run a job and iterate over its events as they arrive.

    Args:
        options: as for run(); `quiet` defaults to True.

    Returns:
        An asynchronous iterator of events, with the run as its `runner`. It is also a context manager.

    Raises:
        ConfigurationError: the job is invalid; raised when iterating. Raised at once if `streamer` is given.

    Example:
        >>> async def show():  # doctest: +SKIP
        ...     async for event in stream(private_data_dir="demo", playbook="site.yml"):
        ...         print(event["event"])
    """
    if options.get("streamer"):
        raise ConfigurationError(f"streamer: expected None with stream(), got {options['streamer']!r}: use run()")
    return EventStream(options)


async def arun(**options: Unpack[RunOptions]) -> Runner:
    """Run a job and wait for it to end without blocking the event loop. Handlers are called in another thread.

    Cancelling the task cancels the job, and returns when the job has ended.

    Args:
        options: as for run().

    Returns:
        The run.

    Raises:
        ConfigurationError: the job is invalid; nothing has run.
        CallbackError: a cancel callback, artifacts handler or finished callback raised an exception.

    Example:
        >>> runner = await arun(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
        >>> runner.status  # doctest: +SKIP
        'successful'
    """
    return await await_runner(await asyncio.to_thread(lambda: init_runner(**options)))


async def await_runner(runner: Runner) -> Runner:
    """Run a Runner without blocking the event loop, and return it. Cancelling the task calls its `cancel`."""
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
    """A run in its own thread, because a thread pool is small and a job may take hours.

    `done` is a future, not a task, so that a loop that cancels all its tasks does not cancel it.
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
        """Wait for the run to end, even if this task is cancelled meanwhile. Do not raise the errors of the run."""
        while not self.done.done():
            try:
                await asyncio.wait([self.done])
            except asyncio.CancelledError:
                continue
        self.done.exception()

    def join(self) -> None:
        """Wait for the thread to finish, if the run has ended."""
        if self.done.done():
            self._thread.join()


async def _next(queue: _Queue, run: _Run) -> dict[str, Any] | None:
    """Return the next event; None if the run has ended and there are no more events."""
    if run.done.done() and queue.empty():
        return None
    return await queue.get()


def _wake(queue: _Queue) -> None:
    """Wake a waiting reader. If the queue is full, the reader does not wait, and sees that the run has ended."""
    try:
        queue.put_nowait(None)
    except asyncio.QueueFull:
        pass


async def _empty(queue: _Queue) -> None:
    while True:
        await queue.get()
