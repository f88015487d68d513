"""What is at the far end of a link while it is measured: it does what the first line of its input says.

    python -m benchmarks.far_end [FLAGS of a worker]

In place of `playstream worker`, so that the link is measured and not the worker: a worker lets events gather for 25 ms
and reads a busy Ansible five times a second. It encrypts as a worker does if it gets a worker's flags.

Each order is a line of ORDER_BYTES. All times are those of the clock CLOCK_MONOTONIC, which both ends share.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from playstream.pipeline.io.stdio import Connection, claim_input, claim_output, connect, read_some, write_all
from playstream.worker.readiness import Call, load_encryption, wait_for_job

ORDER_BYTES = 64
STAMP = struct.Struct("=d")
"""A moment: of an event, of the first byte that comes out, or at which the last byte has come in."""
READY = b"r"
"""What is said before anything else, so that the start of the far end is not measured."""
_PIECE = 1 << 16


def order(word: str, *numbers: int) -> bytes:
    """Return an order: `events RATE COUNT SIZE`, `in BYTES` or `out BYTES`."""
    return " ".join([word, *map(str, numbers)]).encode().ljust(ORDER_BYTES - 1) + b"\n"


class _Line:
    """Both directions of the link."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes: so many, if the input has not ended before."""
        while len(self._held) < size and (data := read_some(self._connection.reader)):
            self._held += data
        data, self._held = self._held[:size], self._held[size:]
        return data

    def skip(self, size: int) -> None:
        """Read so many bytes."""
        size -= len(self.read(min(size, len(self._held))))
        while size > 0 and (data := read_some(self._connection.reader)):
            size -= len(data)

    def write(self, data: bytes, *, last: bool = False) -> None:
        layer = self._connection.output_layer
        if layer is None:
            write_all(self._connection.writer, data)
            return
        for piece in layer.wrap([data] if data else [], flush=True, last=last):
            write_all(self._connection.writer, piece)

    @property
    def gather_seconds(self) -> float:
        """The least time between two writes, which a worker keeps too."""
        layer = self._connection.output_layer
        return 0.0 if layer is None else layer.gather_seconds


def _now() -> bytes:
    return STAMP.pack(time.monotonic())


def _send_events(line: _Line, rate: int, count: int, size: int) -> None:
    rest = os.urandom(size - STAMP.size)
    begin, written = time.monotonic(), -1.0
    number = 0
    while number < count:
        due = begin + number / rate
        time.sleep(max(0.0, due - time.monotonic(), written + line.gather_seconds - time.monotonic()))
        now = time.monotonic()
        stamps = []
        while number < count and begin + number / rate <= now:
            stamps.append(STAMP.pack(begin + number / rate))
            number += 1
        line.write(b"".join(stamp + rest for stamp in stamps))
        written = time.monotonic()


def _send_bytes(line: _Line, size: int) -> None:
    piece = os.urandom(_PIECE)
    line.write(_now())
    for _ in range(size // _PIECE):
        line.write(piece)


def serve(line: _Line) -> None:
    """Do what the input says, and answer."""
    line.write(READY)
    word, *numbers = line.read(ORDER_BYTES).decode().split()
    if word == "events":
        _send_events(line, *map(int, numbers))
    elif word == "out":
        _send_bytes(line, int(numbers[0]))
    else:
        line.skip(int(numbers[0]))
        line.write(_now())
    line.write(b"", last=True)


def main(words: Sequence[str]) -> None:
    """Serve one connection on standard input and output."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--wait-on", type=int)
    parser.add_argument("--identity", action="append")
    parser.add_argument("--encrypt-to", action="append")
    flags = parser.parse_known_args(words)[0]
    if flags.wait_on is not None:
        load_encryption()
        from playstream.pipeline.io.cancellation import Cancellation  # noqa: PLC0415

        call = wait_for_job(flags.wait_on, Cancellation())
        if call is None:
            return
        if call is Call.PLAIN:
            flags.identity = flags.encrypt_to = None
    with ExitStack() as stack:
        serve(_Line(stack.enter_context(connect(vars(flags), print, reader=claim_input(), writer=claim_output()))))


if __name__ == "__main__":
    main(sys.argv[1:])
