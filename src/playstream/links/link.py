"""The interface of all links."""

from __future__ import annotations

from typing import Protocol

from playstream.pipeline.errors import PlaystreamError


class OpenLink(Protocol):
    """An open link: the two ends of a connection to a worker."""

    reader: int
    """The descriptor that the results are read from."""
    writer: int
    """The descriptor that the job is written to."""

    def end(self) -> None:
        """Wait briefly for the other side to end, and then end it.

        After that nobody reads what is written, so that a thread that writes to the link or waits for it returns.
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

    def open(self) -> OpenLink:
        """Open the link.

        Raises:
            LinkError: it cannot be opened.
        """
