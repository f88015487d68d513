"""Asking a link what is at its other end: the connection, the versions, and what jobs find there."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from playstream.links.exchange import Exchange
from playstream.links.link import Link
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.protocol import Event, Failure, Hello, Job, Noise, Ping, Pong, Record, Status, StatusName

_HELLO_SECONDS = 10.0
"""How long a worker that has been reached may take to say Hello; one of an older version says none."""
_STEP_SECONDS = 0.25
_ROUND_TRIPS = 3
_PIECES = 8
_PIECE_SIZE = 1 << 20
"""The throughput is measured with this many pieces of this many bytes, which cannot be compressed."""
_PREFIX = "playstream-check "
_SCRIPT = f"""\
say() {{ printf '{_PREFIX}%s=%s\\n' "$1" "$2"; }}
say free_kib "$(df -Pk . | awk 'NR == 2 {{ print $4 }}')"
for engine in podman docker bwrap; do
    if command -v "$engine" >/dev/null 2>&1; then say engine "$engine"; fi
done
"""
"""What a worker runs to look at its host: where jobs are unpacked, and which engines they can use."""
_COLLECTIONS = ("ansible-galaxy", "collection", "list", "--format", "json")


@dataclass(slots=True)
class Findings:
    """What was found at the other end of a link. A value is None if it could not be determined."""

    link: str
    error: str | None = None
    """Why the link, or the job that looks around, failed."""
    hello: Hello | None = None
    round_trip_seconds: float | None = None
    bytes_per_second: float | None = None
    clock_seconds: float | None = None
    """How much the clock there is ahead of this one."""
    free_bytes: int | None = None
    """Free space where jobs are unpacked."""
    engines: list[str] = field(default_factory=list)
    """Programs for isolation that are on the PATH there."""
    collections: dict[str, str] | None = None
    """Versions of the collections that Ansible finds there; None if nobody asked, or they cannot be listed."""


class Inquiry:
    """One inquiry about a link.

    Args:
        link: the link.
        options: options of run(): intervals, limits and encryption of the connection.
        collections: whether to list the collections there.
    """

    def __init__(self, link: Link, options: Mapping[str, Any], *, collections: bool) -> None:
        self._link = link
        self._options = options
        self._with_collections = collections
        self.findings = Findings(link.name)

    def run(self, cancellation: Cancellation) -> Findings:
        """Open the link, measure it, and run the jobs that look around there.

        Args:
            cancellation: a request to stop.
        """
        found = self.findings
        measuring = _Job(Job(_ident(), command=("sh", "-c", _SCRIPT)), measures=True)
        self._exchange(measuring, cancellation)
        found.hello = measuring.hello
        found.round_trip_seconds, found.bytes_per_second = measuring.round_trip_seconds, measuring.bytes_per_second
        found.clock_seconds = measuring.clock_seconds
        for line in measuring.text.splitlines():
            name, _, value = line.strip().removeprefix(_PREFIX).partition("=")
            if name == "free_kib" and value.isdecimal():
                found.free_bytes = int(value) * 1024
            elif name == "engine":
                found.engines.append(value)
        if self._with_collections and found.error is None:
            listing = _Job(Job(_ident(), command=_COLLECTIONS))
            self._exchange(listing, cancellation)
            found.collections = _read_collections(listing.text) if listing.status is StatusName.SUCCESSFUL else None
        return found

    def _exchange(self, job: _Job, cancellation: Cancellation) -> None:
        exchange = Exchange(job, self._link, self._options, job, cancellation)
        job.ended = exchange.ended
        try:
            error = exchange.run()
        except PlaystreamError as caught:
            error = caught
        if error is not None:
            self.findings.error = str(error)
        elif job.failure is not None:
            self.findings.error = job.failure
        elif cancellation.reason is not None:
            self.findings.error = cancellation.reason


def _ident() -> str:
    return f"check-{uuid.uuid4()}"


class _Job:
    """A job that measures the connection before it is sent: its records, and what comes back.

    Args:
        job: the job.
        measures: whether to measure the connection.
    """

    def __init__(self, job: Job, *, measures: bool = False) -> None:
        self._job = job
        self._measures = measures
        self._changed = threading.Condition()
        self._answered: dict[int, float] = {}
        """When the answer to each Ping has arrived."""
        self.ended = threading.Event()
        self.hello: Hello | None = None
        self.status: StatusName | None = None
        self.failure: str | None = None
        self.round_trip_seconds: float | None = None
        self.bytes_per_second: float | None = None
        self.clock_seconds: float | None = None
        self.text = ""
        """The output of the job."""

    def records(self) -> Iterator[Record]:
        """Measure the connection, if the worker can answer, and yield the job."""
        if self._measures and self._wait_for_hello():
            yield from self._ping()
        yield self._job

    def _wait_for_hello(self) -> bool:
        """Return whether the worker answers pings."""
        deadline = time.monotonic() + _HELLO_SECONDS
        with self._changed:
            while self.hello is None and not self.ended.is_set() and time.monotonic() < deadline:
                self._changed.wait(_STEP_SECONDS)
        return self.hello is not None and Ping.__name__ in self.hello.records

    def _ping(self) -> Iterator[Record]:
        trips = []
        for number in range(_ROUND_TRIPS):
            began = time.monotonic()
            yield Ping(number)
            if (arrived := self._wait_for_pong(number)) is None:
                return
            trips.append(arrived - began)
        self.round_trip_seconds = min(trips)
        began = time.monotonic()
        last = _ROUND_TRIPS + _PIECES - 1
        for number in range(_ROUND_TRIPS, last + 1):
            yield Ping(number, os.urandom(_PIECE_SIZE))
        if (arrived := self._wait_for_pong(last)) is not None:
            seconds = arrived - began - self.round_trip_seconds
            self.bytes_per_second = _PIECES * _PIECE_SIZE / max(seconds, 1e-6)

    def _wait_for_pong(self, number: int) -> float | None:
        """Return when the answer to a Ping has arrived; None if the link has ended before."""
        with self._changed:
            while number not in self._answered and not self.ended.is_set():
                self._changed.wait(_STEP_SECONDS)
        return self._answered.get(number)

    def put_when_room(self, record: Record | Noise) -> None:
        """Take a record of the results."""
        with self._changed:
            if isinstance(record, Hello):
                self.hello = record
            elif isinstance(record, Pong):
                self._answered[record.number] = time.monotonic()
            self._changed.notify_all()
        if isinstance(record, Status):
            self.status = record.status
            if record.status is StatusName.STARTING:
                self._compare_clocks(record.created)
            elif record.status is StatusName.ERROR:
                self.failure = self.failure or record.explanation
        elif isinstance(record, Failure):
            self.failure = record.message
        elif isinstance(record, Event):
            self.text += _text_of(record)

    def _compare_clocks(self, created: str) -> None:
        """Compare the time of a status there with the time here, half a round trip earlier."""
        try:
            there = datetime.fromisoformat(created).timestamp()
        except (ValueError, OverflowError):
            return
        self.clock_seconds = there - (time.time() - (self.round_trip_seconds or 0.0) / 2)


def _text_of(event: Event) -> str:
    """Return the output that an event contains. The worker is not trusted, so it may be anything."""
    try:
        text = json.loads(event.json).get("stdout", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return f"{text}\n" if isinstance(text, str) else ""


def _read_collections(text: str) -> dict[str, str] | None:
    """Return the versions by collection, from the output of ansible-galaxy; None if it is something else.

    Of a collection in several directories Ansible uses the first.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            places = json.loads(line)
        except (ValueError, RecursionError):
            continue
        for place in places.values() if isinstance(places, dict) else ():
            for name, about in place.items() if isinstance(place, dict) else ():
                version = about.get("version") if isinstance(about, dict) else None
                if re.fullmatch(r"\w+\.\w+", name):
                    found.setdefault(name, str(version))
        return found
    return {} if "usable collections" in text else None
