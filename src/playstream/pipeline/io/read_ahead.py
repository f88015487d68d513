"""Reading a link in a thread: checked and decompressed content waits while its consumer is busy.

For large frames the thread works outside of Python's global lock, so it does not slow the consumer down. For small
frames it is better if the consumer reads itself (docs/performance.md).
"""

from __future__ import annotations

import os
import queue
import threading
from typing import TYPE_CHECKING

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io import system
from playstream.pipeline.io.liveness import Liveness
from playstream.pipeline.io.stdio import InputLayer, read_some
from playstream.pipeline.protocol import Frame, Noise

if TYPE_CHECKING:
    from playstream.pipeline.dialect import PieceReader
    from playstream.pipeline.runner_dialect.lines import ArchiveData, Line

    _Piece = Frame | Line | ArchiveData | Noise

_AHEAD = 4
"""Maximum number of waiting pieces. A frame or a piece of an archive has at most 1 MiB."""
_LOOK_SECONDS = 0.5
"""How often to check whether the thread listens again."""


class EndOfFile:
    """What `take` returns when the other side has closed the link."""


class ReadAhead:
    """The frames of a link, or its lines and archives, read in a thread until `close`.

    Args:
        fd: the link; not closed.
        reader: turns the data into pieces; only the thread uses it.
        liveness: notified whenever data was received. Pieces that wait for their consumer do not count as silence.
    """

    def __init__(self, fd: int | InputLayer, reader: PieceReader, liveness: Liveness) -> None:
        self._fd = fd
        self._reader = reader
        self._liveness = liveness
        self._listening = False
        """True while the thread waits for input."""
        self._pieces: queue.Queue[_Piece | PlaystreamError | EndOfFile] = queue.Queue(_AHEAD)
        self._news, self._tell = os.pipe()
        self._stopped, self._stop = os.pipe()
        self._stopping = False
        self._poll = system.poll()
        self._poll.register(fd, system.POLLIN)
        self._poll.register(self._stopped, system.POLLIN)
        self._thread = threading.Thread(target=self._run, name="playstream-reader", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Return a descriptor that is readable when `take` has something."""
        return self._news

    def take(self) -> _Piece | EndOfFile:
        """Wait for the next piece, noise or end of file, and return it.

        Raises:
            PlaystreamError: the link failed, or the data is not a valid stream. Nothing follows.
        """
        os.read(self._news, 1)
        piece = self._pieces.get()
        if isinstance(piece, PlaystreamError):
            raise piece
        return piece

    @property
    def time_left(self) -> float | None:
        """Seconds until the other side has been silent for too long; None for no limit.

        Waiting pieces do not count as silence, and the thread may begin to listen at any moment.
        """
        left = self._liveness.time_left
        return left if left is None or self._listening else max(left, _LOOK_SECONDS)

    def check(self) -> None:
        """Check whether the other side has been silent for too long.

        Raises:
            SilentPeer: it has.
        """
        # The order matters: what the thread takes from the link after the first check is seen by the other two.
        if self._liveness.is_over() and self._listening and self._pieces.empty():
            self._liveness.check()

    def _run(self) -> None:
        try:
            while self._wait():
                data = read_some(self._fd)
                self._reader.receive_data(data)
                while (piece := self._reader.next()) is not None:
                    if not self._put(piece):
                        return
                if not data:
                    self._put(EndOfFile())
                    return
                self._liveness.mark_alive(expected=self._reader.has_heartbeats)
        except PlaystreamError as error:
            self._put(error)

    def _wait(self) -> bool:
        """Wait for input. Return False after `close`."""
        self._listening = True
        ready = self._poll.poll()
        self._listening = False
        return all(fd != self._stopped for fd, _events in ready)

    def _put(self, piece: _Piece | PlaystreamError | EndOfFile) -> bool:
        """Put a piece into the queue. Return False after `close`."""
        self._pieces.put(piece)
        os.write(self._tell, b"p")
        return not self._stopping

    def close(self) -> None:
        """Stop reading."""
        self._stopping = True
        os.write(self._stop, b"s")
        while self._thread.is_alive():
            try:
                self._pieces.get_nowait()  # the thread may be waiting for room
            except queue.Empty:
                self._thread.join(0.01)
        for fd in (self._news, self._tell, self._stopped, self._stop):
            os.close(fd)
