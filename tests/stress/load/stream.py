"""Writes the stream of a run of many events, as a worker would: python -m tests.stress.load.stream DIALECT EVENTS."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from playstream.pipeline.protocol import Event, FileData, FileEntry, FileType, Sender, Status, StatusName, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.protocol.records import Record
from playstream.pipeline.runner_dialect.sender import RunnerSender

_NOW = "2026-01-01T00:00:00+00:00"
_EVENT = (
    '{"uuid": "0242ac11-0002-aaaa-bbbb-%012d", "counter": %d, "stdout": "ok: [node%d]", "start_line": %d, '
    '"end_line": %d, "runner_ident": "soak", "event": "runner_on_ok", "pid": 4711, "created": '
    '"2026-01-01T00:00:00.000000+00:00", "parent_uuid": "0242ac11-0002-aaaa-bbbb-000000000009", "event_data": '
    '{"playbook": "site.yml", "play": "all", "task": "Ping", "task_action": "ansible.builtin.ping", "host": "node%d", '
    '"res": {"changed": false, "ping": "pong", "_ansible_no_log": false}, "duration": 0.25}}'
)


def _records(events: int) -> Iterator[Record]:
    yield Status(StatusName.STARTING, _NOW, command=("ansible-playbook", "site.yml"), env={}, cwd="/nowhere")
    yield Status(StatusName.RUNNING, _NOW)
    for number in range(1, events + 1):
        host = number % 1000
        yield Event(number, (_EVENT % (number, number, host, number - 1, number, host)).encode())
    yield Status(StatusName.SUCCESSFUL, _NOW, rc=0)
    yield FileEntry(b"", FileType.DIRECTORY, 0o700, 0)
    yield FileEntry(b"rc", FileType.FILE, 0o600, 0, size=1)  # where the runner dialect says it
    yield FileData(b"0")
    yield TreeEnd(2, 1)


def main() -> None:
    """Write the stream to standard output."""
    dialect, events = sys.argv[1], int(sys.argv[2])
    out = sys.stdout.buffer
    if dialect == "runner":
        runner = RunnerSender(Direction.RESULT)
        for record in _records(events):
            out.writelines(runner.send(record))
        out.writelines(runner.end())
        return
    sender = Sender(Direction.RESULT)
    for record in _records(events):
        out.write(sender.send(record, flush=False))
    out.write(sender.end())


if __name__ == "__main__":
    main()
