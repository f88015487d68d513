"""Sessions whose link is encrypted, in the live form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyrage

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.io.age import decrypting
from playstream.pipeline.io.age_batches import BatchWriter
from playstream.pipeline.io.stdio import InputLayer
from tests.stress.faults.sessions import Session, job, results

_IDENTITY = pyrage.x25519.Identity.generate()


@dataclass(frozen=True)
class EncryptedSession(Session):
    """One encrypted stream and what it says."""

    plain: Session
    ends: tuple[tuple[int, int], ...]
    """Where each batch ends, in the encrypted stream and in the plain one."""

    def __str__(self) -> str:
        return f"encrypted-{super().__str__()}"

    @property
    def notices_everything(self) -> bool:
        """True in either dialect."""
        return True

    @contextmanager
    def opened(self, link: int) -> Iterator[int | InputLayer]:
        """What a stage reads of a link that carries the session."""
        with decrypting(link, [_IDENTITY], lambda _message: None) as source:
            yield source

    def events_before(self, offset: int) -> list[dict[str, Any]]:
        """The events of the batches that are whole before an offset."""
        return self.plain.events_before(max((plain for end, plain in self.ends if end <= offset), default=0))


def _encrypt(plain: Session, size: int) -> EncryptedSession:
    """Put a session into batches of at most `size` bytes."""
    writer = BatchWriter([_IDENTITY.to_public()])
    data, ends = b"", []
    starts = range(0, len(plain.data), size)
    for start in starts:
        piece = plain.data[start : start + size]
        data += b"".join(writer.wrap([piece], flush=True, last=start == starts[-1]))
        ends.append((len(data), start + len(piece)))
    heard = min((end for end, read in ends if plain.heard and read >= plain.heard), default=0)
    return EncryptedSession(plain.dialect, plain.direction, data, heard, plain.files, plain, tuple(ends))


@cache
def encrypted_results(dialect: Dialect, events: int = 2, event_size: int = 0, artifact_size: int = 0) -> Session:
    """The stream of a worker, encrypted: a successful run."""
    plain = results(dialect, events, event_size, artifact_size)
    return _encrypt(plain, max(200, len(plain.data) // 100))


@cache
def encrypted_job(dialect: Dialect, size: int = 0) -> Session:
    """The stream of a transmit stage, encrypted."""
    plain = job(dialect, size)
    return _encrypt(plain, max(200, len(plain.data) // 100))
