"""What is sent to a host: files with their digests, and a manifest that lists them."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from playstream.pipeline.errors import BootstrapError

_LEVEL = 4
"""Higher ones take longer than they save on most networks."""
_PIECE = 1 << 16
_MAIN = b"""\
import sys

from playstream.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
"""
_NAME_SIZE = 32
"""Characters of a digest that are a directory's name; a longer one makes paths too long for a script's first line."""
LIBRARY = "lib"
"""The directory in which Python finds what is sent."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file or a link that is sent."""

    path: str
    """Its path in the directory there."""
    kind: str
    """`file`, `program` or `link`."""
    size: int
    value: str
    """The SHA-256 of a file, or the target of a link."""
    read: Callable[[], bytes]
    """Returns the content."""


def make_item(path: str, content: bytes, kind: str = "file") -> Item:
    """Return a file that is in memory."""
    return Item(path, kind, len(content), hashlib.sha256(content).hexdigest(), lambda: content)


def make_link(path: str, target: str) -> Item:
    """Return a link."""
    return Item(path, "link", 0, target, lambda: b"")


class Parcel:
    """Everything that a host gets.

    Args:
        items: the files and links, in any order.
        name: the name of the directory; None for the beginning of its digest.

    Raises:
        BootstrapError: two different ones have the same path.
    """

    def __init__(self, items: Iterable[Item], name: str | None = None) -> None:
        found: dict[str, Item] = {}
        for item in items:
            known = found.setdefault(item.path, item)
            if (known.kind, known.size, known.value) != (item.kind, item.size, item.value):
                raise BootstrapError(
                    f"two wheels have different files {item.path!r}: they cannot be installed together"
                )
        self._items = [found[path] for path in sorted(found)]
        listed = [[item.path, item.kind, item.size, item.value] for item in self._items]
        self.manifest = json.dumps(listed, ensure_ascii=True, separators=(",", ":")).encode()
        """The list of all files, with their digests."""
        self.digest = hashlib.sha256(self.manifest).hexdigest()
        """The digest of the manifest, and so of everything."""
        self.name = name or self.digest[:_NAME_SIZE]
        """The name of the directory there."""

    @property
    def identity(self) -> dict[str, str]:
        """What a request says about it."""
        return {"name": self.name, "digest": self.digest}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(item.size for item in self._items)

    def pieces(self) -> Iterator[bytes]:
        """Yield the content of all files, compressed, each piece after its length.

        Raises:
            BootstrapError: a file has changed since its digest was determined.
        """
        deflater = zlib.compressobj(_LEVEL)
        for item in self._items:
            if item.kind == "link":
                continue
            content = item.read()
            if len(content) != item.size or hashlib.sha256(content).hexdigest() != item.value:
                raise BootstrapError(f"{item.path!r} has changed while it was being sent. Try again")
            for start in range(0, len(content), _PIECE):
                yield from _framed(deflater.compress(content[start : start + _PIECE]))
        yield from _framed(deflater.flush())
        yield bytes(4)


def _framed(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        yield len(piece).to_bytes(4, "big") + piece


def own_items() -> Iterator[Item]:
    """Yield playstream itself, from the package that runs; it may be in a zip."""
    yield make_item(f"{LIBRARY}/__main__.py", _MAIN)
    yield from _package_items(files("playstream"), f"{LIBRARY}/playstream")


def _package_items(directory: Traversable, path: str) -> Iterator[Item]:
    for entry in directory.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _package_items(entry, f"{path}/{entry.name}")
        elif not entry.name.endswith((".pyc", ".pyo", "~")):
            yield make_item(f"{path}/{entry.name}", entry.read_bytes())


def is_safe(path: str) -> bool:
    """Return whether a path stays inside its directory and can be shown."""
    parts = path.split("/")
    return path.isprintable() and not os.path.isabs(path) and not {"", ".", ".."} & set(parts) and "\\" not in path
