"""Reading a connection until its job is complete: bytes in, and what they are, without IO.

Only then a worker is started, which gets the same bytes and checks them itself. So this module looks no further than
it has to: it checks the frames, and finds the end of the Job record, but does not decode it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from playstream.pipeline.dialect import LIVE_START, Dialect
from playstream.pipeline.errors import RemoteProtocolError, WorkerError
from playstream.pipeline.limits import exceeded
from playstream.pipeline.protocol import codec, frames
from playstream.pipeline.protocol.compression import Decompressor

if TYPE_CHECKING:
    from playstream.pipeline.io.age_batches import BatchReader
    from playstream.pipeline.io.age_keys import Identity

_AGE_STARTS = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
"""The beginning of one age file, as bytes and as text. What it contains cannot be read before its end."""
_AGE_END = re.compile(rb"\n---[^\n]*\n")
"""The end of age's header; in the text form everything is in one part."""
_MAX_AGE_HEADER = 1 << 16
_RUNNER_START = re.compile(rb'\{[ \t]*"kwargs"[ \t]*:')
_MAX_START = 64
"""Bytes in which the beginning of a stream has to show what it is."""
_SHOWN = 1 << 16
"""Bytes of a job that are kept to find its name."""
_IDENT = re.compile(rb'"ident": ?("(?:[^"\\]|\\.){1,600}")')
_QUESTIONS = frozenset((codec.Kind.PING, codec.Kind.LOG))
_MAX_RECORDS = 100
"""Maximum number of records before the job, such as heartbeats."""
_MAX_CONTENT = 4 * frames.MAX_CONTENT
"""Maximum content before the job, in bytes."""
_JOB_AND_MORE = 2 * frames.MAX_PAYLOAD
"""Bytes that may arrive beyond the largest job: what is in the same frame, and in the same read."""


