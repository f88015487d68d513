"""A program that writes event files: it gets them on standard input, from `write_behind`.

Nothing but Python's core is imported, so that it starts in 10 ms. It ends when its input does, or with the first file
that cannot be written, which it names on standard output.
"""

from __future__ import annotations

import os
import struct
import sys

_HEADER = struct.Struct("<HI")
"""Before each file: the bytes of its name and of its content, which follow."""
DIRECTORY_FD = 3
"""Where the program finds the directory open."""
DONE = b"done"
"""What it says on standard output when its input has ended and all is written."""
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags for a file of a run: it must not exist, and links are not followed."""
_READ_SIZE = 1 << 20


def pack(name: str, content: bytes) -> bytes:
    """Encode a file as the program reads it."""
    encoded = name.encode()
    return _HEADER.pack(len(encoded), len(content)) + encoded + content


def write_file(directory: int, name: str | bytes, content: bytes | memoryview) -> None:
    """Write a new private file, whole or not at all.

    Args:
        directory: descriptor of where it goes.
        name: a plain word.
        content: what it will hold.

    Raises:
        FileExistsError: it is there already.
        OSError: it cannot be written.
    """
    fd = os.open(name, CREATE, 0o600, dir_fd=directory)
    try:
        written = os.write(fd, content)
        while written < len(content):  # the kernel says why with the next one
            written += os.write(fd, memoryview(content)[written:])
    except OSError:
        os.unlink(name, dir_fd=directory)  # half an event is not useful
        raise
    finally:
        os.close(fd)


def write_all(received: bytearray, directory: int) -> int:
    """Write the files that have come whole; return the bytes they took.

    Raises:
        OSError: one cannot be written; `filename` is its name.
    """
    size, position = len(received), 0
    with memoryview(received) as view:
        while position + _HEADER.size <= size:
            name_size, content_size = _HEADER.unpack_from(received, position)
            content = position + _HEADER.size + name_size
            end = content + content_size
            if end > size:
                break
            name = bytes(view[position + _HEADER.size : content])
            with view[content:end] as text:
                try:
                    write_file(directory, name, text)
                except OSError as error:
                    raise OSError(error.errno, error.strerror, name) from None
            position = end
    return position


def main() -> int:
    """Write what comes; return the exit status."""
    received = bytearray()
    try:
        while data := os.read(0, _READ_SIZE):
            received += data
            del received[: write_all(received, DIRECTORY_FD)]
    except OSError as error:
        os.write(1, b"%d %s" % (error.errno or 0, os.fsencode(error.filename or b"")))
        return 1
    os.write(1, DONE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
