"""Addresses of listening workers: `unix:/PATH` and `tls://HOST:PORT`, for both ends."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from playstream.pipeline.errors import ConfigurationError

_USER = re.compile(r"//[^/]*@")
"""What may contain a password."""
_MAX_PATH = 107
"""Bytes of the longest path of a socket, unix(7)."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket."""

    path: str

    @property
    def name(self) -> str:
        """The address as a URL."""
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TlsAddress:
    """A host and a port for TLS."""

    host: str
    """A name or an address; empty for all addresses of this host."""
    port: int
    query: str = ""
    """What follows the question mark."""

    @property
    def name(self) -> str:
        """The address as a URL, without the query."""
        return f"tls://{host_and_port(self.host, self.port)}"


def host_and_port(host: str, port: int) -> str:
    """Return a host and a port as in URLs, where an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_unix(url: str) -> UnixAddress:
    """Return the parts of `unix:/PATH`.

    Raises:
        ConfigurationError: it has another form.
    """
    path = url.partition(":")[2]
    if path.startswith("//"):
        path = path[2:]
    if not path.startswith("/"):
        raise ConfigurationError(f"address {url!r}: expected unix:/PATH, with the whole path of the socket")
    if len(os.fsencode(path)) > _MAX_PATH:
        raise ConfigurationError(
            f"address {url!r}: the path of a socket has at most {_MAX_PATH} bytes, got {len(os.fsencode(path))}"
        )
    return UnixAddress(path)


def parse_tls(url: str) -> TlsAddress:
    """Return the parts of `tls://HOST:PORT[?QUERY]`.

    Raises:
        ConfigurationError: it has another form.
    """
    shown = _USER.sub("//", url.partition("?")[0])
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(f"address {shown!r}: {error}") from None
    plain = not parts.path.strip("/") and not parts.fragment and parts.username is None
    if port is None or not plain or not host.isprintable() or any(character.isspace() for character in host):
        raise ConfigurationError(f"address {shown!r}: expected tls://HOST:PORT, without a user")
    return TlsAddress(host, port, parts.query)
