"""What clients connect to: a Unix socket, TCP sockets for TLS, or sockets that systemd has opened."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.addresses import TlsAddress, UnixAddress

_BACKLOG = 4096
"""Connections that the kernel keeps until they are accepted; it may keep fewer (net.core.somaxconn)."""
OWN_MODE = 0o600
"""Mode of a socket for its owner and root."""
ANY_MODE = 0o666
"""Mode of a socket for named users. Anybody can connect; who may stay is decided by the user that the kernel names."""


class UnixSocket:
    """A Unix socket that this process has created. A file left by a listener that has ended is replaced.

    Args:
        address: its path.
        mode: the mode of its file.

    Raises:
        ConfigurationError: the place is not safe, is in use by another listener, or has another file.
    """

    def __init__(self, address: UnixAddress, mode: int) -> None:
        self._path = Path(address.path)
        _check_directory(self._path.parent)
        try:
            with _locked(self._path.parent):
                _check_place(self._path)
                self.socket = _bind(self._path, mode)
        except OSError as error:
            raise ConfigurationError(
                f"{address.name}: the socket cannot be created: {error.strerror}. Check its directory, and who owns a "
                "file that is there"
            ) from None
        found = os.lstat(self._path)
        self._identity = found.st_dev, found.st_ino

    def close(self) -> None:
        """Close the socket and remove its file, unless another listener has replaced it."""
        self.socket.close()
        try:
            found = os.lstat(self._path)
            if (found.st_dev, found.st_ino) == self._identity:
                self._path.unlink()
        except OSError:
            pass  # somebody has removed it


def listen_on_tcp(address: TlsAddress) -> list[socket.socket]:
    """Return a listening socket for each address that a host name has.

    Args:
        address: the host, empty for all addresses of this host, and the port; 0 for one that is free.

    Raises:
        ConfigurationError: the host has no address here, or the port is in use.
    """
    found: list[socket.socket] = []
    port = address.port
    try:
        places = socket.getaddrinfo(address.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _name, place in places:
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError:
                continue  # the kernel has no IPv6
            found.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((place[0], port, *place[2:]))
            sock.listen(_BACKLOG)
            port = sock.getsockname()[1]
    except OSError as error:
        for sock in found:
            sock.close()
        raise ConfigurationError(
            f"{address.name}: this address cannot be listened on: {error.strerror or error}. Check the host and the "
            "port, and which program uses it: ss -ltnp"
        ) from None
    return found


def _check_directory(directory: Path) -> None:
    """Check that nobody else can put another socket into the place of this one, and so get the jobs.

    Raises:
        ConfigurationError: somebody can.
    """
    try:
        found = os.stat(directory)
    except OSError as error:
        raise ConfigurationError(
            f"unix socket: the directory {str(directory)!r} cannot be used: {error.strerror}. Create it first"
        ) from None
    open_to_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if open_to_others or found.st_uid not in {0, os.geteuid()}:
        raise ConfigurationError(
            f"unix socket: others can replace files in the directory {str(directory)!r}, and so could get jobs and "
            "their secrets. Choose one of this user or root in which nobody else may write, such as /run/playstream"
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other listeners away from a directory, so that two do not replace the same file."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _check_place(path: Path) -> None:
    """Check that there is nothing at a path but a socket that nobody listens on.

    Raises:
        ConfigurationError: there is.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigurationError(
            f"unix:{path}: there is a file that is not a socket, which is kept. Choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(str(path))
    if code != errno.ECONNREFUSED:
        raise ConfigurationError(
            f"unix:{path}: another program listens on this socket. Stop it first, or choose another path"
        )


def _bind(path: Path, mode: int) -> socket.socket:
    """Return a listening socket at a path. It has its mode from the beginning, and replaces what is there at once."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path.with_name(f".{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        umask = os.umask(0o177)
        try:
            sock.bind(str(temporary))
        finally:
            os.umask(umask)
        temporary.chmod(mode)
        sock.listen(_BACKLOG)
        temporary.rename(path)
    except OSError:
        sock.close()
        temporary.unlink(missing_ok=True)
        raise
    return sock
