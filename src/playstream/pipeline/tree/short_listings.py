"""Listings of directories in a short form, which names contents of an earlier tree by their numbers.

Hashes are most of a listing, and no compression makes them smaller. A directory in which times, modes or a few files
have changed names many contents of an earlier tree that both sides know. docs/protocol.md specifies the bytes.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.tree.digests import DIGEST_SIZE
from playstream.pipeline.tree.listings import DIRECTORY, scan

SHORT = b"S"
"""The first byte of the short form."""
_SIZE = struct.Struct("<I")
_HEADER = len(SHORT) + _SIZE.size
_MAX_NUMBER_BYTES = 9
"""Maximum size of a reference, in bytes; there are far fewer contents."""


def shorten(listing: bytes, numbers: Mapping[bytes, int]) -> bytes:
    """Return the short form of the listing of a directory; a listing of blocks remains as it is.

    Args:
        listing: the listing, which is valid.
        numbers: the contents of the earlier tree, each with its number in the order of their first use, from 0.
    """
    if listing[:1] != DIRECTORY:
        return listing
    entries: list[bytes] = []
    references = bytearray()
    hashes: list[bytes] = []
    expected = 0
    for start, end, has_hash in scan(listing, len(DIRECTORY), hash_size=DIGEST_SIZE):
        entries.append(listing[start:end])
        if not has_hash:
            continue
        name = listing[end : end + DIGEST_SIZE]
        number = numbers.get(name)
        if number is None:
            references.append(0)
            hashes.append(name)
        else:
            _append(references, number - expected)
            expected = number + 1
    data = b"".join(entries)
    return b"".join((SHORT, _SIZE.pack(len(data)), data, references, *hashes))


def expand(short: bytes, contents: Sequence[bytes]) -> bytes:
    """Return the listing of a directory from its short form. Whether the listing is valid is not checked.

    Args:
        short: the short form.
        contents: the hashes of the contents of the earlier tree, in the order of their first use.

    Raises:
        RemoteProtocolError: it is not well formed, or names a content that the earlier tree does not have.
    """
    if len(short) < _HEADER:
        raise _broken("it is too short")
    place = _HEADER + int(_SIZE.unpack_from(short, len(SHORT))[0])
    if place > len(short):
        raise _broken("its entries are too short")
    entries = short[_HEADER:place]
    listing = bytearray(DIRECTORY)
    gaps = array("Q")
    """Where in the listing the hashes at the end belong."""
    expected = 0
    for start, end, has_hash in scan(entries, 0, hash_size=0):
        listing += entries[start:end]
        if not has_hash:
            continue
        step, place = _read(short, place)
        if step is None:
            gaps.append(len(listing))
            listing += bytes(DIGEST_SIZE)
            continue
        expected += step
        if not 0 <= expected < len(contents):
            raise _broken(f"the earlier tree has no content {expected}")
        listing += contents[expected]
        expected += 1
    if len(short) - place != len(gaps) * DIGEST_SIZE:
        raise _broken(f"expected {len(gaps)} hashes at its end")
    for number, gap in enumerate(gaps):
        start = place + number * DIGEST_SIZE
        listing[gap : gap + DIGEST_SIZE] = short[start : start + DIGEST_SIZE]
    return bytes(listing)


def _append(references: bytearray, step: int) -> None:
    """Append a step to the next number: 7 bits in each byte, the lowest first, the sign in the lowest of all."""
    value = 1 + (2 * step if step >= 0 else -2 * step - 1)
    while value > 0x7F:
        references.append(value & 0x7F | 0x80)
        value >>= 7
    references.append(value)


def _read(short: bytes, place: int) -> tuple[int | None, int]:
    """Return a step, or None if the hash itself is at the end, and the place behind it."""
    value = 0
    for count, byte in enumerate(short[place : place + _MAX_NUMBER_BYTES]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            step = None if not value else -(value // 2) if value % 2 == 0 else value // 2
            return step, place + count + 1
    raise _broken("a reference does not end")


def _broken(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"a short listing of the offered tree is not valid: {what}. The sender is broken")
