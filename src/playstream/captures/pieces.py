"""The pieces of a file that holds a stream: records, and what only a file has, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol, TypeAlias

from playstream.pipeline.protocol import Noise, Record
from playstream.pipeline.protocol.order import Direction


class Format(StrEnum):
    """What a file holds."""

    NATIVE = "playstream"
    """A stream in the native dialect."""
    RUNNER = "ansible-runner"
    """A stream in ansible-runner's."""
    RECORDING = "recording"
    """Events that the callback plugin wrote without a worker."""


class Lack(Enum):
    """What a kind of run at rest may lack; the value is for people."""

    TIMES_OF_STATUSES = "the times of statuses"
    START = "how the run was started"
    ARTIFACTS = "artifacts other than events and statuses"
    MESSAGES = "messages of the worker"


LACKS: Mapping[Format, frozenset[Lack]] = {
    Format.NATIVE: frozenset(),
    Format.RUNNER: frozenset({Lack.TIMES_OF_STATUSES, Lack.MESSAGES}),
    Format.RECORDING: frozenset(Lack),
}
"""What the results of a run lack in each format."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Records of kinds that this version does not know and may skip."""

    records: int


@dataclass(frozen=True, slots=True)
class Arguments:
    """The line with the job's arguments, in ansible-runner's protocol."""

    names: tuple[str, ...]
    """Their names, and for mappings those of their keys, as `extravars.version`. Values may be secret."""


@dataclass(frozen=True, slots=True)
class ArchiveStart:
    """The line that announces an archive, in ansible-runner's protocol."""

    size: int
    """Bytes of the archive."""


@dataclass(frozen=True, slots=True)
class LastLine:
    """The line that ends a stream in ansible-runner's protocol."""


FileItem: TypeAlias = Skipped | Arguments | ArchiveStart | LastLine
"""What only a file has."""
Item: TypeAlias = Record | Noise | FileItem


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stream, and its place."""

    item: Item
    offset: int
    """The byte of the stream where its frame, its line or its archive begins. In an encrypted file the bytes are those
    of the decrypted stream."""
    at: int
    """Where it begins in the content of that frame, in bytes; 0 in a line."""
    size: int | None
    """Its bytes, decompressed; None for a record that is made from others and has no bytes of its own."""


class Walker(Protocol):
    """Converts the bytes of a stream to pieces. It does no I/O."""

    @property
    def format(self) -> Format:
        """What the bytes are."""

    @property
    def direction(self) -> Direction | None:
        """The direction of the stream; None while it is not known."""

    @property
    def closed(self) -> bool:
        """True after the end of the stream."""

    @property
    def end_differs(self) -> bool:
        """True if the end of the stream does not agree with what was received before it."""

    @property
    def offset(self) -> int:
        """Where the last piece begins; after an error, the faulty one."""

    @property
    def content_size(self) -> int:
        """Bytes so far, decompressed."""

    @property
    def unread(self) -> int:
        """Received bytes behind the end of the stream."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were read; empty at the end of the file."""

    def next_piece(self) -> Piece | None:
        """Return the next piece; None if it is not complete, or after the last.

        Raises:
            PlaystreamError: the bytes are not valid, or, at the end of the file, not complete.
        """

    def close(self) -> None:
        """Drop what has been begun."""
