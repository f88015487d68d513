"""The live form of an encrypted stream: batches, each an age file of its own, so that none waits for the next.

docs/encryption.md specifies it. age authenticates each file by itself; the header inside of each file shows that none
was lost, duplicated, moved or taken from another stream. Bytes in, bytes out: nothing is read or written here.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from playstream.pipeline.dialect import LIVE_START
from playstream.pipeline.errors import (
    ConfigurationError,
    IncompleteStream,
    LinkError,
    PlaystreamError,
    RemoteProtocolError,
)
from playstream.pipeline.io.age_errors import explain_batch
from playstream.pipeline.io.age_keys import import_pyrage

if TYPE_CHECKING:
    from playstream.pipeline.io.age_keys import Identity, Recipient

VERSION = 1
MAGIC = LIVE_START + b"\r\n\x1a\n"
"""As in the native protocol: no text contains its beginning, and its end reveals a terminal on the way."""
PREAMBLE = struct.Struct("<12sB")
LENGTH = struct.Struct("<II")
"""The size of the age file that follows, and the CRC-32 of these four bytes: a receiver must not wait for the end of a
batch that is not there."""
MARKER = b"\xf5\x00PB"
HEADER = struct.Struct("<4s16sQB")
"""The first bytes inside of each age file: marker, stream ID, sequence, flags."""
_ID_SIZE = 16
LAST = 1
"""The flag of the last batch."""
MAX_BATCH = (1 << 22) + (1 << 17)
"""Maximum size of an age file."""
MAX_AGE_HEADER = 1 << 16
"""Maximum size of the header of an age file, whose every recipient costs the receiver an operation."""
CONTENT = (1 << 20) + (1 << 17)
"""Bytes of the stream after which a batch is full: any frame of the native protocol fits."""
RSA_CONTENT = 1 << 22
"""The same for batches to an RSA key."""
_AGE_HEADER_END = b"\n---"
_RSA = b"\n-> ssh-rsa "
_RSA_SECONDS = 0.25
"""Minimum time between two batches to an RSA key: decrypting one takes up to 60 ms."""
_RECIPIENT_SECONDS = 0.001
"""The same for each recipient: encrypting to one takes 0.1 ms."""


class BatchWriter:
    """The outgoing end: puts what a stage writes into batches.

    Args:
        recipients: who can decrypt them; at least one.

    Raises:
        ConfigurationError: there are too many.
    """

    def __init__(self, recipients: Sequence[Recipient]) -> None:
        self._encrypt = import_pyrage().encrypt
        self._recipients = recipients
        self._stream_id = secrets.token_bytes(_ID_SIZE)
        self._sequence = 0
        self._pending = bytearray()
        example = self._encrypt(b"", recipients)
        size = len(example)
        to_rsa = _RSA in example
        self._full = RSA_CONTENT if to_rsa else CONTENT
        self.gather_seconds = max(_RSA_SECONDS if to_rsa else 0.0, _RECIPIENT_SECONDS * len(recipients))
        """Minimum time between two flushes, so that keys do not take more than a part of a processor's time."""
        if size > MAX_AGE_HEADER - (1 << 10):  # the library adds a stanza of random size
            raise ConfigurationError(
                f"encrypt_to: {len(recipients)} recipients are too many for a stream that is sent live: each batch "
                f"would begin with {size >> 10} KiB of keys, and {MAX_AGE_HEADER >> 10} KiB are allowed. Write to a "
                "file, or encrypt to one key and distribute that"
            )

    def wrap(self, data: Iterable[bytes], *, flush: bool, last: bool = False) -> Iterator[bytes]:
        """Yield the bytes to write for `data`.

        Args:
            data: the next bytes of the stream. If it raises an error, those before it are sent first.
            flush: whether to send all of them; otherwise those of a batch that is not full are kept.
            last: whether the stream ends here. A stream without any data stays empty.

        Raises:
            LinkError: the library failed.
        """
        try:
            for piece in data:
                self._pending += piece
                while len(self._pending) > self._full:
                    yield self._take(self._full, 0)
        except PlaystreamError:
            if self._pending:
                yield self._take(len(self._pending), 0)
            raise
        if last and (self._pending or self._sequence):
            yield self._take(len(self._pending), LAST)
        elif flush and self._pending:
            yield self._take(len(self._pending), 0)

    def _take(self, size: int, flags: int) -> bytes:
        """Return a batch with the first `size` bytes that are pending."""
        with memoryview(self._pending) as view:
            content = HEADER.pack(MARKER, self._stream_id, self._sequence, flags) + view[:size]
        del self._pending[:size]
        try:
            batch = self._encrypt(content, self._recipients)
        except BaseException as error:  # noqa: BLE001 - the stage has to report whatever the library raises
            raise LinkError(f"the encryption of the stream failed: {error}") from None
        length = len(batch).to_bytes(4, "little")
        start = b"" if self._sequence else PREAMBLE.pack(MAGIC, VERSION)
        self._sequence += 1
        return b"".join((start, length, zlib.crc32(length).to_bytes(4, "little"), batch))


