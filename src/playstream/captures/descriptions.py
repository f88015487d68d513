"""What a piece of a stream is, for people and for programs, without values that may be secret.

Of a job only names are told, and of events and statuses neither results nor the environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from playstream.captures.pieces import ArchiveStart, Arguments, Item, LastLine, Piece, Skipped
from playstream.pipeline.errors import RemoteProtocolError, counted
from playstream.pipeline.protocol import (
    Cancel,
    End,
    Event,
    Failure,
    FileEntry,
    FileType,
    Hello,
    Job,
    Log,
    Noise,
    Offer,
    Ping,
    Pong,
    Prompt,
    Resize,
    Status,
    TreeEnd,
    Want,
)
from playstream.pipeline.tree.paths import printable
from playstream.process.event_data import data_of, text_of
from playstream.process.events import parse_event

_TYPES = {
    FileType.DIRECTORY: "directory",
    FileType.FILE: "file",
    FileType.SYMLINK: "link",
    FileType.HARDLINK: "hard link",
}


@dataclass(frozen=True, slots=True)
class Description:
    """A piece, described."""

    kind: str
    """The name of the record, or of what else it is."""
    time: str | None
    """Its time as it was sent; None if it carries none."""
    text: str
    """What it is, in a few words."""
    details: dict[str, Any]
    """The same for programs."""
    valid: bool = True
    """False for an event that is not well formed."""


def describe(piece: Piece, *, dated: bool) -> Description:
    """Describe a piece.

    Args:
        piece: the piece.
        dated: whether statuses carry their times. In ansible-runner's protocol they do not.
    """
    item = piece.item
    if isinstance(item, Event):
        return _describe_event(item)
    text, details = _tell(item)
    kind = Job.__name__ if isinstance(item, Arguments) else type(item).__name__
    return Description(kind, item.created if dated and isinstance(item, Status) else None, text, details)


def _describe_event(record: Event) -> Description:
    try:
        event, _json = parse_event(record)
    except RemoteProtocolError:  # its message would show a part of the event
        return Description(
            Event.__name__, None, "not a valid event", {"counter": record.counter, "event": None}, valid=False
        )
    name, data = text_of(event, "event"), data_of(event)
    host, task = text_of(data, "host"), text_of(data, "task")
    text = ": ".join(filter(None, (" ".join(filter(None, (name, host))), task)))
    details = {"counter": record.counter, "event": name, "host": host or None, "task": task or None}
    return Description(Event.__name__, text_of(event, "created") or None, text, details)


def _tell(item: Item) -> tuple[str, dict[str, Any]]:  # noqa: PLR0912 - a case for each kind
    match item:
        case Status(status=status, rc=rc, explanation=why):
            text = status.value + ("" if rc is None else f", return code {rc}") + ("" if why is None else f": {why}")
            return text, {"status": status.value, "rc": rc, "explanation": why}
        case FileEntry(type=kind, path=path, size=size):
            text = f"{_TYPES[kind]} {printable(path)}" + (f", {size} bytes" if kind is FileType.FILE else "")
            return text, {"type": _TYPES[kind], "path": path.decode("utf-8", "backslashreplace"), "file_size": size}
        case TreeEnd(entries=entries, size=size) | Offer(entries=entries, size=size):
            return f"{_entries(entries)}, {size} bytes", {"entries": entries, "tree_size": size}
        case Log(level=level, message=message):
            return f"{level.value}: {message}", {"level": level.value, "message": message}
        case Cancel(reason=reason):
            return reason, {"reason": reason}
        case Failure(error=error, message=message):
            return f"{error}: {message}", {"error": error, "message": message}
        case End(records=records, events=events):
            text = f"{counted(records, 'record')}, {counted(events, 'event')}"
            return text, {"records": records, "events": events}
        case Hello(version=version, minor=minor, ansible_core=core):
            text = f"playstream {version}, ansible-core {core or 'unknown'}"
            return text, {"version": version, "minor": minor, "ansible_core": core}
        case Ping(number=number) | Pong(number=number):
            return f"number {number}", {"number": number}
        case Prompt(number=number, mode=mode):
            return f"number {number}, {mode.value}", {"number": number, "mode": mode.value}
        case Resize(rows=rows, columns=columns):
            return f"{columns} columns, {rows} rows", {"rows": rows, "columns": columns}
        case Want(listings=listings):
            return "listings" if listings else "contents", {"listings": listings}
        case Noise(size=size):
            return f"{size} bytes that are not part of the stream", {}
        case Skipped(records=records):
            return f"{counted(records, 'record')} of a newer version", {"records": records}
        case Job():
            return _tell_names(_names_of(item))
        case Arguments(names=names):
            return _tell_names(names)
        case ArchiveStart(size=size):
            return f"{size} bytes", {"archive_size": size}
        case LastLine():
            return "", {}
    return "", {}


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _tell_names(names: Iterable[str]) -> tuple[str, dict[str, Any]]:
    found = list(names)
    return f"names: {', '.join(found)}", {"names": found}


def _names_of(job: Job) -> Iterator[str]:
    """Yield the names of the fields that are set, and of the keys of those that are mappings."""
    default = Job("")
    for field in fields(Job):
        value = getattr(job, field.name)
        if value == getattr(default, field.name):
            continue
        if isinstance(value, dict):
            yield from (f"{field.name}.{key}" for key in sorted(value))
        else:
            yield field.name
