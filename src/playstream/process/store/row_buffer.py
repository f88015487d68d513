"""Rows that wait to be written: a few in memory, more in a file without a name."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from playstream.pipeline.errors import StoreError, remedy

IN_MEMORY = 8 << 20
"""Number of characters of rows' texts that are kept in memory."""
_ROW_OVERHEAD = 300
"""The cost of a row in addition to its text."""

Row = tuple[Any, ...]
"""A row, of values that JSON can represent."""


class RowBuffer:
    """Keeps rows in their order.

    Args:
        in_memory: number of characters that are kept in memory.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._rows: list[Row] = []
        self._size = 0
        self._file: IO[str] | None = None
        self._failure: OSError | None = None
        self.count = 0
        """Number of rows."""

    def add(self, row: Row, size: int) -> None:
        """Add a row whose texts have `size` characters. `__iter__` reports a full disk, so that the run continues."""
        self._rows.append(row)
        self.count += 1
        self._size += size + _ROW_OVERHEAD
        if self._size > self._in_memory:
            self._spill()

    def _spill(self) -> None:
        try:
            if self._failure is None:
                if self._file is None:
                    self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - `close` does
                self._file.writelines(json.dumps(row) + "\n" for row in self._rows)
        except OSError as error:
            self._failure = error
        self._rows.clear()
        self._size = 0

    def __iter__(self) -> Iterator[Row]:
        """Iterate over the rows, any number of times.

        Raises:
            StoreError: the file could not be written or read.
        """
        try:
            if self._failure is not None:
                raise self._failure
            if self._file is not None:
                self._file.seek(0)
                for line in self._file:
                    yield tuple(json.loads(line))
                self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise StoreError(
                f"the run's results cannot be buffered in {tempfile.gettempdir()!r} for the store: {error.strerror}. "
                f"{remedy(error)}, or set TMPDIR; nothing was written to the store"
            ) from None
        yield from self._rows

    def close(self) -> None:
        """Release the rows."""
        self._rows.clear()
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                pass  # data that could not be written is not needed any more
