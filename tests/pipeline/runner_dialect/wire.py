"""Runner streams as bytes, and taken apart again."""

from __future__ import annotations

import base64
import io
import json
import stat
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.protocol import NEED_DATA, Event, Job, Record
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.receiver import RunnerReceiver
from playstream.pipeline.runner_dialect.sender import RunnerSender
from tests.pipeline.protocol.wire import WHOLE, Taken, chunks


def a_job(kwargs: dict[str, Any]) -> Job:
    """A job that says what it was made of."""
    return Job(ident=str(kwargs.get("ident")), extravars=kwargs)


def take(data: bytes, direction: Direction, sizes: Sequence[int] = WHOLE) -> Taken[RunnerReceiver]:
    """Feed a receiver pieces of the given sizes, in turn, and the end of the file."""
    taken = Taken(RunnerReceiver(direction, a_job))
    try:
        for chunk in (*chunks(data, sizes), b""):
            taken.receiver.receive_data(chunk)
            drain(taken)
        taken.receiver.receive_eof()
        drain(taken)
    except PlaystreamError as error:
        taken.error = error
    return taken


def drain(taken: Taken[RunnerReceiver]) -> None:
    """Take what is there."""
    while (item := taken.receiver.next_record()) is not NEED_DATA:
        taken.items.append(item)


def encode(records: Iterable[Record], direction: Direction) -> bytes:
    """The stream of a sender."""
    sender = RunnerSender(direction)
    try:
        return b"".join([*(data for record in records for data in sender.send(record)), *sender.end()])
    finally:
        sender.close()


def line(**values: Any) -> bytes:
    """One object, as json.dumps writes it."""
    return json.dumps(values).encode() + b"\n"


def event(counter: int, **more: Any) -> Event:
    """An event as a plugin writes one."""
    values = {"uuid": f"u{counter}", "counter": counter, "stdout": "x", "start_line": 0, "end_line": 1, **more}
    return Event(counter, json.dumps(values).encode())


def archive(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    """A zip with these entries, whatever their names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for info, content in entries:
            target.writestr(info, content)
    return file.getvalue()


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    """An entry of the given mode."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def carry(zipped: bytes) -> bytes:
    """An archive as it travels."""
    return line(zipfile=len(zipped)) + base64.b64encode(zipped)


END = line(eof=True)
