"""What hypothesis generates: records, streams that the order table allows, and damage."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from playstream.pipeline.protocol import (
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
    KeyMode,
    Listing,
    Log,
    LogLevel,
    Offer,
    Ping,
    Pong,
    Prompt,
    Record,
    Resize,
    Status,
    StatusName,
    TreeEnd,
    Want,
    frames,
)
from playstream.pipeline.protocol.order import ALWAYS, TABLE, Direction, Order
from tests.pipeline.protocol.wire import record_bytes

# Low surrogates stand for the undecodable bytes of a file name. High ones are left out: JSON joins a high and a low
# one to one character.
TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\udc80\udcff"), max_size=12)
VALUES: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
DIRECTIONS = st.sampled_from(Direction)
FLUSHES = st.lists(st.booleans(), min_size=1, max_size=5)
CHUNK_SIZES = st.just([1]) | st.lists(st.integers(1, 300), min_size=1, max_size=5)
NOISE = st.lists(
    st.binary(min_size=1, max_size=200)
    | st.sampled_from([frames.MARKER, frames.MAGIC_START]).flatmap(
        lambda token: st.integers(1, len(token) - 1).map(lambda size: token[:size])
    ),
    min_size=1,
    max_size=6,
).map(b"".join)
"""Foreign bytes, often with the beginning of a marker or of the preamble inside."""

_BY_TYPE: dict[str, SearchStrategy[Any]] = {
    "str": TEXT,
    "int": st.integers(-(2**63), 2**63 - 1),
    "CellCount": st.integers(0, 2**16 - 1),
    "float": st.floats(-(2.0**62), 2.0**62),
    "bool": st.booleans(),
    "bytes": st.binary(min_size=32, max_size=32),
    "Mapping[str, Any]": st.dictionaries(TEXT, VALUES, max_size=3),
    "Mapping[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
    "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
    "tuple[Mapping[str, Any], ...]": st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=2).map(tuple),
    "StatusName": st.sampled_from(StatusName),
    "LogLevel": st.sampled_from(LogLevel),
    "KeyMode": st.sampled_from(KeyMode),
}


def _json_records(cls: type[Any]) -> SearchStrategy[Any]:
    """Records of a class whose fields travel as JSON, every field drawn by its declared type."""
    arguments = {}
    for item in dataclasses.fields(cls):
        kind = str(item.type)
        base = _BY_TYPE[kind.removesuffix(" | None")]
        arguments[item.name] = st.none() | base if kind.endswith("None") else base
    return st.builds(cls, **arguments)


ENTRIES = st.builds(
    FileEntry,
    path=st.binary(max_size=30),
    type=st.sampled_from(FileType),
    mode=st.integers(0, 0o7777),
    mtime_ns=st.integers(-(2**63), 2**63 - 1),
    size=st.integers(0, 2**64 - 1),
    link=st.integers(0, 2**32 - 1),
    target=st.binary(max_size=30),
)
RECORDS: dict[type[Any], SearchStrategy[Any]] = {
    **{
        cls: _json_records(cls)
        for cls in (Job, Status, TreeEnd, Log, Heartbeat, Cancel, Failure, End, Hello, Pong, Resize, Prompt, Offer)
    },
    FileEntry: ENTRIES,
    FileData: st.binary(max_size=600).map(FileData),
    Ping: st.builds(Ping, st.integers(0, 2**64 - 1), st.binary(max_size=300)),
    Input: st.builds(Input, st.integers(0, 2**64 - 1), st.binary(max_size=300)),
    Listing: st.binary(max_size=300).map(Listing),
    Want: st.builds(Want, st.just(True), since=st.binary(max_size=64))
    | st.builds(Want, st.just(False), contents=st.binary(max_size=40)),
    Content: st.builds(Content, st.binary(max_size=600), st.booleans()),
    Event: st.builds(Event, st.integers(0, 2**64 - 1), st.binary(max_size=300)),
}


@st.composite
def streams(draw: DrawFn, direction: Direction, max_size: int = 12) -> list[Record]:
    """Records that may follow one another in this direction, End left out."""
    order = Order(direction, receiving=False)
    records: list[Record] = []
    wanted = draw(st.integers(0, max_size))
    while len(records) < wanted or End not in TABLE[direction][order.state]:
        allowed = [cls for cls in TABLE[direction][order.state] if cls is not End]
        if len(records) < wanted:
            allowed += sorted(ALWAYS[direction], key=str)
        else:
            allowed = [cls for cls in allowed if TABLE[direction][order.state][cls] is not order.state]
        asked = [record for record in records if isinstance(record, Want)]
        if asked and (len(asked) == 2 or not asked[0].listings):
            allowed = [cls for cls in allowed if cls is not Want]
        if not allowed:
            break
        record = draw(RECORDS[draw(st.sampled_from(allowed))])
        if isinstance(record, Event):
            record = Event(order.events + 1, record.json)
        elif isinstance(record, Want) and asked:
            record = Want(False, contents=record.contents)
        order.follow(record)
        records.append(record)
    return records


def directed_streams(max_size: int = 12) -> SearchStrategy[tuple[Direction, list[Record]]]:
    """A direction and records for it."""
    return DIRECTIONS.flatmap(lambda direction: st.tuples(st.just(direction), streams(direction, max_size)))


@st.composite
def mutations(draw: DrawFn, data: bytes, *, reorder: bool = True) -> bytes:
    """`data` with one to three things wrong with it."""
    for _ in range(draw(st.integers(1, 3))):
        size = len(data)
        start, end = sorted((draw(st.integers(0, size)), draw(st.integers(0, size))))
        kinds = ["flip", "insert", "delete", "duplicate", "truncate", "overwrite", *(["swap"] if reorder else [])]
        kind = draw(st.sampled_from(kinds))
        if kind == "flip" and start < size:
            data = data[:start] + bytes([data[start] ^ draw(st.integers(1, 255))]) + data[start + 1 :]
        elif kind == "insert":
            data = data[:start] + draw(st.binary(min_size=1, max_size=40)) + data[start:]
        elif kind == "delete":
            data = data[:start] + data[end:]
        elif kind == "duplicate":
            data = data[:end] + data[start:]
        elif kind == "truncate":
            data = data[:start]
        elif kind == "overwrite":
            size = min(end - start, 50)
            data = data[:start] + draw(st.binary(min_size=size, max_size=size)) + data[start + size :]
        elif kind == "swap":
            middle = (start + end) // 2
            data = data[:start] + data[middle:end] + data[start:middle] + data[end:]
    return data


_FIELD_NAMES = sorted({item.name for cls in RECORDS for item in dataclasses.fields(cls)})
_HOSTILE_VALUES = st.sampled_from(
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        "[" * 900 + "]" * 900,
        "9" * 5_000,
        "-1e999",
        "1e-999",
        "NaN",
        "-Infinity",
        "18446744073709551616",
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u0000"',
        "true",
        "null",
        "",
        '"',
        "[1]",
        '{"a":1,"a":2}',
        '{"a":1}',
        '["a"]',
        '"running"',
        '"info"',
        "1.0",
        "-1",
        '"%s"' % ("ab" * 32),
        '"%s"' % ("zz" * 32),
    ]
) | VALUES.map(lambda value: json.dumps(value, ensure_ascii=True))
_HOSTILE_JSON = st.lists(
    st.tuples(st.sampled_from([*_FIELD_NAMES, "unknown", "\\u001b[2J", ""]), _HOSTILE_VALUES), max_size=5
).map(lambda pairs: ("{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}").encode())


@st.composite
def hostile_contents(draw: DrawFn) -> bytes:
    """What a frame may hold: records with lying headers, wrong fields and JSON that bites."""
    pieces = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.integers(0, 22) | st.integers(0, 255))
        payload = draw(_HOSTILE_JSON | _HOSTILE_VALUES.map(str.encode) | st.binary(max_size=80))
        size = draw(st.none() | st.integers(0, 100) | st.integers(0, 2**32 - 1))
        pieces.append(record_bytes(kind, payload, flags=draw(st.integers(0, 255)), size=size))
    valid = draw(st.sampled_from([b"", b'\x01\x00\x0d\x00\x00\x00{"ident":"a"}']))
    return valid + b"".join(pieces)
