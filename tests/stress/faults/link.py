"""A link with a fault: the bytes of a stream as they come out of it, and whether it says that they have ended."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

_SIOCOUTQ = 0x5411
CAPACITY = 1 << 20
"""Bytes that a pipe may hold, which any user may ask for (/proc/sys/fs/pipe-max-size)."""


class Kind(StrEnum):
    """What is wrong with a link."""

    CUT = "cut"
    """Nothing comes after the offset, and the link is closed."""
    ONE_WAY = "one-way"
    """The direction that is read ends at the offset; the other stays open."""
    STALL = "stall"
    """Nothing comes after the offset, and nobody says so."""
    CORRUPT = "corrupt"
    """One bit of the byte at the offset is another."""
    DUPLICATE = "duplicate"
    """What came before the offset, up to 64 bytes of it, comes again."""
    REORDER = "reorder"
    """Two pieces after the offset, up to 64 bytes each, change places."""
    DRIBBLE = "dribble"
    """The 64 bytes after the offset come one at a time. Nothing is lost."""


@dataclass(frozen=True)
class Fault:
    """One fault of one link."""

    kind: Kind
    offset: int
    seed: int = 0

    def apply(self, data: bytes) -> list[bytes]:
        """What comes out, in the pieces that it comes in."""
        chance = random.Random(f"{self.kind.value} {self.offset} {self.seed}")
        before, after = data[: self.offset], data[self.offset :]
        if self.kind in {Kind.CUT, Kind.ONE_WAY, Kind.STALL}:
            return [before]
        if self.kind is Kind.CORRUPT:
            return [before + bytes([after[0] ^ 1 << chance.randrange(8)]) + after[1:] if after else before]
        if self.kind is Kind.DUPLICATE:
            return [before + before[-chance.randint(1, 64) :] + after]
        if self.kind is Kind.REORDER:
            middle = chance.randint(1, 64)
            end = middle + chance.randint(1, 64)
            return [before + after[middle:end] + after[:middle] + after[end:]]
        return [before, *(after[place : place + 1] for place in range(min(len(after), 64))), after[64:]]

    @contextmanager
    def link(self, data: bytes) -> Iterator[int]:
        """The end that a stage reads: a socket of a pair, so that it goes both ways.

        Args:
            data: what is sent into the link; before a stall at most CAPACITY bytes.
        """
        if self.kind is Kind.STALL:
            with _stalled(b"".join(self.apply(data))) as stalled:
                yield stalled
            return
        ours, theirs = socket.socketpair()
        feeder = threading.Thread(target=self._feed, args=(theirs, self.apply(data)))
        feeder.start()
        try:
            yield ours.fileno()
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            feeder.join()
            ours.close()
            theirs.close()

    def _feed(self, end: socket.socket, pieces: list[bytes]) -> None:
        try:
            for piece in pieces:
                end.sendall(piece)
                while self.kind is Kind.DRIBBLE and _unread(end):
                    os.sched_yield()
            if self.kind is Kind.ONE_WAY:
                end.shutdown(socket.SHUT_WR)
            else:
                end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the reader has had enough


@contextmanager
def _stalled(data: bytes) -> Iterator[int]:
    """The reading end of a pipe that holds `data`, and stays open. It is all there before anybody counts silence."""
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, CAPACITY)
        os.set_blocking(writing, False)
        assert os.write(writing, data) == len(data) if data else True
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _unread(end: socket.socket) -> bool:
    """Whether what was sent has not been read yet (SIOCOUTQ)."""
    return bool(struct.unpack("i", fcntl.ioctl(end, _SIOCOUTQ, b"\0" * 4))[0])
