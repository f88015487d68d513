"""Detecting the dialect of a stream by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import Frame, FrameReader, Noise
from playstream.pipeline.protocol.frames import MAGIC_START, MAX_NOISE

if TYPE_CHECKING:
    from playstream.pipeline.runner_dialect.lines import ArchiveData, Line, LineReader

_RUNNER_START = re.compile(rb'(?:^|\n)[ \t]*\{[ \t]*"(?:kwargs|status|event|zipfile|eof)"[ \t]*:')
"""ansible-runner's first line, in either direction, after what a login may have printed."""
LIVE_START = b"\xf5\x00ps-age"
"""The beginning of an encrypted stream in its live form; see pipeline/io/age_batches.py."""
ENCRYPTED_START = re.compile(
    re.escape(LIVE_START) + rb"|age-encryption\.org/v[0-9]+\n|-----BEGIN AGE ENCRYPTED FILE-----\r?\n"
)
"""The beginning of an encrypted stream: that of the live form, or the first line of an age file, as bytes or text."""
UNREAD_LINE = "Failed to JSON parse a line from transmit stream."
"""The message of ansible-runner's worker when it cannot read a job, which controllers search for."""
_SHOWN_BY_TERMINAL = re.compile(rb"\xf5\^@(?:playstream|ps-age)|age-encryption\.org/v[0-9]+\r\n->")
"""The beginning of a stream that a terminal has echoed: NUL as two characters, and line ends as CR LF."""
REFUSAL = "call ssh, docker or podman without -t"
"""The first words of a worker that refuses a terminal."""
_REFUSED = re.compile(rb"playstream worker:\s+" + REFUSAL.replace(" ", r"\s+").encode())
"""The same in lines of the terminal's width."""
_ECHO = re.compile(rb"\^[@-_?]|\x08 \x08")
"""A control character as a terminal shows it, such as ^\\, or the removal of one."""
_NO_TEXT = re.compile("[\udc80-\udc9f]")
"""A byte that is part of no UTF-8 text, and in no text in an encoding of ISO 8859 either."""
_LOOKED_AT = 1024
"""Bytes at the beginning that are looked at for the middle of a stream, as echoed."""
_OVERLAP = 128
"""Bytes before the last search that may hold the start of a beginning."""


class Dialect(StrEnum):
    """How records are encoded."""

    PLAYSTREAM = "playstream"
    RUNNER = "runner"
    """ansible-runner's encoding."""


class FirstBytes:
    """Holds data back until its dialect is known.

    Args:
        fallback: the dialect whose reader reports data that is in neither dialect.
    """

    def __init__(self, fallback: Dialect = Dialect.PLAYSTREAM) -> None:
        self._held = bytearray()
        self._fallback = fallback

    def receive_data(self, data: bytes) -> tuple[Dialect, bytes] | None:
        """Return the dialect and all data so far, or None while the dialect is unknown.

        Args:
            data: bytes as they were received; empty at the end of the file.

        Raises:
            RemoteProtocolError: the stream is encrypted, or a terminal has changed it.
        """
        start = max(0, len(self._held) - _OVERLAP)
        self._held += data
        native = self._held.find(MAGIC_START, start)
        runner = _RUNNER_START.search(self._held, start)
        echoed = _SHOWN_BY_TERMINAL.search(self._held, start)
        encrypted = ENCRYPTED_START.search(self._held, start)
        plain = [position for position in (native, -1 if runner is None else runner.start()) if position >= 0]
        is_echo = echoed is not None and all(echoed.start() < position for position in plain)
        # A terminal drops what it has not shown when ^C, ^Z or ^\\ arrive, so the rest may begin anywhere.
        is_echo = is_echo or (not plain and encrypted is None and _is_middle(self._held[:_LOOKED_AT]))
        if is_echo or (not plain and _REFUSED.search(self._held, start) is not None):
            raise RemoteProtocolError(
                "a terminal on the way has changed the stream, or sends the job back: call ssh, docker or podman "
                "without -t"
            )
        if encrypted is not None and all(encrypted.start() < position for position in plain):
            by_age = "" if encrypted[0] == LIVE_START else ", or decrypt the stream with age before this stage"
            raise RemoteProtocolError(
                "the stream is encrypted with age and this stage has no key: pass the file with the secret key "
                f"(--identity FILE){by_age}"
            )
        if runner is not None and (native < 0 or runner.start() < native):
            return Dialect.RUNNER, bytes(self._held)
        if native >= 0:
            return Dialect.PLAYSTREAM, bytes(self._held)
        if not data or len(self._held) > MAX_NOISE:
            return self._fallback, bytes(self._held)
        return None


def _is_middle(data: bytes | bytearray) -> bool:
    """Return whether the data is part of a binary stream as a terminal shows it."""
    return len(_ECHO.findall(data)) > 1 and _NO_TEXT.search(data.decode("utf-8", "surrogateescape")) is not None


class PieceReader:
    """The outer layer of either dialect: bytes to frames, or to lines and the bytes of archives.

    Args:
        choose: returns the reader of the dialect; called once the dialect is known.
        fallback: as in FirstBytes.
    """

    def __init__(
        self, choose: Callable[[Dialect], FrameReader | LineReader], fallback: Dialect = Dialect.PLAYSTREAM
    ) -> None:
        self._choose = choose
        self._first = FirstBytes(fallback)
        self._reader: FrameReader | LineReader | None = None

    @property
    def has_heartbeats(self) -> bool:
        """Whether the other side, a transmit stage, sends heartbeats. ansible-runner's transmit does not."""
        return self._reader is None or isinstance(self._reader, FrameReader)

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received; empty at the end of the file."""
        if self._reader is None:
            detected = self._first.receive_data(data)
            if detected is None:
                return
            dialect, data = detected
            self._reader = self._choose(dialect)
        self._reader.receive_data(data)

    def next(self) -> Frame | Line | ArchiveData | Noise | None:
        """Return the next piece, or noise that was skipped; None if neither is complete.

        Raises:
            RemoteProtocolError: the received data is not a valid stream.
        """
        return None if self._reader is None else self._reader.next()
