"""Converting events to rows in one pass: plays, tasks, hosts and results, and a digest that identifies the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from playstream.process.event_data import (
    PLAY_START,
    PLAYBOOK_START,
    STATS,
    STATS_TABLES,
    TASK_ENDS,
    TASK_START,
    TaskStatus,
    counts_of,
    outcome_of,
)
from playstream.process.store import schema
from playstream.process.store.result_json import MAX_RES, encode_res
from playstream.process.store.row_buffer import RowBuffer
from playstream.process.store.values import as_count, as_integer, as_seconds, as_text, as_time

RESULT_COLUMNS = (
    "task",
    "host",
    "number",
    "counter",
    "outcome",
    "started",
    "ended",
    "duration",
    "res",
    "truncated",
)
TIMES = (RESULT_COLUMNS.index("started"), RESULT_COLUMNS.index("ended"))

_OF_TASK = {"failed": "failures"} | {name: name for name in schema.RESULT_COUNTS if name != "failures"}

Data = Mapping[str, Any]


class Collector:
    """Takes a run's events. It never raises an exception, whatever they contain.

    Args:
        max_res: maximum number of characters of a result.
    """

    def __init__(self, max_res: int = MAX_RES) -> None:
        self._max_res = max_res
        self._digest = hashlib.sha256()
        self._play_of: dict[str, int] = {}
        self._task_of: dict[tuple[str, str], int] = {}
        self._counted: dict[str, dict[str, int]] = {}
        self._stats: dict[str, dict[str, int]] = {}
        self.plays: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.results = RowBuffer()
        self.events = 0
        self.playbook: str | None = None
        self.first: str | None = None
        self.last: str | None = None
        """Times of the first and the last event that have one."""

    @property
    def digest(self) -> str:
        """Distinguishes runs with the same ident: SHA-256 of the names and times of their events, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def hosts(self) -> dict[str, dict[str, int]]:
        """Counts by host: Ansible's own, or those counted here if the run is incomplete."""
        if not self._stats:
            return self._counted
        none = dict.fromkeys(schema.HOST_COUNTS, 0)
        return {host: self._stats.get(host, none) for host in {**self._counted, **self._stats}}

    def take(self, event: Data) -> None:
        """Take the next event; values that are not events are ignored."""
        self.events += 1
        get = event.get
        kind, created = get("event"), get("created")
        named = "\t".join(map(_as_word, (get("counter"), get("uuid"), kind, created)))
        self._digest.update(named.encode("utf-8", "replace") + b"\n")
        if isinstance(created, str):
            self.first = self.first or as_time(created)
            self.last = created
        data = get("event_data")
        if isinstance(kind, str) and isinstance(data, dict):
            self._take_data(kind, event, data)

    def _take_data(self, kind: str, event: Data, data: Data) -> None:
        if kind in TASK_ENDS:
            self._take_result(TASK_ENDS[kind], event, data)
        elif kind == TASK_START:
            self._task_number(data, event.get("created"))
        elif kind == PLAY_START:
            self._note_playbook(data)
            self._add_play(_key(event.get("uuid")), data, event.get("created"))
        elif kind == PLAYBOOK_START:
            self._note_playbook(data)
        elif kind == STATS:
            self._take_stats(data)

    def _note_playbook(self, data: Data) -> None:
        if self.playbook is None:
            self.playbook = as_text(data.get("playbook"), schema.PATH)

    def _add_play(self, uuid: str, data: Data, started: object) -> int:
        number = self._play_of[uuid] = len(self.plays) + 1
        name = as_text(data.get("name"), schema.NAME) or as_text(data.get("play"), schema.NAME)
        pattern = as_text(data.get("pattern"), schema.NAME) or as_text(data.get("play_pattern"), schema.NAME)
        self.plays.append({"number": number, "name": name or "", "pattern": pattern or "", "started": as_time(started)})
        return number

    def _task_number(self, data: Data, started: object) -> int:
        """Return the row of an event's task; the first event of the task creates it."""
        play, task = _key(data.get("play_uuid")), _key(data.get("task_uuid"))
        number = self._task_of.get((play, task))
        if number is not None:
            return number
        self._note_playbook(data)
        play_number = None
        if play:
            # If events were lost, a play may have no start.
            play_number = self._play_of.get(play) or self._add_play(play, {"name": data.get("play"), **data}, None)
        number = self._task_of[play, task] = len(self.tasks) + 1
        action = as_text(data.get("resolved_action"), schema.ACTION) or as_text(data.get("task_action"), schema.ACTION)
        # The arguments are omitted: the result may contain them, where no_log hides them.
        self.tasks.append(
            {
                "number": number,
                "play": play_number,
                "name": as_text(data.get("task"), schema.NAME) or action or "",
                "role": as_text(data.get("role"), schema.NAME),
                "action": action or "",
                "path": as_text(data.get("task_path"), schema.PATH) or None,
                "started": as_time(started),
                **dict.fromkeys(schema.RESULT_COUNTS, 0),
            }
        )
        return number

    def _take_result(self, status: TaskStatus, event: Data, data: Data) -> None:
        host = as_text(data.get("host"), schema.HOST)
        if not host:
            return
        outcome = outcome_of(status, data)
        task = self._task_number(data, data.get("start"))
        counts = self._counted.get(host)
        if counts is None:
            counts = self._counted[host] = dict.fromkeys(schema.HOST_COUNTS, 0)
        for name in counts_of(status, data):
            counts[name] += 1
        self.tasks[task - 1][_OF_TASK[outcome]] += 1
        res, cut = encode_res(data.get("res"), self._max_res)
        row = (
            task,
            host,
            self.results.count + 1,
            as_integer(event.get("counter")),
            outcome,
            as_time(data.get("start")),
            as_time(data.get("end")) or as_time(event.get("created")),
            as_seconds(data.get("duration")),
            res,
            cut or bool(data.get("res_truncated")),
        )
        self.results.add(row, len(res or ""))

    def _take_stats(self, data: Data) -> None:
        for host in _hosts_of(data.get("processed")):
            self._stats_of(host)
        for name, called in STATS_TABLES.items():
            for host, count in _hosts_of(data.get(called)).items():
                self._stats_of(host)[name] = as_count(count)

    def _stats_of(self, host: str) -> dict[str, int]:
        name = as_text(host, schema.HOST) or ""
        return self._stats.setdefault(name, dict.fromkeys(schema.HOST_COUNTS, 0))


def _hosts_of(counts: object) -> dict[str, Any]:
    if not isinstance(counts, dict):
        return {}
    return {host: count for host, count in counts.items() if isinstance(host, str) and host}


def _key(uuid: object) -> str:
    return uuid if isinstance(uuid, str) else ""


def _as_word(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int and value.bit_length() <= 64 else type(value).__name__
