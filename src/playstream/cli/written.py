"""Writing what a command has made to standard output or to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from playstream.cli.output import STANDARD_OUTPUT
from playstream.pipeline.errors import JobError


def write_pieces(what: str, target: str | None, pieces: Iterable[str]) -> None:
    """Write text.

    Args:
        what: what it is, for the error, such as `the report`.
        target: a file, created for this user only; None or `-` for standard output.
        pieces: the text.

    Raises:
        JobError: the file cannot be written.
    """
    if target is None or target == STANDARD_OUTPUT:
        sys.stdout.writelines(pieces)
        return
    try:
        fd = os.open(os.path.expanduser(target), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.writelines(pieces)
    except OSError as error:
        raise JobError(f"{what} cannot be written to {target!r}: {error.strerror}") from None
