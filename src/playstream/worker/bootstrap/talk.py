"""What is read and written there: lines of JSON, and bytes."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

_ALIVE_SECONDS = 5.0
_PIECE = 1 << 18


class Failure(Exception):
    """What was asked cannot be done; the message says why."""


def read(size: int) -> bytes:
    """Read exactly `size` bytes from standard input, so that what follows them is left for the worker."""
    data = bytearray()
    while len(data) < size:
        piece = os.read(0, min(size - len(data), _PIECE))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def read_request() -> dict[str, Any]:
    """Read a line of JSON."""
    line = bytearray()
    while not line.endswith(b"\n"):
        line += read(1)
    request: dict[str, Any] = json.loads(line)
    return request


def say(**words: Any) -> None:
    """Write a line of JSON after the mark, and that after a line end: the login may have printed text without one."""
    data = f"\n{sys.argv[1]} {json.dumps(words)}\n".encode()
    while data:
        data = data[os.write(1, data) :]


class Alive:
    """Says that something takes long, at most every few seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _ALIVE_SECONDS

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            say(alive=True)
            self._next = time.monotonic() + _ALIVE_SECONDS


def read_piece() -> bytes:
    """Read a piece of compressed data after its length."""
    return read(int.from_bytes(read(4), "big"))
