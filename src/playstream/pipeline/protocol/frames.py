"""Preamble and frames: the fixed bytes around the compressed content.

Layouts and limits are specified in docs/protocol.md; a change here is a change of the protocol.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from playstream.pipeline.errors import RemoteProtocolError

MAJOR = 1
MINOR = 2

MAGIC = b"\xf5\x00playstream\r\n\x1a\n"
"""0xF5 is never in UTF-8 and NUL never in text, so no login banner contains it; CR LF reveals a terminal on the way."""
MAGIC_START = MAGIC[:-4]
PREAMBLE = struct.Struct("<16sBBH")
PREAMBLE_SIZE = PREAMBLE.size

MARKER = b"\xf5\x00PS"
HEADER = struct.Struct("<4sIIII")
CHECKSUM = struct.Struct("<I")
HEADER_SIZE = HEADER.size + CHECKSUM.size

MAX_CONTENT = 1 << 20
"""Maximum size of the decompressed content of one frame, which makes a decompression bomb harmless."""
MAX_PAYLOAD = MAX_CONTENT + (1 << 16)
"""Maximum size of the payload of one frame. zstd adds at most a few bytes per block to incompressible content."""
MAX_NOISE = 1 << 20
"""Maximum number of consecutive foreign bytes that are skipped; after more the data does not count as a stream."""
SHOWN = 128
"""Number of received bytes that an error message shows."""


class FrameHeader(NamedTuple):
    """The header before each payload."""

    sequence: int
    """0, 1, 2 … in each direction."""
    payload_size: int
    content_size: int
    payload_crc: int


def encode_preamble() -> bytes:
    """Return the first bytes of each direction."""
    return PREAMBLE.pack(MAGIC, MAJOR, MINOR, 0)


def decode_preamble(data: bytes) -> int:
    """Check a preamble and return the minor version.

    Raises:
        RemoteProtocolError: it was changed on the way, or has another major version.
    """
    magic, major, minor, _reserved = PREAMBLE.unpack(data)
    if magic != MAGIC:
        raise RemoteProtocolError(
            f"the stream was altered in transit: expected {MAGIC!r}, got {magic!r}. A terminal in between probably "
            "rewrites line endings; call ssh without -t"
        )
    if major != MAJOR:
        older = "the other" if major < MAJOR else "this"
        raise RemoteProtocolError(
            f"the other side speaks version {major} of the protocol, this side version {MAJOR}. "
            f"Update playstream on {older} side"
        )
    return int(minor)


def encode_frame(sequence: int, payload: bytes, content_size: int) -> bytes:
    """Return the header and payload of one frame, which should be written with one write."""
    header = HEADER.pack(MARKER, sequence, len(payload), content_size, zlib.crc32(payload))
    return b"".join((header, CHECKSUM.pack(zlib.crc32(header)), payload))


def decode_header(data: bytes, offset: int, *, show: bool) -> FrameHeader:
    """Check a frame's header at byte `offset` of the stream. Errors show its bytes only if `show` is True.

    Raises:
        RemoteProtocolError: it is damaged, or announces more than the protocol allows.
    """
    fields = data[: HEADER.size]
    (checksum,) = CHECKSUM.unpack_from(data, HEADER.size)
    expected = zlib.crc32(fields)
    if checksum != expected:
        raise RemoteProtocolError(
            f"frame header damaged at byte {offset}: expected checksum {expected:08x}, got "
            f"{checksum:08x}{f' in {data!r}' if show else ''}. The stream was altered in transit"
        )
    _marker, sequence, payload_size, content_size, payload_crc = HEADER.unpack(fields)
    if payload_size > MAX_PAYLOAD or content_size > MAX_CONTENT:
        raise RemoteProtocolError(
            f"frame {sequence} at byte {offset} announces {payload_size} bytes of payload and {content_size} of "
            f"content; at most {MAX_PAYLOAD} and {MAX_CONTENT} are allowed. The sender is broken or hostile"
        )
    return FrameHeader(sequence, payload_size, content_size, payload_crc)


def check_payload(header: FrameHeader, payload: bytes, offset: int, *, show: bool) -> None:
    """Compare a payload at byte `offset` of the stream with its header's checksum.

    Errors show the beginning of the payload only if `show` is True.

    Raises:
        RemoteProtocolError: the payload is damaged.
    """
    checksum = zlib.crc32(payload)
    if checksum != header.payload_crc:
        raise RemoteProtocolError(
            f"payload of frame {header.sequence} damaged at byte {offset}: expected checksum {header.payload_crc:08x}, "
            f"got {checksum:08x}{f'; it begins {payload[:SHOWN]!r}' if show else ''}. The stream was altered in "
            "transit, or another program printed into it"
        )
