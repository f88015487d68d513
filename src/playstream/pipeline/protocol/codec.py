"""Records to bytes and back: the native dialect's content.

Content is a sequence of records, each with a small header; a record may span frames. Errors never show a payload,
because a Job contains secrets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from functools import partial

from playstream.pipeline.errors import LocalProtocolError, RemoteProtocolError
from playstream.pipeline.limits import DEFAULT_LIMITS, exceeded
from playstream.pipeline.protocol import fieldtypes
from playstream.pipeline.protocol.frames import MAX_CONTENT
from playstream.pipeline.protocol.records import (
    Cancel,
    Content,
    End,
    Event,
    Failure,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Hello,
    Input,
    Job,
    Listing,
    Log,
    Offer,
    Ping,
    Pong,
    Prompt,
    Record,
    Resize,
    Status,
    TreeEnd,
    Want,
)


class Kind(IntEnum):
    """The number of each kind of record on the wire."""

    JOB = 1
    STATUS = 2
    EVENT = 3
    FILE_ENTRY = 4
    FILE_DATA = 5
    TREE_END = 6
    LOG = 7
    HEARTBEAT = 8
    CANCEL = 9
    FAILURE = 10
    END = 11
    HELLO = 12
    PING = 13
    PONG = 14
    INPUT = 15
    RESIZE = 16
    PROMPT = 17
    OFFER = 18
    LISTING = 19
    WANT = 20
    CONTENT = 21


IGNORABLE = 0x01
"""Flag of a record that a receiver may skip if it does not know the kind."""

RECORD = struct.Struct("<BBI")
_EVENT = struct.Struct("<Q")
_NUMBER = struct.Struct("<Q")
"""The beginning of a Ping and an Input."""
_ENTRY = struct.Struct("<BHqQIHH")
_WANT = struct.Struct("<BB")
"""Whether listings are wanted, and the size of the hash that follows."""

MAX_RECORD = DEFAULT_LIMITS.max_record_bytes
"""Default for the payload size of one record that a receiver accepts, in bytes."""
MAX_MESSAGE = 1 << 22
"""Maximum payload size of a JSON record other than Job. Parsed JSON takes up to 25 times as much memory, and a process
stage does not trust its worker."""

MAX_INPUT = 1 << 12
"""Maximum number of bytes in an Input; a terminal passes on no longer lines."""
MAX_PROMPT = 1 << 16
"""Maximum payload size of a Prompt."""

_JSON_KINDS: dict[Kind, type] = {
    Kind.JOB: Job,
    Kind.STATUS: Status,
    Kind.TREE_END: TreeEnd,
    Kind.LOG: Log,
    Kind.HEARTBEAT: Heartbeat,
    Kind.CANCEL: Cancel,
    Kind.FAILURE: Failure,
    Kind.END: End,
    Kind.HELLO: Hello,
    Kind.PONG: Pong,
    Kind.RESIZE: Resize,
    Kind.PROMPT: Prompt,
    Kind.OFFER: Offer,
}
_KIND_OF: dict[type, Kind] = {cls: kind for kind, cls in _JSON_KINDS.items()}
_IGNORABLE_KINDS = {
    *(Kind.LOG, Kind.HEARTBEAT, Kind.HELLO, Kind.PING, Kind.PONG),
    *(Kind.INPUT, Kind.RESIZE, Kind.PROMPT, Kind.WANT),
}
_MESSAGE_KINDS = frozenset(_JSON_KINDS) - {Kind.JOB}
_BOUNDED_KINDS = frozenset((Kind.FILE_DATA, Kind.PING, Kind.INPUT, Kind.CONTENT, Kind.WANT))
"""Kinds whose limit is not that for records."""
_MAX_HASH = 64
"""Maximum number of bytes of a hash in a Want."""
_MAX_SIZE = (1 << 32) - 1
"""The largest number in the size field of a record's header."""
_MAX_MODE = 0o7777
_FILE_TYPES = {int(type_): type_ for type_ in FileType}


