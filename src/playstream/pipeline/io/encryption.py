"""Optional encryption of a stage's links."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.liveness import DEFAULT_LIVENESS_SECONDS

if TYPE_CHECKING:
    from playstream.pipeline.io.cancellation import Cancellation
    from playstream.pipeline.io.stdio import InputLayer

Warn = Callable[[str], object]
"""A function that is called with a message for the user."""

NOT_LIVE = (
    "encrypted results arrive in chunks of 64 KiB and at the end, not as they are produced, because age only "
    "encrypts whole chunks. Heartbeats are delayed too, so the connection may be closed as idle"
)
"""The warning for encrypted results that are not written to a file."""


def encryption_of(options: Mapping[str, Any], name: str) -> list[str]:
    """Return `encrypt_to` or `identity` from keyword arguments; empty if it is missing.

    Raises:
        ConfigurationError: it is given but empty, probably by mistake; the stream would not be encrypted.
    """
    given = options.get(name)
    if given is None:
        return []
    values = [os.fspath(value) for value in ([given] if isinstance(given, (str, os.PathLike)) else given)]
    if not values or not all(values):
        raise ConfigurationError(
            f"{name}: expected at least one value and no empty ones; omit it for an unencrypted stream"
        )
    return values


def check_hold(options: Mapping[str, Any]) -> None:
    """Check that encryption and `hold` are not combined.

    Args:
        options: keyword arguments; only `encrypt_to` and `hold` are read.

    Raises:
        ConfigurationError: both are given. The end of the job would wait until a piece is full.
    """
    if encryption_of(options, "encrypt_to") and options.get("hold"):
        raise ConfigurationError(
            "hold: cannot be combined with encrypt_to: age holds the last bytes back until the end, so "
            "the job would not arrive while transmit waits. Stop the worker to cancel such a job"
        )


@contextmanager
def encrypted(
    fd: int,
    recipients: Sequence[str],
    warn: Warn,
    *,
    results: bool = False,
    cancellation: Cancellation | None = None,
    liveness_seconds: float = DEFAULT_LIVENESS_SECONDS,
) -> Iterator[int]:
    """Yield the descriptor that a stage writes to.

    Args:
        fd: the link; not closed.
        recipients: as in `--encrypt-to`; none for a plain stream.
        warn: called with messages for the user.
        results: whether results may be read while the job runs.
        cancellation: after a request, pending data may still be written for DELIVERY_SECONDS.
        liveness_seconds: the reader counts as lost when it takes nothing for PATIENCE times as long; 0 for never.

    Raises:
        ConfigurationError: a recipient is not valid, or pyrage is missing.
        LinkError: the reader has exited, or reads nothing.
    """
    if not recipients:
        yield fd
        return
    from playstream.pipeline.io.age import encrypting  # noqa: PLC0415 - seldom asked for
    from playstream.pipeline.io.age_keys import read_recipients  # noqa: PLC0415

    keys = read_recipients(recipients, warn)
    if results and not stat.S_ISREG(os.fstat(fd).st_mode):
        warn(NOT_LIVE)
    with encrypting(fd, keys, cancellation, liveness_seconds) as writing_end:
        yield writing_end


@contextmanager
def decrypted(fd: int, identities: Sequence[str | os.PathLike[str]], warn: Warn) -> Iterator[int | InputLayer]:
    """Yield the link that a stage reads from.

    Args:
        fd: the link; not closed.
        identities: files, as in `--identity`; none for a plain stream.
        warn: called with messages for the user; from another thread too.

    Raises:
        ConfigurationError: a file has no usable key, or pyrage is missing.
    """
    if not identities:
        yield fd
        return
    from playstream.pipeline.io.age import decrypting  # noqa: PLC0415 - seldom asked for
    from playstream.pipeline.io.age_keys import read_identities  # noqa: PLC0415

    with decrypting(fd, read_identities(identities), warn) as source:
        yield source
