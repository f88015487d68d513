"""Reading a trace as the description of Chrome's trace event format says it is written, and refusing everything else.

The description is "Trace Event Format", to which the pages of Perfetto and of Chrome's tracing lead. Perfetto adds that
a thread is known by its number alone, and that slices of a thread which overlap must nest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_TIME = 2**53 - 1
"""The largest number that every reader of JSON holds exactly; as nanoseconds it fits into 64 bits."""
COLOURS = {
    "bad",
    "cq_build_attempt_failed",
    "good",
    "grey",
    "olive",
    "terrible",
    "yellow",
}
"""Those that are used of the colours that the format reserves."""
FIELDS = {
    "X": {"name", "ph", "cat", "ts", "dur", "pid", "tid", "args"},
    "C": {"name", "ph", "ts", "pid", "tid", "args"},
    "M": {"name", "ph", "pid", "args"},
}
"""The fields of the kinds of events that are used: slices, counters, and names of processes and threads."""
OPTIONAL = {"X": {"cname"}, "C": set[str](), "M": {"tid"}}


@dataclass
class Trace:
    """What a reader shows."""

    about: dict[str, Any]
    process: str
    slices: dict[str, list[dict[str, Any]]]
    """By the name of their track, in the order of time. Tracks with the same name are numbered."""
    forks: list[tuple[int, int]] = field(default_factory=list)
    """Times, and what the counter shows from then on."""


def read_trace(text: str) -> Trace:
    """Read a trace.

    Raises:
        AssertionError: it is not one.
    """
    assert text.isascii()
    whole = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_refuse)
    assert set(whole) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert whole["displayTimeUnit"] in {"ms", "ns"}
    names: dict[int, str] = {}
    trace = Trace(whole["otherData"], "", {})
    for event in whole["traceEvents"]:
        _check(event)
        number = event.get("tid")
        if event["ph"] == "M" and event["name"] == "process_name":
            assert not trace.process, "two names"
            trace.process = event["args"]["name"]
        elif event["ph"] == "M":
            assert event["name"] == "thread_name"
            assert number not in names, "two names"
            name = event["args"]["name"]
            names[number] = name if name not in names.values() else f"{name} #{number}"
            trace.slices[names[number]] = []
        elif event["ph"] == "X":
            trace.slices[names[number]].append(event)
        else:
            (used,) = event["args"].values()
            assert type(used) is int
            assert used >= 0
            trace.forks.append((event["ts"], used))
    for slices in trace.slices.values():
        _check_track(slices)
    assert [time for time, _ in trace.forks] == sorted(time for time, _ in trace.forks)
    return trace


def _check(event: Mapping[str, Any]) -> None:
    kind = event["ph"]
    fields = FIELDS[kind]
    assert fields <= set(event) <= fields | OPTIONAL[kind], event
    assert event["pid"] == 1
    for name in ("tid", "ts", "dur"):
        if name in event:
            assert type(event[name]) is int, event
            assert 0 <= event[name] <= MAX_TIME, event
    for text in (event["name"], *(value for value in event["args"].values() if isinstance(value, str))):
        assert text, event
        assert text.isprintable(), event
        assert len(text) <= 500
    assert event.get("cname", "good") in COLOURS


def _check_track(slices: list[dict[str, Any]]) -> None:
    slices.sort(key=lambda each: each["ts"])
    free = 0
    for each in slices:
        assert each["ts"] >= free, "slices overlap"
        free = each["ts"] + each["dur"]
        assert free <= MAX_TIME


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs)
    return found


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")
