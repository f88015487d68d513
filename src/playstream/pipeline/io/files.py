"""Python file objects as links: their descriptor if they have one, otherwise a pipe and a thread."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from playstream.pipeline.errors import LinkError, PlaystreamError
from playstream.pipeline.io import system
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
        # The thread may wait in the file's own read for input that never comes; then it is not joined.
        close_owned(reading_end)
        if direct is not None or isinstance(file, io.BytesIO):
            thread.join()


@contextmanager
def writing(file: IO[bytes], cancellation: Cancellation | None = None) -> Iterator[int]:
    """Yield a descriptor that writes to `file`.

    Args:
        file: a binary file; its `write` may block.
        cancellation: after a request, pending data may still be written for DELIVERY_SECONDS.

    Raises:
        LinkError: writing to the file failed; raised at the end.
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
        # A thread of the stage may still be writing to this descriptor, and the pump may hang in the file's own write,
        # so the number stays in use until the pump has ended.
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
    """Return whether the file only buffers its descriptor's data, as for a pipe or a socket, but not for TLS."""
    if type(file) is not io.BufferedReader:
        return False
    raw = file.raw
    socket = sys.modules.get("socket")
    if socket is not None and type(raw) is socket.SocketIO:
        return type(getattr(raw, "_sock", None)) is socket.socket
    return type(raw) is io.FileIO


def _pump_fd(file: io.BufferedReader, source: int, fd: int) -> None:
    """Copy what the file has buffered, then what is read from its descriptor, until the reader of `fd` closes it.

    A thread inside the file's own read would hold the file's lock. Whoever wants to close the file would then wait for
    input that never comes.
    """
    poll = system.poll()
    poll.register(source, system.POLLIN)
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
    blocking = system.get_blocking(source)
    system.set_blocking(source, False)
    try:
        return file.read1(len(file.peek()))
    finally:
        system.set_blocking(source, blocking)


def _pump_in(file: Any, fd: int) -> None:
    read = getattr(file, "read1", None) or file.read
    try:
        while data := read(READ_SIZE):
            write_all(fd, data)
    except (PlaystreamError, OSError, ValueError):
        pass  # the stage has ended, or the file was closed: the stream ends here, and its reader notices
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
