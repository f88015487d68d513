"""What a report keeps of each result until the run has ended."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from playstream.pipeline.errors import JobError, remedy

_IN_MEMORY = 1 << 20
"""Bytes that are kept in memory; more are kept in a file without a name."""


class Spool:
    """Lines in the order in which they were added. Memory does not grow with their number."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+b")  # noqa: SIM115 - `close` does
        self._failure: OSError | None = None
        self.size = 0
        """Bytes so far, which is where the next line begins."""

    def add(self, line: bytes) -> None:
        """Keep a line, which ends with a line end and has no other. `lines` reports a failure."""
        try:
            if self._failure is None:
                self._file.write(line)
        except OSError as error:
            self._failure = error
        self.size += len(line)

    def lines(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield lines.

        Args:
            start: where the first of them begins.
            end: where the last of them ends; None for the last that was added.

        Raises:
            JobError: when iterating: a line could not be stored, or cannot be read.
        """
        end = self.size if end is None else end
        try:
            if self._failure is not None:
                raise self._failure
            self._file.seek(start)
            while start < end:
                line = self._file.readline()
                start += len(line)
                yield line
        except OSError as error:
            raise JobError(
                f"the results for the report cannot be stored in {tempfile.gettempdir()!r}: {error.strerror}. "
                f"{remedy(error)}, or set TMPDIR"
            ) from None

    def close(self) -> None:
        """Discard everything."""
        self._file.close()
