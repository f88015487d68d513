"""Writes the golden vectors that are not there yet: python tests/vectors/generate.py

A vector never changes once it is released, so a file that exists is never written again; a new one gets a new name.
README.md describes the files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import zstandard

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import (
    NEED_DATA,
    Cancel,
    Content,
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
    Noise,
    Offer,
    Ping,
    Pong,
    Prompt,
    Receiver,
    Record,
    Resize,
    Sender,
    Status,
    StatusName,
    TreeEnd,
    Want,
    codec,
    frames,
)
from playstream.pipeline.protocol.order import Direction

FOLDER = Path(__file__).parent / "native-1"
SHOWN_BYTES = 256
"""Longer values are given by size and digest."""

RUNNING = Status(StatusName.RUNNING, "2025-01-01T00:00:00.5+00:00")
DONE = Status(StatusName.SUCCESSFUL, "2025-01-01T00:01:00+00:00", rc=0)
BANNER = b"\x1b[1mWelcome to node1\x1b[0m\r\nLast login: today\r\n"
TIME = 1_700_000_000_123_456_789

JOB_WITH_TREE: list[Record] = [
    Job(
        "demo",
        tree=True,
        playbook="site.yml",
        inventory=("inventory", "node1,"),
        limit="node1",
        forks=5,
        verbosity=2,
        cmdline=("--diff",),
        extravars={"text": "\u00e9\U0001f600", "list": [1, 2.5, True, None], "big": 2**70},
        envvars={"LANG": "C.UTF-8"},
        passwords={"^SSH password:": "not a real one"},
    ),
    FileEntry(b"", FileType.DIRECTORY, 0o755, TIME),
    FileEntry(b"empty", FileType.DIRECTORY, 0o700, TIME),
    FileEntry(b"project", FileType.DIRECTORY, 0o2775, TIME),
    FileEntry(b"project/\xff\n", FileType.FILE, 0o644, -1, 0),
    FileEntry(b"project/first", FileType.FILE, 0o4755, TIME, 6, 1),
    FileData(b"hel"),
    Log(LogLevel.WARNING, "project/socket is not sent: it is a socket, a FIFO or a device"),
    FileData(b"lo\n"),
    FileEntry(b"project/second", FileType.HARDLINK, 0o4755, TIME, 0, 1),
    FileEntry(b"project/site.yml", FileType.SYMLINK, 0o777, TIME, target=b"../elsewhere/site.yml"),
    TreeEnd(7, 6),
]
RESULT: list[Record] = [
    Status(
        StatusName.STARTING,
        "2025-01-01T00:00:00+00:00",
        command=("ansible-playbook", "site.yml"),
        env={"LANG": "C.UTF-8"},
        cwd="/spool/project",
    ),
    RUNNING,
    Event(1, b'{"counter":1,"event":"playbook_on_start"}'),
    Heartbeat(),
    Event(2, b'{"counter":2,"event":"runner_on_ok","event_data":{"host":"node1"}}'),
    Log(LogLevel.INFO, "for people"),
    DONE,
    FileEntry(b"", FileType.DIRECTORY, 0o700, TIME),
    FileEntry(b"stdout", FileType.FILE, 0o600, TIME, 3),
    FileData(b"ok\n"),
    TreeEnd(2, 3),
]
HELLO = Hello(
    1,
    "0.2.0",
    records=("Cancel", "Newer"),
    features=("newer",),
    limits={"max_tree_bytes": 2**36, "max_job_seconds": 0.5},
    python="3.13.5",
    ansible_core="2.21.0rc1",
)


def listed(name: bytes, type_: FileType, size: int, hash_: bytes = b"", *, link: int = 0, target: bytes = b"") -> bytes:
    """An entry of the listing of a directory."""
    mode = {FileType.DIRECTORY: 0o2775, FileType.SYMLINK: 0o777}.get(type_, 0o4755)
    return struct.pack("<BHqQIHH", type_, mode, TIME, size, link, len(name), len(target)) + name + target + hash_


def hash_of(data: bytes) -> bytes:
    """The hash of an object."""
    return hashlib.blake2b(data, digest_size=32).digest()


SITE = b"- hosts: all\n"
BLOCK = bytes(1 << 16)
LAST_BLOCK = b"\n"
BLOCKS = b"B" + 16 * hash_of(BLOCK) + hash_of(LAST_BLOCK)
GROUPS = b"G" + hash_of(BLOCKS)
PROJECT = b"".join(
    (
        b"D",
        listed(b"\xff\n", FileType.FILE, 0),
        listed(b"first", FileType.FILE, len(SITE), hash_of(SITE), link=1),
        listed(b"large", FileType.FILE, (1 << 20) + 1, hash_of(GROUPS)),
        listed(b"second", FileType.HARDLINK, 0, link=1),
        listed(b"site.yml", FileType.SYMLINK, 0, target=b"first"),
    )
)
ROOT = b"".join(
    (
        b"D",
        listed(b"empty", FileType.DIRECTORY, 0, hash_of(b"D")),
        listed(b"project", FileType.DIRECTORY, 0, hash_of(PROJECT)),
    )
)
EARLIER = (hash_of(b"D").hex(), "00" * 32)
OFFERED = (8, len(SITE) + (1 << 20) + 1)
"""Entries and size of the tree."""
OFFERING_HELLO = Hello(2, "0.3.0", records=("Cancel", "Offer", "Listing", "Content"), features=("blake2b",))
FAILURE: list[Record] = [Failure("ExecutableNotFound", "ansible-playbook is not on this host's PATH")]


def pieces(direction: Direction, records: list[Record], *, end: bool = True) -> list[bytes]:
    """The preamble, then a frame for each record, then that of End."""
    sender = Sender(direction)
    return [sender.flush(), *(sender.send(record) for record in records), *([sender.end()] if end else [])]


def batched(direction: Direction, records: list[Record]) -> bytes:
    """The stream with as few frames as there can be."""
    sender = Sender(direction)
    return b"".join([*(sender.send(record, flush=False) for record in records), sender.end()])


def raw(content: bytes, *, announced: int | None = None) -> bytes:
    """A stream of one valid frame with any content."""
    stream = zstandard.ZstdCompressor().compressobj()
    payload = stream.compress(content) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return frames.encode_preamble() + frames.encode_frame(0, payload, len(content) if announced is None else announced)


def changed(data: bytes, offset: int) -> bytes:
    """The same bytes but for one."""
    return data[:offset] + bytes([data[offset] ^ 0x10]) + data[offset + 1 :]


def _header_of_second_frame() -> bytes:
    preamble, first, second, *_ = pieces(Direction.RESULT, RESULT)
    return preamble + first + changed(second, 9)


def _payload_of_second_frame() -> bytes:
    preamble, first, second, *rest = pieces(Direction.RESULT, RESULT)
    return b"".join([preamble, first, changed(second, len(second) - 1), *rest])


def _without(place: int) -> bytes:
    sent = pieces(Direction.RESULT, RESULT)
    return b"".join(sent[:place] + sent[place + 1 :])


def _skippable() -> bytes:
    job = codec.encode(Job("demo"))
    return raw(codec.RECORD.pack(200, codec.IGNORABLE, 5) + b"newer" + job)


VECTORS: dict[str, tuple[str, Direction, Callable[[], bytes]]] = {
    "job-alone": ("a job without a tree", Direction.JOB, lambda: batched(Direction.JOB, [Job("demo")])),
    "job-tree": (
        "a tree with every type of entry, one frame a record",
        Direction.JOB,
        lambda: b"".join(pieces(Direction.JOB, JOB_WITH_TREE)),
    ),
    "job-tree-batched": ("the same in two frames", Direction.JOB, lambda: batched(Direction.JOB, JOB_WITH_TREE)),
    "job-cancel": (
        "a job, and later its cancellation",
        Direction.JOB,
        lambda: b"".join(pieces(Direction.JOB, [Job("demo"), Heartbeat(), Cancel("SIGINT")])),
    ),
    "job-ping": (
        "minor version 1: pings before and after a job",
        Direction.JOB,
        lambda: b"".join(
            pieces(
                Direction.JOB, [Ping(1), Ping(2**64 - 1, bytes(300)), Job("demo"), Ping(3, b"\xff"), Cancel("SIGINT")]
            )
        ),
    ),
    "result-pong": (
        "minor version 1: a Hello and answers to pings",
        Direction.RESULT,
        lambda: b"".join(pieces(Direction.RESULT, [HELLO, Pong(1), RUNNING, Pong(3), DONE])),
    ),
    "job-input": (
        "minor version 1: the user's terminal before a job, and what is typed there",
        Direction.JOB,
        lambda: b"".join(
            pieces(
                Direction.JOB,
                [
                    Resize(24, 80, keyboard=True, foreground=True),
                    Job("demo"),
                    Input(1, b"Ada\n"),
                    Resize(quiet=True),
                    Input(2**64 - 1, bytes(range(256)) * 16),
                    Input(3),
                    Cancel("SIGINT"),
                ],
            )
        ),
    ),
    "result-prompt": (
        "minor version 1: questions on the user's terminal",
        Direction.RESULT,
        lambda: b"".join(
            pieces(
                Direction.RESULT,
                [
                    HELLO,
                    RUNNING,
                    Prompt(1, KeyMode.LINES),
                    Prompt(1, KeyMode.LINES, "Your name: ", "Your name: "),
                    Prompt(2, KeyMode.HIDDEN, "\r\x1b[K\u00e9"),
                    Prompt(3, KeyMode.KEYS),
                    Prompt(4, KeyMode.RAW, "\b"),
                    Prompt(5, KeyMode.NONE),
                    DONE,
                ],
            )
        ),
    ),
    "job-offer": (
        "minor version 2: a tree that is offered by its hash, and all of it is asked for; one file has changed",
        Direction.JOB,
        lambda: b"".join(
            pieces(
                Direction.JOB,
                [
                    Job("demo", tree=True, playbook="site.yml"),
                    Log(LogLevel.WARNING, "project/socket is not sent: it is a socket, a FIFO or a device"),
                    Offer(hash_of(ROOT), "blake2b", *OFFERED, EARLIER),
                    Heartbeat(),
                    *map(Listing, (ROOT, PROJECT, GROUPS, BLOCKS, b"D")),
                    Heartbeat(),
                    Content(SITE.upper(), changed=True),
                    Content(BLOCK),
                    Content(LAST_BLOCK),
                    TreeEnd(*OFFERED),
                    Cancel("SIGINT"),
                ],
            )
        ),
    ),
    "job-offer-since": (
        "minor version 2: what an earlier tree does not have, without questions, in two frames",
        Direction.JOB,
        lambda: batched(
            Direction.JOB,
            [
                Job("demo", tree=True),
                Offer(hash_of(ROOT), "blake2b", *OFFERED, EARLIER, asks=False),
                *map(Listing, (ROOT, PROJECT, GROUPS, BLOCKS)),
                *map(Content, (SITE, BLOCK, LAST_BLOCK)),
                TreeEnd(*OFFERED),
            ],
        ),
    ),
    "result-want": (
        "minor version 2: a worker asks for listings, and then for contents",
        Direction.RESULT,
        lambda: b"".join(
            pieces(
                Direction.RESULT,
                [
                    OFFERING_HELLO,
                    Want(True, since=hash_of(b"D")),
                    Log(LogLevel.INFO, "for people"),
                    Want(False, contents=b"\x05\0\x80"),
                    RUNNING,
                    DONE,
                ],
            )
        ),
    ),
    "result-want-nothing": (
        "minor version 2: a worker has the whole tree",
        Direction.RESULT,
        lambda: b"".join(pieces(Direction.RESULT, [OFFERING_HELLO, Want(False), RUNNING, DONE])),
    ),
    "result-want-twice": (
        "minor version 2: a worker asks for contents twice, which is not allowed",
        Direction.RESULT,
        lambda: raw(codec.encode(Want(False)) + codec.encode(Want(False))),
    ),
    "content-without-offer": (
        "minor version 2: content in a tree that was not offered, which is not allowed",
        Direction.JOB,
        lambda: raw(codec.encode(Job("demo", tree=True)) + codec.encode(Content(SITE))),
    ),
    "job-failure": ("transmit failed", Direction.JOB, lambda: b"".join(pieces(Direction.JOB, FAILURE))),
    "result": (
        "status, events, log, heartbeat and artifacts, one frame a record",
        Direction.RESULT,
        lambda: b"".join(pieces(Direction.RESULT, RESULT)),
    ),
    "result-batched": ("the same in two frames", Direction.RESULT, lambda: batched(Direction.RESULT, RESULT)),
    "result-hello": (
        "minor version 1: the results begin with Hello",
        Direction.RESULT,
        lambda: b"".join(pieces(Direction.RESULT, [HELLO, *RESULT])),
    ),
    "result-failure": ("the worker failed", Direction.RESULT, lambda: b"".join(pieces(Direction.RESULT, FAILURE))),
    "result-large-record": (
        "an event of 2.5 MiB, which spans frames",
        Direction.RESULT,
        lambda: batched(Direction.RESULT, [RUNNING, Event(1, b'"' + b"playstream" * 262_144 + b'"'), DONE]),
    ),
    "noise": (
        "a banner before the preamble and a line after each frame",
        Direction.RESULT,
        lambda: BANNER + b"tick \xf5\x00P\n".join(pieces(Direction.RESULT, RESULT)) + b"logout\r\n",
    ),
    "skipped-record": ("an unknown record that may be skipped, then a job, and no End", Direction.JOB, _skippable),
    "unknown-record": (
        "an unknown record that may not be skipped",
        Direction.RESULT,
        lambda: raw(codec.RECORD.pack(200, 0, 0)),
    ),
    "unknown-argument": (
        "a job with an argument of a newer version",
        Direction.JOB,
        lambda: raw(codec.RECORD.pack(1, 0, 30) + b'{"ident":"demo","newer":"yes"}'),
    ),
    "empty": ("no bytes at all", Direction.RESULT, lambda: b""),
    "no-stream": ("the output of another program", Direction.RESULT, lambda: b"sh: 1: playstream: not found\n"),
    "truncated": (
        "cut in the middle of a frame",
        Direction.RESULT,
        lambda: b"".join(pieces(Direction.RESULT, RESULT)[:5])[:-3],
    ),
    "no-end": (
        "everything but End",
        Direction.RESULT,
        lambda: b"".join(pieces(Direction.RESULT, RESULT, end=False)),
    ),
    "damaged-header": ("one bit of a frame's header is wrong", Direction.RESULT, _header_of_second_frame),
    "damaged-payload": ("one bit of a frame's payload is wrong", Direction.RESULT, _payload_of_second_frame),
    "lost-frame": ("a frame is missing", Direction.RESULT, lambda: _without(4)),
    "wrong-version": (
        "major version 2",
        Direction.RESULT,
        lambda: frames.PREAMBLE.pack(frames.MAGIC, 2, 0, 0) + b"".join(pieces(Direction.RESULT, RESULT)[1:]),
    ),
    "terminal": (
        "a terminal has turned LF into CR LF",
        Direction.RESULT,
        lambda: b"".join(pieces(Direction.RESULT, RESULT)).replace(b"\n", b"\r\n"),
    ),
    "bomb": ("4 KiB that hold 128 MiB", Direction.RESULT, lambda: raw(bytes(1 << 27), announced=1 << 20)),
}


def form(value: Any) -> Any:
    """A field's value as the .json files have it."""
    if isinstance(value, bytes):
        if len(value) <= SHOWN_BYTES:
            return {"hex": value.hex()}
        return {"size": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def item_form(item: Record | Noise) -> dict[str, Any]:
    """A record or noise as the .json files have it; a field that has its default is left out."""
    fields: dict[str, Any] = {"record": type(item).__name__}
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if value != default:
            fields[field.name] = form(value)
    return fields


def expectation(about: str, direction: Direction, data: bytes) -> dict[str, Any]:
    """What a receiver makes of `data`. Whoever releases a vector has read this and agrees."""
    receiver = Receiver(direction)
    receiver.receive_data(data)
    items = []
    error = None
    try:
        while (item := receiver.next_record()) is not NEED_DATA:
            items.append(item_form(item))
        receiver.receive_eof()
    except RemoteProtocolError as caught:
        error = type(caught).__name__
    return {"about": about, "direction": direction.value, "items": items, "error": error}


def write(folder: Path, name: str) -> None:
    """Write the two files of a vector.

    Raises:
        FileExistsError: one of them is there; it stays as it is.
    """
    about, direction, make = VECTORS[name]
    data = make()
    text = json.dumps(expectation(about, direction, data), indent=1) + "\n"
    for path in (folder / f"{name}.bin", folder / f"{name}.json"):
        if path.exists():
            raise FileExistsError(f"{path} exists; a vector never changes. Give the new one another name")
    with (folder / f"{name}.bin").open("xb") as file:
        file.write(data)
    with (folder / f"{name}.json").open("x", encoding="ascii") as file:
        file.write(text)


def main() -> None:
    """Write every vector that is missing."""
    for name in VECTORS:
        try:
            write(FOLDER, name)
        except FileExistsError:
            print(f"kept     {name}")
        else:
            print(f"written  {name}")


if __name__ == "__main__":
    main()