def encode(record: Record) -> bytes:
    """Encode one record as content bytes.

    Raises:
        LocalProtocolError: a value does not fit its field, is not JSON, or is larger than any receiver accepts.
    """
    if type(record) is FileData:
        return _header(Kind.FILE_DATA, len(record.data)) + record.data
    if type(record) is FileEntry:
        return _encode_entry(record)
    if type(record) is Event:
        return _encode_event(record)
    if type(record) is Ping:
        return _encode_numbered(Kind.PING, record, record.padding)
    if type(record) is Input:
        return _encode_numbered(Kind.INPUT, record, record.data)
    if type(record) is Listing:
        return _header(Kind.LISTING, len(record.data)) + record.data
    if type(record) is Content:
        return _encode_content(record)
    if type(record) is Want:
        return _encode_want(record)
    kind = _KIND_OF[type(record)]
    payload = fieldtypes.encode_fields(record)
    return _header(kind, len(payload)) + payload


def _header(kind: Kind, size: int) -> bytes:
    limit = _limit(kind, _MAX_SIZE)
    if size > limit:
        raise LocalProtocolError(f"a {kind.name} record of {size} bytes cannot be sent: at most {limit} are accepted")
    return RECORD.pack(kind, IGNORABLE if kind in _IGNORABLE_KINDS else 0, size)


def _encode_event(event: Event) -> bytes:
    try:
        counter = _EVENT.pack(event.counter)
    except struct.error as error:
        raise LocalProtocolError(f"an event with counter {event.counter} cannot be sent: {error}") from None
    return _header(Kind.EVENT, _EVENT.size + len(event.json)) + counter + event.json


def _encode_numbered(kind: Kind, record: Ping | Input, data: bytes) -> bytes:
    try:
        number = _NUMBER.pack(record.number)
    except struct.error as error:
        raise LocalProtocolError(f"{record!r} cannot be sent: {error}") from None
    return _header(kind, _NUMBER.size + len(data)) + number + data


def _encode_entry(entry: FileEntry) -> bytes:
    path, target = entry.path, entry.target
    if entry.type not in _FILE_TYPES or entry.mode > _MAX_MODE:
        raise LocalProtocolError(f"{entry!r} cannot be sent: expected a FileType and a mode of at most 0o7777")
    try:
        return b"".join(
            (
                _header(Kind.FILE_ENTRY, _ENTRY.size + len(path) + len(target)),
                _ENTRY.pack(entry.type, entry.mode, entry.mtime_ns, entry.size, entry.link, len(path), len(target)),
                path,
                target,
            )
        )
    except struct.error as error:
        raise LocalProtocolError(f"{entry!r} cannot be sent: {error}") from None


def _encode_want(want: Want) -> bytes:
    size = len(want.since)
    if type(want.listings) is not bool or size > _MAX_HASH or (want.contents if want.listings else want.since):
        raise LocalProtocolError(f"{want!r} cannot be sent: expected a hash for listings, or bits for contents")
    payload = _WANT.pack(want.listings, size) + want.since + want.contents
    return _header(Kind.WANT, len(payload)) + payload


def _encode_content(content: Content) -> bytes:
    if type(content.changed) is not bool:
        raise LocalProtocolError(f"{content!r} cannot be sent: expected True or False for changed")
    return _header(Kind.CONTENT, 1 + len(content.data)) + bytes((content.changed,)) + content.data


def _limit(kind: int, max_record: int) -> int:
    if kind == Kind.FILE_DATA:
        return MAX_CONTENT
    if kind == Kind.PING:
        return _NUMBER.size + MAX_CONTENT
    if kind == Kind.INPUT:
        return _NUMBER.size + MAX_INPUT
    if kind == Kind.PROMPT:
        return MAX_PROMPT
    if kind == Kind.CONTENT:
        return 1 + MAX_CONTENT
    if kind == Kind.WANT:
        return min(max_record, MAX_MESSAGE)
    return min(max_record, MAX_MESSAGE) if kind in _MESSAGE_KINDS else max_record


def size_limits(max_record: int) -> dict[int, int]:
    """Return the maximum payload size of each kind of record; it is `max_record` for unknown kinds."""
    return {int(kind): _limit(kind, max_record) for kind in Kind}


