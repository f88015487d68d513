"""Python file objects as links: their descriptor where they have one, a pipe and a thread where they have not."""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from playstream.pipeline.errors import LinkError, PlaystreamError
from playstream.pipeline.io.cancellation import DELIVERY_SECONDS, LOOK_SECONDS, Cancellation, DeliveryTime
from playstream.pipeline.io.liveness import check_delivery
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import READ_SIZE, read_some, write_all


@contextmanager
def reading(file: IO[bytes]) -> Iterator[int]:
    """Yield a descriptor for the rest of `file`."""
    fd = _descriptor(file)
    if fd is not None and _position_matches(file, fd):
        yield fd
        return
    reading_end, writing_end = map(own_descriptor, os.pipe())
    direct = fd if fd is not None and _is_plain(file) else None
    pump, arguments = (_pump_in, (file, writing_end)) if direct is None else (_pump_fd, (file, direct, writing_end))
    thread = threading.Thread(target=pump, args=arguments, name="playstream-input", daemon=True)
    thread.start()
    try:
        yield reading_end
    finally:
        # A thread in the file's own read may wait for input that never comes, so it is not waited for.
        close_owned(reading_end)
        if direct is not None:
            thread.join()


@contextmanager
def writing(file: IO[bytes], cancellation: Cancellation | None = None) -> Iterator[int]:
    """Yield a descriptor that writes to `file`.

    Args:
        file: its `write` may wait as long as it likes.
        cancellation: when it is requested, DELIVERY_SECONDS are left for what there is to write.

    Raises:
        LinkError: the file would not take what was written; raised at the end.
    """
    fd = _descriptor(file)
    if fd is not None:
        file.flush()
        yield fd
        return
    reading_end, writing_end = map(own_descriptor, os.pipe())
    failed: list[BaseException] = []
    thread = threading.Thread(target=_pump_out, args=(reading_end, file, failed), name="playstream-output", daemon=True)
    thread.start()
    try:
        yield writing_end
    except BaseException:
        # A thread of the stage's may still be writing here, and this one hang in the file's own write; so its number
        # stays in use until that has ended.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writing_end, inheritable=False)
        os.close(null)
        thread.join(DELIVERY_SECONDS)
        if not thread.is_alive():
            close_owned(writing_end)
        raise
    close_owned(writing_end)
    left = DeliveryTime(cancellation)
    with left.taking():
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            check_delivery("the reader of the output", cancellation, left)
    if failed:
        raise LinkError(f"the stream cannot be written to {file!r}: {failed[0]}")


def _descriptor(file: Any) -> int | None:
    try:
        fd = file.fileno()
    except (AttributeError, OSError, io.UnsupportedOperation):
        return None
    return fd if isinstance(fd, int) and fd >= 0 else None


def _position_matches(file: Any, fd: int) -> bool:
    """Return whether the descriptor is at the position of the file object, which may have read ahead."""
    if isinstance(file, io.RawIOBase):
        return True
    try:
        os.lseek(fd, file.tell(), os.SEEK_SET)
    except (OSError, ValueError):
        return False
    return True


def _is_plain(file: Any) -> bool:
    """Return whether the file only buffers what its descriptor gives: a pipe's or a socket's, but not that of TLS."""
    if type(file) is not io.BufferedReader:
        return False
    raw = file.raw
    socket = sys.modules.get("socket")
    if socket is not None and type(raw) is socket.SocketIO:
        return type(getattr(raw, "_sock", None)) is socket.socket
    return type(raw) is io.FileIO


def _pump_fd(file: io.BufferedReader, source: int, fd: int) -> None:
    """Pass on what the file has buffered, then what is read from its descriptor, until the reader of `fd` closes it.

    A thread inside of the file's own read would hold its lock, and its owner, who wants to close it, would wait for
    input that never comes.
    """
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(fd, 0)  # reports when its reader has closed it
    try:
        write_all(fd, _take_buffered(file, source))
        while any(number == source for number, _ in poll.poll()):
            data = read_some(source)
            if not data:
                break
            write_all(fd, data)
    except (PlaystreamError, OSError, ValueError):
        pass  # as in _pump_in
    finally:
        close_owned(fd)


def _take_buffered(file: io.BufferedReader, source: int) -> bytes:
    blocking = os.get_blocking(source)
    os.set_blocking(source, False)
    try:
        return file.read1(len(file.peek()))
    finally:
        os.set_blocking(source, blocking)


def _pump_in(file: Any, fd: int) -> None:
    read = getattr(file, "read1", None) or file.read
    try:
        while data := read(READ_SIZE):
            write_all(fd, data)
    except (PlaystreamError, OSError, ValueError):
        pass  # the stage has ended, or the file was closed: the stream ends here, which its reader will notice
    finally:
        close_owned(fd)


def _pump_out(fd: int, file: IO[bytes], failed: list[BaseException]) -> None:
    try:
        while data := read_some(fd):
            file.write(data)
            file.flush()
    except BaseException as error:  # noqa: BLE001 - reported by the thread that opened the link
        failed.append(error)
    finally:
        close_owned(fd)
