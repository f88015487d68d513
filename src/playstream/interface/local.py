"""A run on this host: Ansible runs under the supervision of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playstream.interface.config import RunnerConfig
from playstream.interface.execution_drive import Execution, ExecutionDrive
from playstream.interface.watched_run import Drive, RecordSource
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox


def local_records(config: RunnerConfig) -> RecordSource:
    """Return the source of the records of a run on this host.

    Args:
        config: what to run; prepared if necessary.
    """

    def make_execution(mailbox: Mailbox[Any], cancellation: Cancellation) -> Execution:
        execution = config.make_execution(mailbox, cancellation)
        return lambda: execution.run().error

    @contextmanager
    def open_source(cancellation: Cancellation) -> Iterator[Drive]:
        try:
            config.make_ready()
            yield ExecutionDrive(make_execution, cancellation).run
        finally:
            config.release()

    return RecordSource(open_source)
