"""Events of runs that never were, in the form of real ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from playstream.process.store import RunWriter, Store

Event = dict[str, Any]
FIRST = datetime(2026, 11, 2, 8, 0, 0, 250_000, tzinfo=UTC)


class Script:
    """Makes the events of one run, a second from one to the next.

    Args:
        ident: the run's name.
        start: time of its first event.
    """

    def __init__(self, ident: str = "nightly", start: datetime = FIRST) -> None:
        self.ident = ident
        self.start = start
        self._count = itertools.count(1)
        self._play: Event = {}
        self._task: Event = {}
        self.events: list[Event] = [self.event("playbook_on_start", {"playbook": "site.yml"})]

    def event(self, kind: str, data: Event, uuid: str | None = None) -> Event:
        """One event, which is not among `events`."""
        number = next(self._count)
        created = self.start + timedelta(seconds=number - 1)
        return {
            "uuid": uuid or f"{self.ident}-{self.start:%Y%m%d%H%M%S}-{number}",
            "counter": number,
            "stdout": "",
            "start_line": 0,
            "end_line": 0,
            "runner_ident": self.ident,
            "event": kind,
            "pid": 1,
            "created": created.isoformat(),
            "event_data": data,
        }

    def play(self, name: str = "Web servers", pattern: str = "web") -> Script:
        """A play starts."""
        uuid = f"play-{next(self._count)}"
        self._play = {"playbook": "site.yml", "play": name, "play_uuid": uuid, "play_pattern": pattern}
        self.events.append(self.event("playbook_on_play_start", {**self._play, "name": name, "pattern": pattern}, uuid))
        return self

    def task(self, name: str, action: str = "copy", role: str | None = None) -> Script:
        """A task starts."""
        self._task = {
            "task": name,
            "task_uuid": f"task-{next(self._count)}",
            "task_action": action,
            "resolved_action": f"ansible.builtin.{action}",
            "task_args": "",
            "task_path": "/project/site.yml:7",
            **({"role": role} if role else {}),
        }
        self.events.append(self.event("playbook_on_task_start", {**self._play, **self._task, "name": name}))
        return self

    def result(self, kind: str, host: str, res: object = None, **more: object) -> Script:
        """A task ends on a host; it took two seconds."""
        data: Event = {**self._play, **self._task, "host": host, "remote_addr": host, "duration": 2.0}
        event = self.event(f"runner_on_{kind}", data)
        end = datetime.fromisoformat(event["created"])
        data.update({"start": (end - timedelta(seconds=2)).isoformat(), "end": end.isoformat(), **more})
        if res is not None:
            data["res"] = res
        self.events.append(event)
        return self

    def stats(self, **counts: dict[str, int]) -> Script:
        """The statistics."""
        self.events.append(self.event("playbook_on_stats", {**self._play, "processed": {}, **counts}))
        return self

    def save(self, store: Store, status: str = "successful", rc: int | None = 0) -> bool:
        """Write the run to a store."""
        return save(store, self.events, self.ident, status, rc)


def save(
    store: Store, events: Sequence[Event], ident: str = "nightly", status: str = "successful", rc: int | None = 0
) -> bool:
    """Write a run to a store."""
    with RunWriter(store) as writer:
        for event in events:
            writer.take(event)
        return writer.save(ident, status, rc)


def deployment(ident: str = "nightly", start: datetime = FIRST) -> Script:
    """Two plays, three tasks, three hosts; one host fails, one is not reached."""
    script = Script(ident, start).play()
    script.task("Gathering Facts", "setup").result("ok", "web1", {"ansible_facts": {"a": 1}, "changed": False})
    script.result("ok", "web2", {"changed": False})
    script.result("unreachable", "web3", {"unreachable": True, "msg": "No route"})
    script.task("Copy the page", role="site").result("ok", "web1", {"changed": True, "dest": "/srv/page"})
    script.result("failed", "web2", {"msg": "No space", "rc": 1, "changed": False}, ignore_errors=None)
    script.play("Databases", "db").task("Restart", "service").result("skipped", "db1")
    script.result("failed", "web1", {"msg": "let pass"}, ignore_errors=True)
    return script.stats(
        processed={"web1": 1, "web2": 1, "web3": 1, "db1": 1},
        ok={"web1": 3, "web2": 1},
        changed={"web1": 1},
        failures={"web2": 1},
        dark={"web3": 1},
        skipped={"db1": 1},
        ignored={"web1": 1},
        rescued={},
    )


def go_back_to_version_2(connection: Connection) -> None:
    """Leave the tables as the version before events were kept has made them."""
    for statement in (
        "DROP TABLE event_blocks",
        "DROP TABLE event_sets",
        "ALTER TABLE runs DROP COLUMN kept_events",
        "UPDATE playstream_store SET version = 2",
    ):
        connection.execute(text(statement))


def many_results(hosts: int, tasks: int, res: Event, ident: str = "large") -> Iterator[Event]:
    """The events of a large run, which are not all in memory at once."""
    script = Script(ident).play()
    yield from script.events
    for number in range(tasks):
        script.events.clear()
        script.task(f"Task {number}", "command")
        for host in range(hosts):
            script.result("ok", f"host{host}", res)
        yield from script.events
