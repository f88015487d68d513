"""Workers that are not what this version sends: of earlier versions, and hostile ones, as programs for `exec:`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from playstream.pipeline.protocol import NEED_DATA, Noise, Receiver, Record
from playstream.pipeline.protocol.order import Direction

_START = """
import dataclasses, os, sys
import playstream.worker.stage as stage
make_hello, Outbox = stage.make_hello, stage.Outbox
"""
_GO = """
from playstream.cli.entry import main
sys.argv = ["playstream", "worker"]
sys.exit(main())
"""
WITHOUT_THE_RECORDS = f"""{_START}
stage.make_hello = lambda *words, **more: dataclasses.replace(make_hello(*words, **more), records=("Cancel", "Ping"))
{_GO}"""
"""A worker that knows neither Input nor Resize."""
WITHOUT_HELLO = f"""{_START}
stage.Outbox = lambda *words, greeting, **more: Outbox(*words, **more)
{_GO}"""
"""A worker that says nothing before the job runs, as those of minor version 0."""
HOSTILE = """
import os, sys, time
from playstream.pipeline.protocol import *
from playstream.pipeline.protocol.order import Direction

sender, receiver = Sender(Direction.RESULT), Receiver(Direction.JOB)

def say(*records):
    for record in records:
        os.write(1, sender.send(record))

def hear(kind):
    "Return the next record of a kind; exit at the end of the input."
    while True:
        while (record := receiver.next_record()) is not NEED_DATA:
            if isinstance(record, kind):
                return record
        data = os.read(0, 65536)
        if not data:
            sys.exit()
        receiver.receive_data(data)

NOW = "2026-01-01T00:00:00+00:00"
say(Hello(1, "9", records=("Cancel", "Input", "Resize")))
hear(TreeEnd)
say(Status(StatusName.STARTING, NOW, command=("ansible-playbook",), cwd="/", env={}), Status(StatusName.RUNNING, NOW))
"""
"""The beginning of a worker that then says and hears what it likes."""


def link_to(path: Path, program: str, through: str = "") -> str:
    """Return a link to a program in Python, perhaps through a shell's command before it."""
    path.write_text(program)
    words = shlex.join([sys.executable, str(path)])
    return f"exec:sh -c {shlex.quote(f'{through} | {words}')}" if through else f"exec:{words}"


def records_in(path: Path, direction: Direction) -> list[Record | Noise]:
    """Return the records of a stream that may not have ended."""
    receiver = Receiver(direction)
    receiver.receive_data(path.read_bytes())
    records = []
    while (record := receiver.next_record()) is not NEED_DATA:
        records.append(record)
    return records
