"""Hashes of the bytes of an object: a file's content, or the listing of a directory.

An object is named by its hash, and whoever receives it computes the hash again. Two hosts therefore use the same
algorithm, and one of them may lack the optional package `blake3`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache

DIGEST_SIZE = 32
"""Size of every hash, in bytes."""


def digest(data: bytes, algorithm: str) -> bytes:
    """Return the hash of an object.

    Args:
        data: its bytes.
        algorithm: one of `algorithms()`.

    Returns:
        DIGEST_SIZE bytes.

    Raises:
        ValueError: this host does not have the algorithm.
    """
    try:
        function = _functions()[algorithm]
    except KeyError:
        raise ValueError(f"expected {' or '.join(algorithms())}, got the algorithm {algorithm!r}") from None
    return function(data)


def algorithms() -> tuple[str, ...]:
    """Return the names of the algorithms that this host has, the preferred one first."""
    return tuple(_functions())


@cache
def _functions() -> dict[str, Callable[[bytes], bytes]]:
    functions: dict[str, Callable[[bytes], bytes]] = {"blake2b": _blake2b}
    try:
        from blake3 import blake3  # noqa: PLC0415 - an extra
    except ImportError:
        return functions

    def hash_by_blake3(data: bytes) -> bytes:
        return bytes(blake3(data).digest())

    return {"blake3": hash_by_blake3, **functions}


def _blake2b(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE).digest()
