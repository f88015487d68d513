"""Optional encryption of a stage's links."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from playstream.pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from playstream.pipeline.io.stdio import InputLayer, OutputLayer

Warn = Callable[[str], object]
"""A function that is called with a message for the user."""


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


@contextmanager
def encrypted(fd: int, recipients: Sequence[str], warn: Warn) -> Iterator[tuple[int, OutputLayer | None]]:
    """Yield the descriptor that a stage writes to, and the layer that its bytes pass first, if there is one.

    A regular file becomes one age file, which age itself can decrypt: nobody waits for its end. Anything else gets the
    live form.

    Args:
        fd: the link; not closed.
        recipients: as in `--encrypt-to`; none for a plain stream.
        warn: called with messages for the user.

    Raises:
        ConfigurationError: a recipient is not valid, there are too many, or pyrage is missing.
        LinkError: the file cannot be written.
    """
    if not recipients:
        yield fd, None
        return
    from playstream.pipeline.io.age_keys import read_recipients  # noqa: PLC0415 - seldom asked for

    keys = read_recipients(recipients, warn)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        from playstream.pipeline.io.age import encrypting  # noqa: PLC0415

        with encrypting(fd, keys) as writing_end:
            yield writing_end, None
    else:
        from playstream.pipeline.io.age_batches import BatchWriter  # noqa: PLC0415

        yield fd, BatchWriter(keys)


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
