"""Reading a file that holds a stream, whatever its format is."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playstream.captures.foreign import check_foreign
from playstream.captures.native import NativeWalker
from playstream.captures.pieces import Piece, Walker
from playstream.captures.recording import RecordingWalker
from playstream.pipeline.dialect import Dialect, FirstBytes
from playstream.pipeline.errors import ConfigurationError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.io.stdio import InputLayer, connect, read_some
from playstream.pipeline.limits import Limits, limits_of
from playstream.pipeline.protocol.order import Direction
from playstream.process.receiving import is_recording

if TYPE_CHECKING:
    from playstream.captures.index import Index
    from playstream.captures.index_cache import IndexMaker


class Stream:
    """A stream at rest.

    Args:
        source: where to read it: a descriptor, or a layer such as decryption.
        limits: limits of the stream.
        capture: the open file, if the stream has an index, or gets one when it is read to its end; None for none.
    """

    def __init__(self, source: int | InputLayer, limits: Limits, capture: int | None = None) -> None:
        self._source = source
        self._capture = capture
        self._index: IndexMaker | None = None
        self._found: Index | None = None
        self._has_looked = False
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
        self._index = self._make_index()
        with closing(self._index) if self._index is not None else nullcontext():
            yield from self._pieces()

    def _pieces(self) -> Iterator[Piece]:
        data, walker = self._choose()
        with closing(walker):
            while True:
                walker.receive_data(data)
                while (piece := walker.next_piece()) is not None:
                    if self._index is not None:
                        self._index.take(piece.item)
                    yield piece
                if walker.closed:
                    break
                data = self._read()
            self.behind_end = walker.unread
        while data := self._read():
            self.behind_end += len(data)
        if self._index is not None and walker.direction is Direction.RESULT:
            self._index.finish()

    def find_index(self) -> Index | None:
        """Return the index of the file, open until `close`; None if it has none."""
        if self._capture is not None and not self._has_looked:
            from playstream.captures.index_cache import find_index  # noqa: PLC0415 - only if it is asked for

            self._has_looked = True
            self._found = find_index(self._capture)
        return self._found

    def discard_index(self) -> None:
        """Remove the index of the file, which is damaged. The next reading of all of it makes another one."""
        if self._capture is not None:
            from playstream.captures.index_cache import discard_index  # noqa: PLC0415 - seldom needed

            discard_index(self._capture)

    def close(self) -> None:
        """Close the index."""
        if self._found is not None:
            self._found.close()

    def _make_index(self) -> IndexMaker | None:
        """Return what makes an index while the file is read; None if it has one or gets none."""
        if self._capture is None or self.find_index() is not None:
            return None
        from playstream.captures.index_cache import IndexMaker  # noqa: PLC0415 - as above

        return IndexMaker(self._capture)

    def _read(self) -> bytes:
        data = read_some(self._source)
        self.size += len(data)
        if self._index is not None:
            self._index.receive_data(data)
        return data

    def _choose(self) -> tuple[bytes, Walker]:
        """Read until the format is known; return all data so far, and what converts it.

        Raises:
            RemoteProtocolError: the stream is encrypted, a terminal has changed it, or the file is of another kind.
        """
        head, first = b"", FirstBytes()
        recording: bool | None = None
        while self.walker is None:
            data = self._read()
            at_end = not data
            head += data
            check_foreign(head)
            if recording is None:
                recording = is_recording(head)
                if recording is None and not at_end:
                    continue
                data = head
            if recording:
                self.walker = RecordingWalker(self._limits.max_record_bytes)
                continue
            detected = first.receive_data(data)
            if detected is None and at_end:
                detected = first.receive_data(b"")
            if detected is not None:
                self.walker = self._walker_of(detected[0])
        return head, self.walker

    def _walker_of(self, dialect: Dialect) -> Walker:
        if dialect is Dialect.PLAYSTREAM:
            return NativeWalker(self._limits.max_record_bytes)
        from playstream.captures.runner import RunnerWalker  # noqa: PLC0415 - zipfile costs 10 ms

        return RunnerWalker(self._limits)


@contextmanager
def open_stream(
    path: Path, options: Mapping[str, Any], warn: Callable[[str], object], *, indexed: bool = False
) -> Iterator[Stream]:
    """Open a file that holds a stream.

    Args:
        path: the file.
        options: flags or keyword arguments; only `identity` and the limits are read.
        warn: called with messages for the user.
        indexed: whether it has an index, or gets one when all of it is read. An encrypted file has none.

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
            is_plain = connection.reader == fd and stat.S_ISREG(os.fstat(fd).st_mode)
            has_index = indexed and is_plain and sys.platform != "win32"
            with closing(Stream(connection.reader, limits_of(options), fd if has_index else None)) as stream:
                yield stream
    finally:
        os.close(fd)
