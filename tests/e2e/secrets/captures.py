"""What is in a captured stream, taken apart as its dialect says."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import zipfile
from collections import defaultdict

from playstream.pipeline.protocol import Event, FileData, FileEntry
from playstream.pipeline.protocol.order import Direction
from tests.stages import read_records

_ZIP = re.compile(rb'\{"zipfile": (\d+)\}\n')


def parts_of(stream: bytes, direction: Direction) -> dict[str, bytes]:
    """The content by what carries it: `Job`, `kwargs`, `Status`, `Event` …, or `file PATH`."""
    return _runner_parts(stream) if stream.startswith(b"{") else _native_parts(stream, direction)


def _native_parts(stream: bytes, direction: Direction) -> dict[str, bytes]:
    parts: dict[str, bytes] = defaultdict(bytes)
    path = b""
    for record in read_records(stream, direction):
        name = type(record).__name__
        if isinstance(record, FileEntry):
            path = record.path
            parts[name] += record.path + b"\n" + record.target
        elif isinstance(record, FileData):
            parts[f"file {path.decode()}"] += record.data
        elif isinstance(record, Event):
            parts[name] += record.json + b"\n"
        else:
            parts[name] += json.dumps(dataclasses.asdict(record), default=repr).encode() + b"\n"
    return parts


def _runner_parts(stream: bytes) -> dict[str, bytes]:
    parts: dict[str, bytes] = defaultdict(bytes)
    found = _ZIP.search(stream)
    lines = stream
    if found:
        size = (int(found[1]) + 2) // 3 * 4
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(stream[found.end() : found.end() + size]))) as archive:
            for name in archive.namelist():
                parts[f"file {name}"] = archive.read(name)
        lines = stream[: found.start()] + stream[found.end() + size :]
    for line in lines.splitlines():
        parts["kwargs" if b'"kwargs"' in line[:12] else "Status" if b'"status"' in line[:12] else "Event"] += line
    return parts