class BatchReader:
    """The incoming end: turns bytes that begin with the magic into the content of batches.

    Args:
        identities: each batch must be encrypted to at least one of them.
    """

    def __init__(self, identities: Sequence[Identity]) -> None:
        self._identities = identities
        self._decrypt = import_pyrage().decrypt
        self._error = import_pyrage().DecryptError
        self._buffer = bytearray()
        self._began = False
        self._size: int | None = None
        """Bytes of the next age file; None while they are unknown."""
        self._stream_id = b""
        self._sequence = 0
        self._ended = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received."""
        self._buffer += data

    def next(self) -> bytes | None:
        """Return the content of the next batch; None if it is not complete.

        Raises:
            RemoteProtocolError: the received data is not as a sender wrote it, or is encrypted to other identities.
        """
        if self._ended:
            self._check_nothing_follows()
            return None
        if not self._began:
            preamble = self._consume(PREAMBLE.size)
            if preamble is None:
                return None
            _check_preamble(preamble)
            self._began = True
        if self._size is None:
            length = self._consume(LENGTH.size)
            if length is None:
                return None
            self._size = self._check_length(length)
        batch = self._consume(self._size)
        if batch is None:
            return None
        self._size = None
        return self._open(batch)

    def receive_eof(self) -> None:
        """Check that the stream is complete.

        Raises:
            IncompleteStream: it is not.
        """
        if not self._ended:
            place = "within" if self._buffer or self._size is not None else "before"
            raise IncompleteStream(
                f"the encrypted stream ended {place} batch {self._sequence}, and none before it is marked as the last: "
                "the sender was killed, or the connection was lost. Everything before that is authentic"
            )

    def _consume(self, size: int) -> bytes | None:
        if len(self._buffer) < size:
            return None
        with memoryview(self._buffer) as view:
            data = bytes(view[:size])
        del self._buffer[:size]
        return data

    def _check_length(self, data: bytes) -> int:
        size, checksum = LENGTH.unpack(data)
        if checksum != zlib.crc32(data[:4]):
            raise RemoteProtocolError(
                f"the length of batch {self._sequence} of the encrypted stream is damaged: the stream was altered in "
                "transit, or another program printed into it. Everything before that is authentic"
            )
        if size > MAX_BATCH:
            raise RemoteProtocolError(
                f"batch {self._sequence} of the encrypted stream announces {size} bytes; at most {MAX_BATCH} are "
                "allowed. The sender is broken or hostile"
            )
        return int(size)

    def _open(self, batch: bytes) -> bytes:
        """Return the content of a batch that has to be the next one."""
        if batch.find(_AGE_HEADER_END, 0, MAX_AGE_HEADER) < 0:
            raise RemoteProtocolError(
                f"batch {self._sequence} of the encrypted stream does not begin with the header of an age file of at "
                f"most {MAX_AGE_HEADER >> 10} KiB. The sender is broken or hostile"
            )
        try:
            content = self._decrypt(batch, self._identities)
        except self._error as error:
            raise explain_batch(self._sequence, str(error)) from None
        if len(content) < HEADER.size or not content.startswith(MARKER):
            raise RemoteProtocolError(
                f"expected batch {self._sequence} of an encrypted stream, got an age file with other content: somebody "
                "has put it there"
            )
        _marker, stream_id, sequence, flags = HEADER.unpack_from(content)
        if sequence != self._sequence:
            raise RemoteProtocolError(
                f"expected batch {self._sequence} of the encrypted stream, got batch {sequence}: batches were lost, "
                "duplicated or reordered in transit. Everything before that is authentic"
            )
        if sequence and stream_id != self._stream_id:
            raise RemoteProtocolError(
                f"batch {sequence} belongs to another encrypted stream: two streams were mixed in transit. Everything "
                "before that is authentic"
            )
        if flags & ~LAST:
            raise RemoteProtocolError(
                f"batch {sequence} of the encrypted stream has the flags {flags:#04x}, which this version does not "
                "know. Update playstream on this side"
            )
        self._stream_id = stream_id
        self._sequence += 1
        self._ended = bool(flags & LAST)
        return bytes(content[HEADER.size :])

    def _check_nothing_follows(self) -> None:
        if self._buffer:
            raise RemoteProtocolError(
                f"{len(self._buffer)} bytes follow the last batch of the encrypted stream, which is complete and "
                "authentic: they were added in transit, or another program writes to the same pipe"
            )


def _check_preamble(data: bytes) -> None:
    magic, version = PREAMBLE.unpack(data)
    if magic != MAGIC:
        raise RemoteProtocolError(
            f"the stream was altered in transit: expected {MAGIC!r}, got {magic!r}. A terminal in between probably "
            "rewrites line endings; call ssh without -t"
        )
    if version != VERSION:
        older = "the other" if version < VERSION else "this"
        raise RemoteProtocolError(
            f"the other side writes version {version} of the live form of encrypted streams, this side reads version "
            f"{VERSION}. Update playstream on {older} side"
        )
