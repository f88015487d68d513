"""Hashes of the bytes of an object: a file's content, or the listing of a directory.

An object is named by its hash, and whoever receives it computes the hash again. Two hosts therefore use the same
algorithm, and one of them may lack the optional package `blake3`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache

DIGEST_SIZE = 32
"""Size of every hash, in bytes."""
DEFAULT_ALGORITHM = "blake2b"
"""The algorithm that every host has."""
_TREE_NAME = re.compile(r"([a-z][a-z0-9]{0,15}):([0-9a-f]{64})")


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


def name_tree(algorithm: str, root: bytes) -> str:
    """Return the name of a tree for people and files: the hash function and the hash of its root, `blake2b:12ab…`."""
    return f"{algorithm}:{root.hex()}"


def read_tree_name(text: str) -> tuple[str, bytes] | None:
    """Return the hash function and the hash of the root that the name of a tree has; None if it is none."""
    found = _TREE_NAME.fullmatch(text)
    return None if found is None else (found[1], bytes.fromhex(found[2]))


@cache
def _functions() -> dict[str, Callable[[bytes], bytes]]:
    functions: dict[str, Callable[[bytes], bytes]] = {DEFAULT_ALGORITHM: _blake2b}
    try:
        from blake3 import blake3  # noqa: PLC0415 - an extra
    except ImportError:
        return functions

    def hash_by_blake3(data: bytes) -> bytes:
        return bytes(blake3(data).digest())

    return {"blake3": hash_by_blake3, **functions}


def _blake2b(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE).digest()
