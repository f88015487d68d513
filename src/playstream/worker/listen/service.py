"""The service manager: sockets that systemd passes, readiness and the watchdog, sd_listen_fds(3) and sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.addresses import TlsAddress, UnixAddress

_FIRST = 3
"""The descriptor of the first socket that was passed."""
VARIABLES = (
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
)
"""What is meant for this process alone, and not for its workers."""


def passed_sockets(env: Mapping[str, str], address: UnixAddress | TlsAddress) -> list[socket.socket]:
    """Return the listening sockets that systemd has passed; empty if it has passed none.

    Args:
        env: the environment.
        address: what they are expected to be.

    Raises:
        ConfigurationError: they are something else.
    """
    if env.get("LISTEN_PID") != str(os.getpid()):
        return []
    found = []
    for fd in range(_FIRST, _FIRST + _number(env, "LISTEN_FDS")):
        try:
            os.set_inheritable(fd, False)
            found.append(socket.socket(fileno=fd))
        except OSError as error:
            raise ConfigurationError(
                f"descriptor {fd}, which systemd has passed, is not a socket: {error.strerror}"
            ) from None
    for sock in found:
        _check(sock, address)
    return found


def _check(sock: socket.socket, address: UnixAddress | TlsAddress) -> None:
    place = sock.getsockname()
    listens = sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if isinstance(address, UnixAddress):
        fits = sock.family == socket.AF_UNIX and place == address.path
    else:
        fits = sock.family in {socket.AF_INET, socket.AF_INET6} and place[1] == address.port
    if not listens or not fits:
        raise ConfigurationError(
            f"systemd has passed a socket for {place!r}, and --listen says {address.name}: write the same address into "
            "ListenStream= of the .socket unit"
        )


class Service:
    """Tells the service manager how this process is doing, if there is one.

    Args:
        env: the environment.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._address = env.get("NOTIFY_SOCKET", "")
        watched = env.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = _number(env, "WATCHDOG_USEC") if watched and self._address else 0
        self.interval = usec / 2_000_000 or None
        """Seconds after which to call `beat`; None if there is no watchdog."""
        self._next = 0.0

    def ready(self, status: str) -> None:
        """Say that connections are accepted."""
        self._tell(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that the files are read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """Say that the service is ending."""
        self._tell(f"STOPPING=1\nSTATUS={status}")

    def beat(self) -> None:
        """Say that the loop turns, as often as the watchdog expects it."""
        now = time.monotonic()
        if self.interval is not None and now >= self._next:
            self._next = now + self.interval
            self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in the abstract namespace.
        name = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)  # a service manager that reads nothing must not hold up the jobs
            try:
                sock.connect(name)
                sock.send(text.encode())
            except OSError:
                pass  # the service manager has gone, or does not listen; the jobs go on


def _number(env: Mapping[str, str], name: str) -> int:
    text = env.get(name, "0")
    if not text.isdecimal():
        raise ConfigurationError(f"{name}: expected a number from systemd, got {text!r}")
    return int(text)
