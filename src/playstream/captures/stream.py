"""Reading a file that holds a stream, whatever its format is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from playstream.captures.native import NativeWalker
from playstream.captures.pieces import Piece, Walker
from playstream.captures.recording import RecordingWalker
from playstream.pipeline.dialect import Dialect, FirstBytes
from playstream.pipeline.errors import ConfigurationError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.io.stdio import InputLayer, connect, read_some
from playstream.pipeline.limits import Limits, limits_of
from playstream.process.receiving import is_recording


class Stream:
    """A stream at rest.

    Args:
        source: where to read it: a descriptor, or a layer such as decryption.
        limits: limits of the stream.
    """

    def __init__(self, source: int | InputLayer, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self.size = 0
        """Bytes that were read, decrypted."""
        self.behind_end = 0
        """Bytes behind the end of the stream."""
        self.walker: Walker | None = None
        """What converts the bytes; None while the format is not known."""

    @property
    def offset(self) -> int:
        """Where the last piece begins; after an error, the faulty one."""
        return 0 if self.walker is None else self.walker.offset

    def pieces(self) -> Iterator[Piece]:
        """Yield every piece of the stream. Memory does not grow with their number.

        Raises:
            PlaystreamError: when iterating: the stream is damaged, incomplete, encrypted or not one; `offset` is where.
        """
        data, walker = self._choose()
        with closing(walker):
            while True:
                walker.receive_data(data)
                while (piece := walker.next_piece()) is not None:
                    yield piece
                if walker.closed:
                    break
                data = self._read()
            self.behind_end = walker.unread
        while data := self._read():
            self.behind_end += len(data)

    def _read(self) -> bytes:
        data = read_some(self._source)
        self.size += len(data)
        return data

    def _choose(self) -> tuple[bytes, Walker]:
        """Read until the format is known; return all data so far, and what converts it.

        Raises:
            RemoteProtocolError: the stream is encrypted, or a terminal has changed it.
        """
        head, first = b"", FirstBytes()
        recording: bool | None = None
        while self.walker is None:
            data = self._read()
            at_end = not data
            head += data
            if recording is None:
                recording = is_recording(head)
                if recording is None and not at_end:
                    continue
                data = head
            if recording:
                self.walker = RecordingWalker(self._limits.max_record_bytes)
            elif (detected := first.receive_data(data)) is not None:
                self.walker = self._walker_of(detected[0])
        return head, self.walker

    def _walker_of(self, dialect: Dialect) -> Walker:
        if dialect is Dialect.PLAYSTREAM:
            return NativeWalker(self._limits.max_record_bytes)
        from playstream.captures.runner import RunnerWalker  # noqa: PLC0415 - zipfile costs 10 ms

        return RunnerWalker(self._limits)


@contextmanager
def open_stream(path: Path, options: Mapping[str, Any], warn: Callable[[str], object]) -> Iterator[Stream]:
    """Open a file that holds a stream.

    Args:
        path: the file.
        options: flags or keyword arguments; only `identity` and the limits are read.
        warn: called with messages for the user.

    Raises:
        ConfigurationError: it cannot be opened, or is a directory; or a key is not valid.
    """
    try:
        fd = os.open(path, os.O_RDONLY | system.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}. {remedy(error)}") from None
    try:
        if path.is_dir():
            raise ConfigurationError(
                f"{str(path)!r} is a directory: expected a file with a capture or a recording. For the artifacts of a "
                "run, use playstream show"
            )
        with connect({"identity": options.get("identity")}, warn, reader=fd) as connection:
            yield Stream(connection.reader, limits_of(options))
    finally:
        os.close(fd)
