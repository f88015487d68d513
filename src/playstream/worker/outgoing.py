"""What a worker sends, in the dialect that it was spoken to in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.protocol import Record, Sender
from playstream.pipeline.protocol.order import Direction

if TYPE_CHECKING:
    from playstream.pipeline.runner_dialect.sender import RunnerSender


class Outgoing(Protocol):
    """The outgoing direction of a dialect: what is to be written for a record, in pieces."""

    def send(self, record: Record, *, flush: bool) -> Iterable[bytes]:
        """Return the pieces for `record`; without `flush` they may be held back."""

    def flush(self) -> Iterable[bytes]:
        """Return what was held back."""

    def end(self) -> Iterable[bytes]:
        """Return the last pieces."""

    def name(self, ident: str) -> None:
        """Say what the run is called, once that is known."""

    def close(self) -> None:
        """Drop what has not been sent."""


class _Native:
    """The native dialect, whose frames gather."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def send(self, record: Record, *, flush: bool) -> Iterable[bytes]:
        """Return the frames that are full, or all with `flush`."""
        return (self._sender.send(record, flush=flush),)

    def flush(self) -> Iterable[bytes]:
        """Return the frame of the pending records."""
        return (self._sender.flush(),)

    def end(self) -> Iterable[bytes]:
        """Return the End record."""
        return (self._sender.end(),)

    def name(self, ident: str) -> None:
        """Do nothing: the records have no name."""

    def close(self) -> None:
        """Do nothing: there is only memory to release."""


class _Runner:
    """ansible-runner's dialect, which holds nothing back."""

    def __init__(self, sender: RunnerSender) -> None:
        self._sender = sender

    def send(self, record: Record, *, flush: bool) -> Iterable[bytes]:  # noqa: ARG002 - nothing is held back
        """Return the line, or the archive of a whole tree."""
        return self._sender.send(record)

    def flush(self) -> Iterable[bytes]:
        """Nothing."""
        return ()

    def end(self) -> Iterable[bytes]:
        """Return the line that ends the stream."""
        return self._sender.end()

    def name(self, ident: str) -> None:
        """Set the name, which is part of the statuses."""
        self._sender.ident = ident

    def close(self) -> None:
        """Drop an archive that is not complete."""
        self._sender.close()


def outgoing_in(dialect: Dialect) -> Outgoing:
    """Create the outgoing direction of a worker."""
    if dialect is Dialect.PLAYSTREAM:
        return _Native(Sender(Direction.RESULT))
    from playstream.pipeline.runner_dialect.sender import RunnerSender  # noqa: PLC0415 - zipfile costs 10 ms of a start

    return _Runner(RunnerSender(Direction.RESULT))