def too_large(kind: int, size: int, limit: int) -> RemoteProtocolError:
    """Return the error for a record whose header announces too many bytes."""
    what = f"a record of kind {kind} announces {size} bytes"
    if kind in _MESSAGE_KINDS or kind in _BOUNDED_KINDS:
        return RemoteProtocolError(f"{what}: at most {limit} are accepted. The sender is broken or hostile")
    return exceeded(what, limit, "max_record_bytes")


def decode(kind: int, flags: int, payload: bytes) -> Record | None:
    """Decode the record of one payload; None for an unknown kind that may be skipped.

    Raises:
        RemoteProtocolError: the payload is not valid for its kind, or the kind is unknown and critical.
    """
    decoder = _DECODERS.get(kind)
    if decoder is not None:
        return decoder(payload)
    if flags & IGNORABLE:
        return None
    raise RemoteProtocolError(
        f"received a record of unknown kind {kind} that must not be skipped. The other side is newer; update this side"
    )


def decode_event(content: bytes, start: int, end: int) -> Event:
    """Decode the event whose payload is `content[start:end]`, which is copied once.

    Raises:
        RemoteProtocolError: it is too short.
    """
    text = start + _EVENT.size
    if text > end:
        raise RemoteProtocolError(f"an event of {end - start} bytes is too short to hold its counter")
    return Event(_EVENT.unpack_from(content, start)[0], content[text:end])


def _decode_event(payload: bytes) -> Event:
    return decode_event(payload, 0, len(payload))


def _decode_numbered(cls: type[Ping | Input], payload: bytes) -> Ping | Input:
    if len(payload) < _NUMBER.size:
        raise RemoteProtocolError(f"a record {cls.__name__} of {len(payload)} bytes is too short to hold its number")
    return cls(_NUMBER.unpack_from(payload)[0], payload[_NUMBER.size :])


def _decode_want(payload: bytes) -> Want:
    if len(payload) >= _WANT.size:
        listings, size = _WANT.unpack_from(payload)
        rest = payload[_WANT.size :]
        if listings == 1 and size == len(rest) <= _MAX_HASH:
            return Want(True, since=rest)
        if listings == 0 and size == 0:
            return Want(False, contents=rest)
    raise RemoteProtocolError(
        f"a record Want of {len(payload)} bytes is not well formed: expected a hash for listings, or bits for "
        "contents. The sender is broken or hostile"
    )


def _decode_content(payload: bytes) -> Content:
    if payload[:1] not in (b"\0", b"\1"):
        raise RemoteProtocolError(
            f"a record Content of {len(payload)} bytes is not well formed: expected 0 or 1 in its first byte. "
            "The sender is broken or hostile"
        )
    return Content(payload[1:], payload[0] == 1)


def _decode_entry(payload: bytes) -> FileEntry:
    if len(payload) < _ENTRY.size:
        raise RemoteProtocolError(f"a file entry of {len(payload)} bytes is too short for its fixed fields")
    type_, mode, mtime_ns, size, link, path_size, target_size = _ENTRY.unpack_from(payload)
    names = _ENTRY.size + path_size
    if len(payload) != names + target_size or type_ not in _FILE_TYPES or mode > _MAX_MODE:
        raise RemoteProtocolError(
            f"a file entry is not well formed (type {type_}, mode {mode:o}, names of {path_size} and {target_size} "
            f"bytes in a payload of {len(payload)}). The sender is broken or hostile"
        )
    return FileEntry(payload[_ENTRY.size : names], _FILE_TYPES[type_], mode, mtime_ns, size, link, payload[names:])


_DECODERS: dict[int, Callable[[bytes], Record]] = {
    Kind.FILE_DATA: FileData,
    Kind.FILE_ENTRY: _decode_entry,
    Kind.EVENT: _decode_event,
    Kind.LISTING: Listing,
    Kind.WANT: _decode_want,
    Kind.CONTENT: _decode_content,
    Kind.PING: partial(_decode_numbered, Ping),
    Kind.INPUT: partial(_decode_numbered, Input),
    **{kind: partial(fieldtypes.decode_fields, cls) for kind, cls in _JSON_KINDS.items()},
}
