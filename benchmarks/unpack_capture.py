"""Unpack the tree of a capture of `playstream transmit`, as the worker's intake does, and run nothing.

Usage: python -m benchmarks.unpack_capture CAPTURE TARGET
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playstream.pipeline.links.stdio import READ_SIZE
from playstream.pipeline.protocol import NEED_DATA, FileData, FileEntry, Receiver, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree import Unpacker


def unpack(capture: Path, target: Path) -> None:
    """Unpack below `target`, which is made."""
    target.mkdir()
    receiver = Receiver(Direction.JOB)
    fd = os.open(capture, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with Unpacker(target, trusted=True, replace=True) as unpacker:
            while not unpacker.complete:
                data = os.read(fd, READ_SIZE)
                if not data:
                    receiver.receive_eof()
                receiver.receive_data(data)
                while (record := receiver.next_record()) is not NEED_DATA:
                    if isinstance(record, (FileEntry, FileData, TreeEnd)):
                        unpacker.receive(record)
    finally:
        os.close(fd)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
