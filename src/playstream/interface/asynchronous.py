"""asyncio: a run's events as an asynchronous iterator, and a run that is awaited.

The run has a thread of its own; what comes from it is handed to the event loop, and a loop that is slow makes the run
wait, so that memory stays bounded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from playstream.interface.runner import Runner
from playstream.interface.running import init_runner
from playstream.pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from playstream.interface.options import RunOptions

_AHEAD = 256
"""Events that may wait for the event loop."""


class EventStream:
    """The events of one run, and the run. Made by stream().

    The job starts with the first event that is asked for. Leaving the loop early, or cancelling its task, ends the
    job; both return when it has ended.

    Attributes:
        runner: the run; None until it has been made ready.
    """

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self.runner: Runner | None = None
        self._iterator: AsyncIterator[dict[str, Any]] | None = None

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """The iterator; there is one."""
        if self._iterator is None:
            self._iterator = self._events()
        return self._iterator

    async def _events(self) -> AsyncIterator[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_AHEAD)
        handler = self._options.get("event_handler")

        def hand_over(event: dict[str, Any]) -> bool:
            keep = True if handler is None else bool(handler(event))
            try:
                asyncio.run_coroutine_threadsafe(queue.put(event), loop).result()
            except (RuntimeError, CancelledError):
                pass  # nobody reads any more
            return keep

        options: RunOptions = {"quiet": True, **self._options, "event_handler": hand_over}
        self.runner = runner = await asyncio.to_thread(lambda: init_runner(**options))
        task = asyncio.create_task(_run(runner))
        task.add_done_callback(lambda _: _end(queue))
        try:
            while (event := await _next(queue, task)) is not None:
                yield event
        finally:
            await _finish(runner, task, queue)


def stream(**options: Unpack[RunOptions]) -> EventStream:
    """Run something and iterate over its events as they come.

    Args:
        options: as those of run(); `quiet` is true when left out.

    Returns:
        An asynchronous iterator of events, with the run as its `runner`.

    Raises:
        ConfigurationError: when iterating; the job could not run as asked.

    Example:
        >>> async def show():  # doctest: +SKIP
        ...     async for event in stream(private_data_dir="demo", playbook="site.yml"):
        ...         print(event["event"])
    """
    if options.get("streamer"):
        raise ConfigurationError("streamer: expected none here; stages are joined with run()")
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
    task = asyncio.create_task(_run(runner))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        runner.cancel("the asyncio task was canceled")
        await asyncio.wait([task])
        raise
    return runner


async def _run(runner: Runner) -> None:
    """Run in a thread of its own: a pool's threads are few, and a job may take hours."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def work() -> None:
        try:
            runner.run()
        except BaseException as error:  # noqa: BLE001 - raised where the task is awaited
            loop.call_soon_threadsafe(_set_exception, done, error)
        else:
            loop.call_soon_threadsafe(_set_result, done)

    runner.expect_events()
    threading.Thread(target=work, name=f"playstream-{runner.config.ident}", daemon=True).start()
    await done


def _set_exception(future: asyncio.Future[None], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _next(queue: asyncio.Queue[dict[str, Any] | None], task: asyncio.Task[None]) -> dict[str, Any] | None:
    """The next event; None when the run has ended and all its events have been taken."""
    if task.done() and queue.empty():
        return None
    return await queue.get()


def _end(queue: asyncio.Queue[dict[str, Any] | None]) -> None:
    """Wake a reader that waits. One that does not, because the queue is full, sees that the run has ended."""
    try:
        queue.put_nowait(None)
    except asyncio.QueueFull:
        pass


async def _finish(runner: Runner, task: asyncio.Task[None], queue: asyncio.Queue[dict[str, Any] | None]) -> None:
    """End the job if it goes on, and raise what the run raised."""
    if not task.done():
        runner.cancel("nobody reads its events any more")
    while not task.done():
        # The run may be waiting for room in the queue.
        while not queue.empty():
            queue.get_nowait()
        await asyncio.wait([task], timeout=0.05)
    await task
