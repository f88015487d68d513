"""The worker stage on a connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing

from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import Connection
from playstream.worker import Worker, WorkerOptions, WorkResult


def work(
    connection: Connection,
    *,
    options: WorkerOptions | None = None,
    cancellation: Cancellation | None = None,
    poll: Callable[[], None] | None = None,
) -> WorkResult:
    """Serve the job that arrives on a connection, and send its results back.

    Args:
        connection: its reader receives the stream of `transmit`, its writer sends the one for `process`.
        options: the options of this side; see WorkerOptions.
        cancellation: requests the end of the job.
        poll: called every LOOK_SECONDS; may request the cancellation, or raise.

    Returns:
        How the job ended.

    Raises:
        PlaystreamError: the job could not be served; a Failure record was sent to the other side.
    """
    with ExitStack() as ours:
        cancellation = cancellation or ours.enter_context(closing(Cancellation()))
        return Worker(connection, options or WorkerOptions(), cancellation, poll).run()
