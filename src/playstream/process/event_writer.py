"""A program that writes the event files that it receives on standard input, from `write_behind`.

It imports only built-in modules, so that it starts in 10 ms. It exits at the end of its input, or after the first file
that cannot be written, whose name it prints on standard output.
"""

from __future__ import annotations

import os
import struct
import sys

_HEADER = struct.Struct("<HI")
"""The header of each file: the sizes of its name and its content, which follow."""
DIRECTORY_FD = 3
"""The program's descriptor of the directory."""
DONE = b"done"
"""Its output after the end of its input, if everything was written."""
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""Flags for a file of a run: it must not exist, and links are not followed."""
_READ_SIZE = 1 << 20


def pack(name: str, content: bytes) -> bytes:
    """Encode a file as the program reads it."""
    encoded = name.encode()
    return _HEADER.pack(len(encoded), len(content)) + encoded + content


def write_file(directory: int, name: str | bytes, content: bytes | memoryview) -> None:
    """Write a new private file, whole or not at all.

    Args:
        directory: descriptor of the directory.
        name: a plain word.
        content: the content.

    Raises:
        FileExistsError: the file exists.
        OSError: it cannot be written.
    """
    fd = os.open(name, CREATE, 0o600, dir_fd=directory)
    try:
        written = os.write(fd, content)
        while written < len(content):  # after a short write the next one raises the reason
            written += os.write(fd, memoryview(content)[written:])
    except OSError:
        os.unlink(name, dir_fd=directory)  # half an event is not useful
        raise
    finally:
        os.close(fd)


def write_all(received: bytearray, directory: int) -> int:
    """Write the files that were received completely, and return the number of bytes consumed.

    Raises:
        OSError: a file cannot be written; `filename` is its name.
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
    """Write the received files and return the exit status."""
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