class Admission:
    """Takes the first bytes of a connection until its job is complete.

    Args:
        max_record: maximum size of the job, in bytes.
        identities: the keys of the workers, if jobs have to be encrypted. The end of a job that is one age file cannot
            be seen; the end of its header is waited for.
        greets: whether the connection is greeted. If not, a Log record before the job is a question too, because only
            a worker sends it back (docs/protocol.md, "Questions on the user's terminal").
    """

    def __init__(self, max_record: int, identities: Sequence[Identity] = (), *, greets: bool = True) -> None:
        self._max_record = max_record
        self._greets = greets
        self._identities = identities
        self._batches: BatchReader | None = None
        self._inner: Admission | None = None
        """Takes what the batches of an encrypted stream contain."""
        self._held = bytearray()
        self._frames: _FirstFrames | None = None
        self._searched = 0
        self.dialect: Dialect | None = None
        """The dialect; None while it is unknown, or if the stream is encrypted."""
        self.complete = False
        """Whether the whole job has arrived, or a question that only a worker answers."""
        self.ident: str | None = None
        """The name of the job, if it is complete and the name is readable. It comes from the other side."""

    @property
    def size(self) -> int:
        """How many bytes are held in memory."""
        inner = 0 if self._inner is None else self._inner.size
        return len(self._held) + inner + (0 if self._frames is None else self._frames.size)

    def take(self) -> bytes:
        """Return all bytes so far, for a worker, and forget them."""
        data = bytes(self._held)
        self._held = bytearray()
        self._frames = self._batches = self._inner = None
        return data

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received.

        Raises:
            RemoteProtocolError: they are not the beginning of a job.
            LimitExceeded: the job is too large.
            WorkerError: the other side could not send its job.
        """
        self._held += data
        if len(self._held) > self._max_record + _JOB_AND_MORE:
            raise exceeded("the stream up to the end of its job", self._max_record, "max_record_bytes")
        if self._batches is not None:
            self._read_batches(data)
        elif self._identities:
            self._look_for_age()
        elif self.dialect is None:
            self._detect()
        if self.dialect is Dialect.PLAYSTREAM:
            self._read_frames()
        elif self.dialect is Dialect.RUNNER:
            self._read_line()

    def _look_for_age(self) -> None:
        start = bytes(self._held[:_MAX_START])
        for mark in _AGE_STARTS:
            if start.startswith(mark):
                end = _AGE_END.search(self._held)
                self.complete = mark is not _AGE_STARTS[0] or end is not None
                if not self.complete and len(self._held) > _MAX_AGE_HEADER:
                    raise RemoteProtocolError(f"the header of age has more than {_MAX_AGE_HEADER} bytes")
                return
        if start.startswith(LIVE_START):
            from playstream.pipeline.io.age_batches import BatchReader  # noqa: PLC0415 - an extra

            self._batches = BatchReader(self._identities)
            self._inner = Admission(self._max_record, greets=False)  # its dialect is not seen before
            self._read_batches(bytes(self._held))
            return
        if any(mark.startswith(start) for mark in (*_AGE_STARTS, LIVE_START)):
            return
        raise RemoteProtocolError(
            "expected an encrypted job: this worker has a key. Encrypt the job (--encrypt-to), or omit --identity there"
        )

    def _read_batches(self, data: bytes) -> None:
        if self._batches is None or self._inner is None or self.complete:
            return
        self._batches.receive_data(data)
        while not self._inner.complete and (content := self._batches.next()) is not None:
            self._inner.receive_data(content)
        self.complete, self.ident = self._inner.complete, self._inner.ident

    def _detect(self) -> None:
        start = bytes(self._held[:_MAX_START])
        if start.startswith(frames.MAGIC_START):
            self.dialect = Dialect.PLAYSTREAM
            self._frames = _FirstFrames(self._max_record, {codec.Kind.PING} if self._greets else _QUESTIONS)
        elif _RUNNER_START.match(start):
            self.dialect = Dialect.RUNNER
        elif any(start.startswith(mark) for mark in (*_AGE_STARTS, LIVE_START)):
            raise RemoteProtocolError("the job is encrypted and this worker has no key: start it with --identity FILE")
        elif not _may_become_one(start):
            raise RemoteProtocolError(
                "expected a job as the first bytes of the connection, got something else. Connect with "
                "playstream run --on, or send the output of playstream transmit"
            )

    def _read_frames(self) -> None:
        if self._frames is None:
            return
        self._frames.read(self._held)
        if self._frames.complete:
            self.complete = True
            self.ident = _find_ident(self._frames.shown)
            self._frames = None

    def _read_line(self) -> None:
        end = self._held.find(b"\n", self._searched)
        self._searched = len(self._held)
        if (end if end >= 0 else len(self._held)) > self._max_record:
            raise exceeded("the line of the job", self._max_record, "max_record_bytes")
        if end >= 0 and not self.complete:
            self.complete = True
            self.ident = _find_ident(bytes(self._held[: min(end, _SHOWN)]))


def _may_become_one(start: bytes) -> bool:
    """Return whether more bytes can make this the beginning of a stream."""
    if any(mark.startswith(start) for mark in (frames.MAGIC_START, LIVE_START, *_AGE_STARTS)):
        return True
    squeezed = start.replace(b" ", b"").replace(b"\t", b"")
    return len(start) < _MAX_START and start.startswith(b"{") and b'{"kwargs":'.startswith(squeezed)


def _find_ident(shown: bytes) -> str | None:
    """Return the name of a job from the beginning of its JSON."""
    found = _IDENT.search(shown)
    if found is None:
        return None
    try:
        return str(json.loads(found[1]))
    except ValueError:
        return None


class _FirstFrames:
    """Looks for the end of the Job record in the frames of the native dialect.

    Only frames up to the header of the Job are decompressed; after that their sizes are enough.
    """

    def __init__(self, max_record: int, questions: Set[int]) -> None:
        self._max_record = max_record
        self._questions = questions
        """Kinds of records that only a worker answers."""
        self._position = 0
        """Up to where the bytes were read."""
        self._sequence = 0
        self._decompressor: Decompressor | None = Decompressor()
        self._content = bytearray()
        """Content that belongs to no complete record yet."""
        self._records = 0
        self._before = 0
        """Bytes of content before the job."""
        self._missing = 0
        """Bytes of the Job record that have not arrived."""
        self.complete = False
        self.shown = b""
        """The beginning of the Job record."""

    @property
    def size(self) -> int:
        """Bytes that are held here, those of a decompressor in use included."""
        return (
            len(self._content) + len(self.shown) + (frames.MAX_CONTENT if self._decompressor and self._sequence else 0)
        )

    def read(self, data: bytearray) -> None:
        """Read the complete frames at the beginning of all data so far.

        Raises:
            PlaystreamError: it is not the beginning of a job.
        """
        if not self._position:
            if len(data) < frames.PREAMBLE_SIZE:
                return
            frames.decode_preamble(bytes(data[: frames.PREAMBLE_SIZE]))
            self._position = frames.PREAMBLE_SIZE
        while not self.complete and self._read_frame(data):
            pass

    def _read_frame(self, data: bytearray) -> bool:
        start = self._position + frames.HEADER_SIZE
        if len(data) < start:
            return False
        if not data.startswith(frames.MARKER, self._position):
            raise RemoteProtocolError(f"expected frame {self._sequence} at byte {self._position}, got other bytes")
        header = frames.decode_header(bytes(data[self._position : start]), self._position, show=False)
        if header.sequence != self._sequence:
            raise RemoteProtocolError(f"expected frame {self._sequence}, got frame {header.sequence}")
        end = start + header.payload_size
        if len(data) < end:
            return False
        payload = bytes(data[start:end])
        frames.check_payload(header, payload, self._position, show=False)
        self._position = end
        self._sequence += 1
        if self._decompressor is None:
            self._missing -= header.content_size
            self.complete = self._missing <= 0
        else:
            self._read_content(self._decompressor.decompress(payload, header.content_size))
        return True

    def _read_content(self, content: bytes) -> None:
        self._before += len(content)
        self._content += content
        while len(self._content) >= codec.RECORD.size:
            kind, flags, size = codec.RECORD.unpack_from(self._content)
            if kind == codec.Kind.JOB:
                if size > self._max_record:
                    raise codec.too_large(kind, size, self._max_record)
                self._missing = codec.RECORD.size + size - len(self._content)
                self.shown = bytes(self._content[codec.RECORD.size : codec.RECORD.size + min(size, _SHOWN)])
                self.complete = self._missing <= 0
                self._decompressor = None
                self._content = bytearray()
                return
            if kind in self._questions:
                self.complete = True
                return
            self._check_before(kind, flags)
            if len(self._content) < codec.RECORD.size + size:
                break
            del self._content[: codec.RECORD.size + size]
            self._count()
        if self._before > _MAX_CONTENT:
            raise RemoteProtocolError(f"expected a job, got {self._before} bytes of other records before it")

    def _count(self) -> None:
        self._records += 1
        if self._records > _MAX_RECORDS:
            raise RemoteProtocolError(f"expected a job, got more than {_MAX_RECORDS} other records before it")

    @staticmethod
    def _check_before(kind: int, flags: int) -> None:
        if kind == codec.Kind.FAILURE:
            raise WorkerError("transmit failed, so there is no job to run")
        if not flags & codec.IGNORABLE:
            raise RemoteProtocolError(f"expected a job, got a record of kind {kind}")
