"""Sessions to put faults into: a job's stream and a run's, in both dialects, small and large."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.io.stdio import InputLayer
from playstream.pipeline.protocol import (
    NEED_DATA,
    Event,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Job,
    Receiver,
    Record,
    Sender,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.sender import RunnerSender

NOW = "2026-11-21T10:00:00+00:00"
_TIME = 1_700_000_000_000_000_000
OUTPUT = b"PLAY [all]\r\nok\r\n"
PLAYBOOK = b"- hosts: all\n"


@dataclass(frozen=True)
class Session:
    """One stream and what it says."""

    dialect: Dialect
    direction: Direction
    data: bytes
    heard: int
    """Bytes after which silence means something: in the runner dialect the first keepalive."""
    files: dict[str, bytes]
    """The tree's."""
    kept: dict[bytes, bytes] = field(default_factory=dict, kw_only=True)
    """What the worker's cache has before, by hashes."""

    def __str__(self) -> str:
        return f"{self.dialect.value}-{self.direction.value}-{len(self.data)}"

    @property
    def notices_everything(self) -> bool:
        """Whether any damage to an event is noticed: ansible-runner's dialect has no checksums."""
        return self.dialect is Dialect.PLAYSTREAM

    @contextmanager
    def opened(self, link: int) -> Iterator[int | InputLayer]:
        """What a stage reads of a link that carries the session."""
        yield link

    def events_before(self, offset: int) -> list[dict[str, Any]]:
        """The events that are whole before an offset."""
        data = self.data[:offset]
        if self.dialect is Dialect.RUNNER:
            lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
            found = [json.loads(line) for line in lines if line.startswith(b"{")]
            return [values for values in found if values.get("counter")]
        receiver = Receiver(self.direction)
        receiver.receive_data(data)
        events = []
        while (record := receiver.next_record()) is not NEED_DATA:
            if isinstance(record, Event):
                events.append(json.loads(record.json))
        return events


def tree(files: dict[str, bytes]) -> list[Record]:
    """The records of a tree with these files."""
    records: list[Record] = [FileEntry(b"", FileType.DIRECTORY, 0o700, _TIME)]
    folders: list[str] = []
    for name, content in files.items():
        folder = name.rpartition("/")[0]
        if folder and folder not in folders:
            folders.append(folder)
            records.append(FileEntry(folder.encode(), FileType.DIRECTORY, 0o755, _TIME))
        records.append(FileEntry(name.encode(), FileType.FILE, 0o600, _TIME, len(content)))
        records += [FileData(content[start : start + 65536]) for start in range(0, len(content), 65536)]
    return [*records, TreeEnd(1 + len(folders) + len(files), sum(map(len, files.values())))]


def make_event(counter: int, size: int, chance: random.Random) -> Event:
    """A `verbose` event with `size` bytes of data."""
    values = {
        "uuid": f"uuid-{counter}",
        "counter": counter,
        "event": "verbose",
        "stdout": f"line {counter}",
        "start_line": counter - 1,
        "end_line": counter,
        "event_data": {"text": chance.randbytes(size // 2).hex()} if size else {},
    }
    return Event(counter, json.dumps(values).encode())


def pieces(dialect: Dialect, direction: Direction, records: list[Record]) -> list[bytes]:
    """The bytes of each record, and those of the stream's end."""
    if dialect is Dialect.PLAYSTREAM:
        native = Sender(direction)
        return [*(native.send(record) for record in records), native.end()]
    runner = RunnerSender(direction)
    return [*(b"".join(runner.send(record)) for record in records), b"".join(runner.end())]


@cache
def results(dialect: Dialect, events: int = 2, event_size: int = 0, artifact_size: int = 0) -> Session:
    """The stream of a worker: a successful run."""
    chance = random.Random(1)
    files = {"stdout": OUTPUT, "rc": b"0", "status": b"successful"}
    if artifact_size:
        files["fact_cache/node1"] = json.dumps({"random": chance.randbytes(artifact_size // 2).hex()}).encode()
    start: list[Record] = [
        Heartbeat(),
        Status(StatusName.STARTING, NOW, command=("ansible-playbook", "x.yml"), env={"LANG": "C"}, cwd="/data"),
    ]
    made = pieces(
        dialect,
        Direction.RESULT,
        [
            *start,
            *(make_event(counter, event_size, chance) for counter in range(1, events + 1)),
            Status(StatusName.SUCCESSFUL, NOW, rc=0),
            *tree(files),
        ],
    )
    heard = len(made[0]) if dialect is Dialect.RUNNER else 0
    return Session(dialect, Direction.RESULT, b"".join(made), heard, files)


@cache
def job(dialect: Dialect, size: int = 0) -> Session:
    """The stream of a transmit stage: a job with a small tree, or with `size` bytes that do not compress."""
    files = {"inventory/hosts": b"node1\n", "project/x.yml": PLAYBOOK}
    if size:
        files["project/large"] = random.Random(2).randbytes(size)
    asked = Job("1", tree=True, playbook="x.yml")
    made = pieces(dialect, Direction.JOB, [replace(asked), *tree(files)])
    return Session(dialect, Direction.JOB, b"".join(made), 0, files)
