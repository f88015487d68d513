"""The bytes of a connection to a server: TCP, and TLS over it.

The library has a transport of its own, which starts TLS so that asyncio does not know of it: asyncio then warns at the
end of each connection, and reads without a limit. That transport also waits for bytes that a frozen server does not
take, and the library does not connect to another one meanwhile.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final

from nats.aio.transport import Transport

if TYPE_CHECKING:
    from urllib.parse import ParseResult

_READ_BYTES: Final = 1 << 18
"""Bytes that are read at once: the library asks for an eighth of that, and takes longer for many small pieces."""
_CLOSE_SECONDS: Final = 1.0
"""How long the last bytes of a connection may take to be sent, and TLS to end."""


class StreamTransport(Transport):
    """A transport of the library, on streams of asyncio."""

    def __init__(self) -> None:
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(
        self,
        uri: ParseResult,
        buffer_size: int,  # noqa: ARG002 - see _READ_BYTES
        connect_timeout: float,
    ) -> None:
        """Connect to a server without TLS, which its first line asks for. An earlier connection ends."""
        if self._writer is not None:
            self._writer.transport.abort()  # the library leaves one open whose handshake has failed
        opening = asyncio.open_connection(uri.hostname, uri.port, limit=_READ_BYTES)
        self._reader, self._writer = await asyncio.wait_for(opening, connect_timeout)

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,  # noqa: ARG002 - the buffer is there already
        connect_timeout: float,
    ) -> None:
        """Start TLS on the connection."""
        hostname = uri if isinstance(uri, str) else uri.hostname
        await asyncio.wait_for(self._open.start_tls(ssl_context, server_hostname=hostname), connect_timeout)

    def write(self, payload: bytes) -> None:
        """Write bytes; `drain` sees to it that they are sent."""
        self._open.write(payload)

    def writelines(self, payload: list[bytes]) -> None:
        """Write several pieces."""
        self._open.writelines(payload)

    async def read(self, buffer_size: int) -> bytes:  # noqa: ARG002 - see _READ_BYTES
        """Return the next bytes; empty at the end."""
        return b"" if self._reader is None else await self._reader.read(_READ_BYTES)

    async def readline(self) -> bytes:
        """Return the next line; what there is of it at the end."""
        return b"" if self._reader is None else await self._reader.readline()

    async def drain(self) -> None:
        """Wait until there is room for more bytes."""
        await self._open.drain()

    def close(self) -> None:
        """Begin to close the connection.

        The library calls this more than once, after which Python 3.11.2 could not abort a connection with TLS.
        """
        if self._writer is not None and not self._writer.is_closing():
            self._writer.close()

    async def wait_closed(self) -> None:
        """Wait until it is closed, and do not wait for a server that takes no more bytes.

        asyncio does not say at all that a connection has ended on which TLS was still being started.
        """
        if self._writer is None:
            return
        closing = asyncio.ensure_future(self._writer.wait_closed())
        try:
            await asyncio.wait({closing}, timeout=_CLOSE_SECONDS)
            self._writer.transport.abort()
            await asyncio.wait({closing}, timeout=_CLOSE_SECONDS)
        finally:
            self._writer.transport.abort()
            closing.cancel()
        if closing.done():
            closing.result()

    def at_eof(self) -> bool:
        """Return whether the server has closed the connection, and all was read."""
        return self._reader is None or self._reader.at_eof()

    def __bool__(self) -> bool:
        """Return True, so that the library uses this transport and makes none."""
        return True

    @property
    def server_expiry(self) -> float | None:
        """When the certificate of the server expires, in seconds since the epoch; None without TLS."""
        found = None if self._writer is None else self._writer.get_extra_info("peercert")
        return ssl.cert_time_to_seconds(found["notAfter"]) if found else None

    @property
    def _open(self) -> Any:
        if self._writer is None:
            raise ConnectionResetError("there is no connection to the server")
        return self._writer
