"""The interface of all links."""

from __future__ import annotations

from typing import Protocol

from playstream.pipeline.errors import PlaystreamError, SilentPeer
from playstream.pipeline.io.cancellation import Cancellation


class OpenLink(Protocol):
    """An open link: the two ends of a connection to a worker."""

    reader: int
    """The descriptor that the results are read from."""
    writer: int
    """The descriptor that the job is written to."""

    def note_sent(self, size: int) -> None:
        """Note that the first bytes that were written are a whole job; what follows is about its run.

        Args:
            size: how many bytes.
        """

    def end(self, *, wait: bool) -> None:
        """End the other side.

        After that nobody reads what is written, so that a thread that writes to the link or waits for it returns.

        Args:
            wait: whether to wait briefly until it has ended by itself, after its stream.
        """

    def explain(self, error: PlaystreamError, *, answered: bool) -> PlaystreamError:
        """Return why the link ended, after `end`; the error itself if it says all that is known.

        Args:
            error: what the end of the stream, or its content, looks like on this side.
            answered: whether the worker has sent anything.
        """

    def close(self) -> None:
        """Close the descriptors, after `end`."""


class Link(Protocol):
    """A way to a worker. It can be opened any number of times."""

    name: str
    """A name for messages, without secrets, such as `ssh://host`."""

    def open(self, cancellation: Cancellation | None = None, /) -> OpenLink:
        """Open the link.

        Args:
            cancellation: a request to stop, for links that take long to open.

        Raises:
            LinkError: it cannot be opened.
            Canceled: a stop was requested.
        """


def silence_of(error: SilentPeer) -> str:
    """Return who has been silent and for how long, without the causes, of which a link may know more."""
    return str(error).partition(": ")[0]
