"""Files that people take for captures, told apart by their first bytes."""

from __future__ import annotations

from playstream.pipeline.errors import RemoteProtocolError

_KINDS = {
    b"\x1f\x8b": "a file compressed by gzip: decompress it with gunzip",
    b"\x28\xb5\x2f\xfd": "a file compressed by zstd: decompress it with unzstd",
    b"\xfd7zXZ\0": "a file compressed by xz: decompress it with unxz",
    b"BZh": "a file compressed by bzip2: decompress it with bunzip2",
    b"PK\x03\x04": "a zip archive: unpack it with unzip",
    b"SQLite format 3\0": "an SQLite database: a run in a store is named by its name, and the store by --store",
}
"""By the beginning of such a file, what it is and what to do."""


def check_foreign(head: bytes) -> None:
    """Check that a file is none of these.

    Args:
        head: the beginning of the file.

    Raises:
        RemoteProtocolError: it is one of them.
    """
    for beginning, kind in _KINDS.items():
        if head.startswith(beginning):
            raise RemoteProtocolError(f"expected a capture or a recording, got {kind}")
