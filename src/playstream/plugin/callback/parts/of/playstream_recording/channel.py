# SPDX-License-Identifier: GPL-3.0-or-later
"""The file or FIFO for events, and the reader's answer with the first numbers."""

from __future__ import annotations

import errno
import io
import json
import os
import select
import time

PATIENCE_SECONDS = 10.0  # for a reader to open its end of the FIFO, and for its answer to the hello line
WRITE_BUFFER = 1 << 22
MAX_ANSWER = 1 << 21


def open_events(path: str) -> io.BufferedWriter:
    """Open the channel, at first with O_NONBLOCK, because opening a FIFO without a reader would block forever."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fd = os.open(path, flags, 0o600)
            break
        except OSError as exc:
            if exc.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    os.set_blocking(fd, True)
    # BufferedWriter continues correctly after a partial write, even if Ctrl-C interrupted it.
    return io.BufferedWriter(io.FileIO(fd, "w"), WRITE_BUFFER)


def write_long(channel: io.BufferedWriter, line: bytes) -> None:
    """Write a line that is longer than the channel's buffer."""
    view = memoryview(line)
    for start in range(0, len(view), WRITE_BUFFER):
        channel.write(view[start : start + WRITE_BUFFER])
        channel.flush()


def read_origin(path: str) -> tuple[int, int, list[str]]:
    """Read `[counter, line, secrets]` from the reader; (0, 0, []) without an answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    answer = b""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0, 0, []
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while b"\n" not in answer and len(answer) < MAX_ANSWER and time.monotonic() < deadline:
            poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            try:
                chunk = os.read(fd, 65536)
            except BlockingIOError:
                continue
            if not chunk:  # no writer at the moment
                time.sleep(0.005)
            answer += chunk
        counter, line, *more = json.loads(answer)
    except (OSError, ValueError, TypeError):
        return 0, 0, []
    finally:
        os.close(fd)
    if type(counter) is int and type(line) is int and counter >= 0 and line >= 0:
        return counter, line, [text for text in (more[0] if more else ()) if isinstance(text, str)]
    return 0, 0, []


def not_recorded(path: str, reason: str) -> str:
    """Return the text of the warning."""
    return (
        f"playstream: events cannot be written to {path} ({reason}). No more events are recorded; the run itself "
        "continues."
    )
