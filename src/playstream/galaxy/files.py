"""Reading files for digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def hash_file(path: str | os.PathLike[str]) -> bytes:
    """Return the SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
