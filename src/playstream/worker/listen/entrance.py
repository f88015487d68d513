"""Who may connect: a user of this host whom the kernel names, or the holder of a certificate."""

from __future__ import annotations

import os
import pwd
import socket
import ssl
import struct
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Protocol

from playstream.pipeline.errors import AuthenticationFailed, ConfigurationError, LinkError
from playstream.pipeline.io.channels import SocketChannel, TlsChannel
from playstream.pipeline.io.tls import TlsFiles, explain_certificate, make_context, names_in
from playstream.worker.cache.senders import sender_of_certificate, sender_of_user

_CREDENTIALS = struct.Struct("3i")
"""struct ucred: process, user, group."""


class Entrance(Protocol):
    """Decides about a new connection."""

    def accept(self, sock: socket.socket) -> SocketChannel:
        """Return the channel of a new connection."""

    def shake_hands(self, channel: SocketChannel) -> bool:
        """Return whether the channel is ready.

        Raises:
            OSError: the other side has gone, or has no certificate that is accepted.
        """

    def name(self, channel: SocketChannel) -> str:
        """Return who has connected, for the log.

        Raises:
            AuthenticationFailed: this one may not.
        """

    def sender(self, channel: SocketChannel) -> str:
        """Return the name of the division of the cache that is for who has connected.

        Raises:
            AuthenticationFailed: this one may not.
        """

    def reload(self) -> str | None:
        """Read the files again. Return what was read; None if there are none.

        Raises:
            ConfigurationError: they cannot be used; the earlier ones stay in use.
        """


class UnixEntrance:
    """Accepts users of this host.

    Args:
        users: the numbers of the users who may connect.
    """

    def __init__(self, users: Collection[int]) -> None:
        self._users = frozenset(users)

    def accept(self, sock: socket.socket) -> SocketChannel:
        """Return the channel of a new connection."""
        return SocketChannel(sock)

    def shake_hands(self, channel: SocketChannel) -> bool:  # noqa: ARG002 - there is nothing to agree on
        """Return True."""
        return True

    def name(self, channel: SocketChannel) -> str:
        """Return the user; see Entrance."""
        return f"user {_user_name(self._find_user(channel))}"

    def sender(self, channel: SocketChannel) -> str:
        """Return the name for the number of the user; see Entrance."""
        return sender_of_user(self._find_user(channel))

    def _find_user(self, channel: SocketChannel) -> int:
        data = channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        user: int = _CREDENTIALS.unpack(data)[1]
        if user not in self._users:
            raise AuthenticationFailed(
                f"the user {_user_name(user)!r} may not connect to this worker: start it with --allow-user "
                f"{_user_name(user)}"
            )
        return user

    def reload(self) -> None:
        """Do nothing: there are no files."""


class TlsEntrance:
    """Accepts holders of certificates.

    Args:
        files: the certificate and key of this side, and the CAs of the others.
        allowed: the names of those who may connect.

    Raises:
        ConfigurationError: a file cannot be used, or nobody may connect.
    """

    def __init__(self, files: TlsFiles, allowed: Iterable[str]) -> None:
        self._allowed = {name.lower() for name in allowed}
        if not self._allowed:
            raise ConfigurationError(
                "--allow: expected the name in the certificate of each client that may connect, or nobody could"
            )
        self._files = files
        self._context = make_context(files, server=True)

    def accept(self, sock: socket.socket) -> SocketChannel:
        """Return the channel of a new connection."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setblocking(False)
        return TlsChannel(
            self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        )

    def shake_hands(self, channel: SocketChannel) -> bool:
        """Return whether the handshake is complete; see Entrance."""
        return not isinstance(channel, TlsChannel) or channel.shake_hands()

    def name(self, channel: SocketChannel) -> str:
        """Return the name in the certificate; see Entrance."""
        return f"certificate {self._find_name(channel)}"

    def sender(self, channel: SocketChannel) -> str:
        """Return the name for the name in the certificate; see Entrance."""
        return sender_of_certificate(self._find_name(channel))

    def _find_name(self, channel: SocketChannel) -> str:
        try:
            names = names_in(channel.socket.getpeercert() if isinstance(channel.socket, ssl.SSLSocket) else None)
        except UnicodeError:
            names = ()  # the CA has signed names that are no text
        for name in names:
            if name.lower() in self._allowed:
                return name
        held = ", ".join(map(repr, names)) or "no DNS name"
        raise AuthenticationFailed(
            f"this worker does not know the name in the certificate of this side, which has {held}: start the worker "
            "with --allow NAME, or use another certificate"
        )

    def reload(self) -> str:
        """Read the certificate, the key and the CAs again; see Entrance."""
        self._context = make_context(self._files, server=True)
        return self._files.certificate


def explain_failure(error: OSError) -> LinkError:
    """Return why a connection has failed, for the log: what is wrong with a certificate, or that the other side went.

    Args:
        error: what was raised when the connection was made or read.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return AuthenticationFailed(
            explain_certificate(error, server=False)
            or f"the certificate of the client is not from a CA that this worker trusts: {why}. Check --tls-ca"
        )
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    if any(part in reason for part in _ALERTS):
        return LinkError(
            f"the client does not accept the certificate of this worker: {reason}. The message of the client says why"
        )
    return LinkError(f"the connection failed: {reason}")


_ALERTS = ("ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE_", "ALERT_UNSUPPORTED_CERTIFICATE")
"""Parts of OpenSSL's names of what the other side says of a certificate."""


def find_users(names: Iterable[str]) -> set[int]:
    """Return the numbers of users: this user, root, and those that are named.

    Raises:
        ConfigurationError: there is no such user.
    """
    found = {0, os.geteuid()}
    for name in names:
        try:
            found.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            if not name.isdecimal():
                raise ConfigurationError(f"--allow-user: there is no user {name!r} on this host") from None
            found.add(int(name))
    return found


@lru_cache(maxsize=1024)  # a directory service may be slow, and everything else waits
def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
