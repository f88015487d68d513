"""The worker stage joined to its two ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing

from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import Source
from playstream.worker import Worker, WorkerOptions, WorkResult


def work(
    input_fd: int | Source,
    output_fd: int,
    *,
    options: WorkerOptions | None = None,
    cancellation: Cancellation | None = None,
    poll: Callable[[], None] | None = None,
) -> WorkResult:
    """Serve the job that comes on one link, with the results on another.

    Args:
        input_fd: where the stream of `transmit` comes from.
        output_fd: where the stream for `process` goes.
        options: what this side decides; see WorkerOptions.
        cancellation: asks for the end of the job.
        poll: called every LOOK_SECONDS; may request the cancellation, or raise.

    Returns:
        How the job ended.

    Raises:
        PlaystreamError: the job could not be served; the other side has been told.
    """
    with ExitStack() as ours:
        cancellation = cancellation or ours.enter_context(closing(Cancellation()))
        return Worker(input_fd, output_fd, options or WorkerOptions(), cancellation, poll).run()
