"""`unix:/PATH`: a listening worker on this host, reached by a Unix socket."""

from __future__ import annotations

import errno
import os
import socket

from playstream.links.link import OpenLink, silence_of
from playstream.pipeline.errors import (
    AuthenticationFailed,
    IncompleteStream,
    LinkError,
    PlaystreamError,
    SilentPeer,
    UnreachableHost,
)
from playstream.pipeline.io import system
from playstream.pipeline.io.addresses import UnixAddress
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import SHUT

END_SECONDS = 2.0
"""How long the other side may take to end by itself after the stream."""
_START = "start one with playstream worker --listen"


class UnixLink:
    """A link over a Unix socket.

    Args:
        address: the path of the socket.
    """

    def __init__(self, address: UnixAddress) -> None:
        self.name = address.name
        self._address = address

    def open(self, _cancellation: Cancellation | None = None, /) -> OpenLink:
        """Connect.

        Raises:
            LinkError: nobody listens, or this user has no permission.
        """
        family = getattr(socket, "AF_UNIX", None)
        if family is None:
            raise LinkError(f"link {self.name}: Python has no Unix sockets on this system")
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.connect(self._address.path)
        except OSError as error:
            sock.close()
            raise self._explain(error) from None
        return OpenSocket(self.name, sock)

    def _explain(self, error: OSError) -> LinkError:
        if error.errno == errno.ENOENT:
            return UnreachableHost(f"{self.name}: there is no such socket. Check its path, or {_START} {self.name}")
        if error.errno == errno.ECONNREFUSED:
            return UnreachableHost(f"{self.name}: nobody listens on this socket any more: {_START} {self.name}")
        if error.errno in {errno.EACCES, errno.EPERM}:
            return AuthenticationFailed(
                f"{self.name}: this user has no permission for the socket, or for a directory on its path. The worker "
                "accepts its own user and root, and those it is started with: --allow-user USER"
            )
        return UnreachableHost(f"{self.name}: the socket cannot be connected to: {error.strerror}")


class OpenSocket:
    """A connected socket as an open link.

    Args:
        name: the name of the link, for messages.
        sock: the socket.
    """

    def __init__(self, name: str, sock: socket.socket) -> None:
        self.name = name
        self._socket = sock
        self.reader = sock.fileno()
        self.writer = os.dup(self.reader)

    def note_sent(self, size: int) -> None:
        """Do nothing: the job ends with the connection. See OpenLink."""

    def end_output(self) -> None:
        """Say that nothing more is sent."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has gone

    def end(self, *, wait: bool) -> None:
        """End the connection; see OpenLink."""
        if wait:
            poll = system.poll()
            poll.register(self._socket, SHUT)
            poll.poll(END_SECONDS * 1000)
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side has gone

    def explain(self, error: PlaystreamError, *, answered: bool) -> PlaystreamError:
        """Return why the link ended; see OpenLink."""
        return explain_end(self.name, error, answered=answered)

    def close(self) -> None:
        """Close the connection."""
        os.close(self.writer)
        self._socket.close()


def explain_end(name: str, error: PlaystreamError, *, answered: bool) -> PlaystreamError:
    """Explain the end of a connection to a listening worker, of which only the end is known.

    Args:
        name: the name of the link.
        error: what it looks like on this side.
        answered: whether the worker has sent anything.
    """
    if isinstance(error, SilentPeer) and not answered:
        return SilentPeer(
            f"{name}: {silence_of(error)}: it hangs, its host is down, or the connection is lost. See the log of the "
            "listening worker; --liveness-seconds sets the limit"
        )
    if not isinstance(error, (IncompleteStream, LinkError)) or isinstance(error, SilentPeer):
        return error
    # A connection that was reset, because the other side has not read everything, is as incomplete as one that ended.
    if answered:
        return IncompleteStream(
            f"{name}: the connection was lost: the worker was killed, or its listener was. Everything received before "
            f"is kept. {error}"
        )
    return IncompleteStream(
        f"{name}: the connection was closed before a worker answered: see the log of the listening worker, or "
        "something else listens there"
    )
