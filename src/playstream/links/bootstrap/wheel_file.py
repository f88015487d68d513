"""Wheels as files: what can be read of them, within limits, and what is refused."""

from __future__ import annotations

import email
import re
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import Path

from playstream.pipeline.errors import BootstrapError

_LARGEST = 1 << 27
"""Bytes of the largest file in a wheel; it is held in memory."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class WheelFile:
    """An open wheel.

    Args:
        path: the wheel.
        opened: closes it, when it is not needed any more.

    Raises:
        BootstrapError: it is not a wheel.
    """

    def __init__(self, path: Path, opened: ExitStack) -> None:
        self._path = path
        try:
            self._zip = opened.enter_context(zipfile.ZipFile(path))
        except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
            raise self.damaged(f"it cannot be read: {error}") from None

    @property
    def names(self) -> list[str]:
        """The names of all entries."""
        return self._zip.namelist()

    def read(self, name: str, size: int | None = None) -> bytes:
        """Return the content of a file.

        Args:
            name: its name.
            size: the size that it must have; None if that is not known.

        Raises:
            BootstrapError: it cannot be read, is too large, or has another size.
        """
        try:
            entry = self._zip.getinfo(name)
        except KeyError:
            raise self.damaged(f"{name!r} cannot be read: there is no such file in it") from None
        if size is not None and entry.file_size != size:
            raise self.damaged(f"{name!r} has {entry.file_size} bytes, and its RECORD names {size}")
        if entry.file_size > _LARGEST:
            raise self.damaged(f"{name!r} has {entry.file_size} bytes, and at most {_LARGEST} are accepted")
        if entry.compress_type not in _METHODS:
            raise self.damaged(f"{name!r} is compressed in a way that wheels do not use")
        try:
            with self._zip.open(entry) as file:
                return file.read(entry.file_size + 1)
        except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise self.damaged(f"{name!r} cannot be read: {error}") from None

    def damaged(self, why: str) -> BootstrapError:
        """Return the error for a wheel that cannot be used."""
        return BootstrapError(
            f"the wheel {str(self._path)!r} is damaged: {why}. Remove it, so that it is fetched again"
        )


def refuse_direct_references(path: Path) -> None:
    """Check that a wheel names no place, such as an address, where pip should get what the wheel needs.

    Raises:
        BootstrapError: it names one, or cannot be read.
    """
    with ExitStack() as opened:
        wheel = WheelFile(path, opened)
        for name in wheel.names:
            if not re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
                continue
            about = email.message_from_string(wheel.read(name).decode(errors="replace"))
            for requirement in map(str, about.get_all("Requires-Dist", [])):
                if "@" in requirement:
                    raise BootstrapError(
                        f"wheels: {str(path)!r} needs {requirement!r}, which names the place to get it from, and only "
                        f"wheels in {str(path.parent)!r} are used. Remove that wheel, or use a version of it that "
                        "names no place"
                    )
