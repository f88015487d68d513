"""A worker on the node of a mesh that is started before there is a job for it, and waits until the node has one."""

from __future__ import annotations

import os
import select
from enum import Enum

from playstream.pipeline.io.cancellation import Cancellation


class Call(Enum):
    """What the node says to a worker that waits."""

    PLAIN = b"p"
    """There is a job, which is not encrypted."""
    ENCRYPTED = b"e"
    """There is a job, and the keys have been sent."""


def wait_for_job(fd: int, cancellation: Cancellation) -> Call | None:
    """Wait until the node has a job, and return which kind.

    Args:
        fd: the reading end of the node's pipe. It is closed.
        cancellation: requests the end of the worker.

    Returns:
        None if the worker is not needed any more: the node has ended or was killed, or the end was requested.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.register(cancellation, select.POLLIN)
    try:
        poll.poll()
        word = b"" if cancellation.reason is not None else os.read(fd, 1)
    finally:
        os.close(fd)
    return Call(word) if word else None


def load_encryption() -> None:
    """Load what a job that is encrypted needs, while there is time."""
    from playstream.pipeline.io import age, age_batches  # noqa: F401, PLC0415 - only on a node
    from playstream.pipeline.io.age_keys import import_pyrage  # noqa: PLC0415

    import_pyrage()
