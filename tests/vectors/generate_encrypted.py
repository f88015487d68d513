"""Writes the encrypted vectors that are not there yet: python tests/vectors/generate_encrypted.py

As in generate.py, a file that exists is never written again. README.md describes the files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyrage

from playstream.pipeline.io.age_batches import BatchWriter
from playstream.pipeline.protocol import FrameReader
from playstream.pipeline.protocol.frames import PREAMBLE_SIZE

FOLDER = Path(__file__).parent / "encrypted-1"
CONTENT = (Path(__file__).parent / "native-1" / "result.bin").read_bytes()


def flushes() -> list[bytes]:
    """The preamble and each frame of CONTENT, as a stage writes them."""
    reader = FrameReader(show=False)
    found: list[bytes] = []
    start = 0
    for end in range(PREAMBLE_SIZE, len(CONTENT) + 1):
        reader.receive_data(CONTENT[end - 1 : end] if found else CONTENT[:end])
        if not found or reader.next() is not None:
            found.append(CONTENT[start:end])
            start = end
    return found


def identity() -> bytes:
    """A key for these vectors alone."""
    key = pyrage.x25519.Identity.generate()
    return f"# public key: {key.to_public()}\n{key}\n".encode()


def recipient() -> pyrage.x25519.Recipient:
    """The public key of the identity."""
    return pyrage.x25519.Identity.from_str((FOLDER / "identity").read_text().split()[-1]).to_public()


def live() -> bytes:
    """One batch for each flush, and an empty last one."""
    writer = BatchWriter([recipient()])
    batches = [b"".join(writer.wrap([data], flush=True)) for data in flushes()]
    return b"".join([*batches, *writer.wrap([], flush=True, last=True)])


VECTORS: dict[str, Callable[[], bytes]] = {
    "identity": identity,
    "file.age": lambda: pyrage.encrypt(CONTENT, [recipient()]),
    "live.bin": live,
}


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in VECTORS.items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_bytes(make())
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
