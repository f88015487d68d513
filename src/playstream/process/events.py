"""The events of a run: checking them, because their host is not trusted, and finding missing ones."""

from __future__ import annotations

import json
import re
from json.scanner import make_scanner
from typing import Any

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.io.json_text import fit_json, is_json
from playstream.pipeline.protocol import Event

_is_uuid = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}").fullmatch
"""A uuid; Ansible appends `_2` and so on for a task that runs again."""
_SHOWN = 128
_MAX_EMPTY = 1000
"""Maximum number of empty lines at the end of an event's text that are shown, whatever its line numbers are."""
_GAPS_SHOWN = 8
"""Maximum number of gaps that are listed; of the others only the number of events is kept."""
_SHOWN_FIELDS = ("stdout", "start_line", "end_line")
_HALVES = (b"\\ud", b"\\uD")
"""The beginning of half a surrogate pair in JSON; the other half may follow."""


class _NotFinite(ValueError):
    """The value contains NaN or Infinity, which Python's json writes but JSON does not allow."""


def _refuse(constant: str) -> None:
    raise _NotFinite(constant)


_scan = make_scanner(json.JSONDecoder(parse_constant=_refuse))  # type: ignore[arg-type]  # duck typing
"""Parses one JSON value from a position, without json.loads's search for white space and guess of the encoding, which
take half of its time for an event of 600 bytes."""
_scan_all = make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # as above
"""The same, but accepts NaN and Infinity."""


def parse_event(record: Event) -> tuple[dict[str, Any], bytes]:
    """Parse an event; its JSON is returned unchanged unless it has NaN, Infinity or lone surrogates.

    Returns:
        A dict whose `counter`, `uuid`, `stdout`, `start_line` and `end_line` have the correct types. Any other field
        may be missing or have any type.

    Raises:
        RemoteProtocolError: it is not an event, or its record belongs to another one.
    """
    event, is_fit = _read(record)
    _check(event, record)
    if is_fit:
        return event, record.json
    event = fit_json(event)
    return event, json.dumps(event).encode()


def _read(record: Event) -> tuple[dict[str, Any], bool]:
    """Return the event, and whether it was valid JSON.

    Raises:
        RemoteProtocolError: it is not a single object.
    """
    is_fit = True
    try:
        text = record.json.decode("utf-8")
        try:
            event, end = _scan(text, 0)
        except _NotFinite:
            event, end = _scan_all(text, 0)
            is_fit = False
    except (ValueError, RecursionError) as error:
        raise _not_json(record, str(error)) from None
    except StopIteration as error:
        raise _not_json(record, f"no value at character {error.value}") from None
    if type(event) is not dict or end != len(text):
        raise RemoteProtocolError(f"event {record.counter}: expected one object, got {record.json[:_SHOWN]!r}")
    if is_fit and b"\\u" in record.json and any(half in record.json for half in _HALVES):
        is_fit = is_json(event)
    return event, is_fit


def _check(event: dict[str, Any], record: Event) -> None:
    uuid = event.get("uuid")
    if type(uuid) is not str or not _is_uuid(uuid):
        raise RemoteProtocolError(f"event {record.counter}: expected a uuid, got {_shown(uuid)}")
    counter = event.get("counter")
    if counter != record.counter or type(counter) is not int:
        raise RemoteProtocolError(
            f"event {record.counter} has the counter {_shown(counter)}: events were lost or duplicated on the worker"
        )
    get = event.get
    if type(get("stdout")) is not str or type(get("start_line")) is not int or type(get("end_line")) is not int:
        got = ", ".join(type(event.get(name)).__name__ for name in _SHOWN_FIELDS)
        raise RemoteProtocolError(
            f"event {record.counter}: expected a string and two integers as {', '.join(_SHOWN_FIELDS)}, got {got}"
        )


def _shown(value: object) -> str:
    """Return a value for a message, or only its type if it may be nested too deeply."""
    return repr(str(value)[:_SHOWN]) if type(value) in {str, int} else type(value).__name__


def _not_json(record: Event, why: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"event {record.counter} is not valid JSON ({why}): {record.json[:_SHOWN]!r}. Another process probably wrote "
        "into the job's event pipe"
    )


def event_file_name(counter: int, uuid: str) -> str:
    """Return the name of an event's file in job_events; `uuid` has been checked to be a plain word."""
    return f"{counter}-{uuid}.json"


def came_twice(file_name: str) -> RemoteProtocolError:
    """Return the error for an event whose file already exists."""
    return RemoteProtocolError(
        f"the event {file_name.removesuffix('.json')} was received twice: the sender duplicated events"
    )


def is_text_alone(event: dict[str, Any]) -> bool:
    """Return True for lines of the terminal that are neither from a callback nor messages of Ansible."""
    return event.get("event") == "verbose" and "verbosity" not in event


def displayed_text(event: dict[str, Any]) -> str | None:
    """Return the lines that the event printed on the terminal, without the last line end; None if there are none."""
    text: str = event["stdout"]
    lines: int = event["end_line"] - event["start_line"]
    if not text and lines < 1:
        return None
    empty = lines - 1 - text.count("\n")  # at the end; an event's text has no line ends there
    return text + "\r\n" * min(empty, _MAX_EMPTY) if empty > 0 else text


class MissingEvents:
    """Takes the increasing numbers of a run's events and finds the missing ones."""

    def __init__(self) -> None:
        self._last = 0
        self._gaps: list[tuple[int, int]] = []
        self._more = False
        self.count = 0
        """Number of missing events."""

    def note(self, counter: int) -> None:
        """Record that the event with this number was received."""
        first, self._last = self._last + 1, counter
        if counter == first:
            return
        self.count += counter - first
        if len(self._gaps) < _GAPS_SHOWN:
            self._gaps.append((first, counter - 1))
        else:
            self._more = True

    def __str__(self) -> str:
        """Return a message that says how many events are missing, and which."""
        gaps = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in self._gaps)
        events, are = ("event", "is") if self.count == 1 else ("events", "are")
        return (
            f"{self.count} {events} of the run {are} missing: {gaps}{' and more' if self._more else ''}. Lines of the "
            "stream were probably lost in transit; results, statistics and output may be incomplete"
        )
