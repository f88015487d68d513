"""Keeping a stream in a file while a run is received: its bytes as they are read, or its records, encoded.

The file is private (0600). If it cannot be written any more, the capture ends there with a warning, and the run
continues.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ConfigurationError, LocalProtocolError, PlaystreamError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.io.stdio import Connection, InputLayer, has_input, read_some
from playstream.pipeline.protocol import (
    Event,
    Failure,
    FileData,
    FileEntry,
    Log,
    Noise,
    Record,
    Sender,
    Status,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from playstream.process import Processor, Result

_KEPT = (Status, Event, Failure, FileEntry, FileData, TreeEnd, Log)
"""Records of a run that a later receiver needs; the others concern the link."""


class KeptFile:
    """A file that takes a stream. Use it as a context, which closes it.

    Args:
        path: the file.
        name: the parameter that names it, for errors.
        force: whether to replace an existing file.
        warn: called with a message if the file cannot be written any more.

    Raises:
        ConfigurationError: it exists, is not a regular file, or cannot be created.
    """

    def __init__(self, path: Path, name: str, *, force: bool, warn: Callable[[str], object]) -> None:
        self._path = path
        self._warn = warn
        self._fd: int | None = _create(path, name, force=force)

    def __enter__(self) -> KeptFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Write data. After a failure do nothing."""
        view = memoryview(data)
        try:
            while view and self._fd is not None:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            self.end(f"{error.strerror}. {remedy(error)}")

    def end(self, why: str) -> None:
        """End the capture early, with a warning."""
        if self._fd is not None:
            self.close()
            self._warn(f"the capture {str(self._path)!r} is not complete: {why}. The run continues")

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


def _create(path: Path, name: str, *, force: bool) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | system.O_CLOEXEC | (0 if force else os.O_EXCL)
    shown = f"{name}: {str(path)!r}"
    try:
        fd = os.open(path, flags, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{shown} exists: expected a new file. Choose another name, or let it be replaced: --force (force=True in "
            "Python)"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{shown} cannot be created: {error.strerror}. {remedy(error)}") from None
    try:
        _make_private_and_empty(fd, shown)
    except OSError as error:
        os.close(fd)
        raise ConfigurationError(f"{shown} cannot be replaced: {error.strerror}. {remedy(error)}") from None
    except ConfigurationError:
        os.close(fd)
        raise
    return fd


def _make_private_and_empty(fd: int, shown: str) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise ConfigurationError(f"{shown} is not a regular file: expected one. For a pipe or a device, use tee(1)")
    system.fchmod(fd, 0o600)
    os.ftruncate(fd, 0)


class _Copied:
    """A link whose bytes are also written to a file when they are read."""

    def __init__(self, link: int | InputLayer, file: KeptFile) -> None:
        self._link = link
        self._file = file
        self._read_at = time.monotonic()

    def fileno(self) -> int:
        return self._link if isinstance(self._link, int) else self._link.fileno()

    @property
    def heard_at(self) -> float | None:
        return self._read_at if isinstance(self._link, int) else self._link.heard_at

    def has_data(self) -> bool:
        return has_input(self._link) if isinstance(self._link, int) else self._link.has_data()

    def read(self) -> bytes:
        data = read_some(self._link)
        self._read_at = time.monotonic()
        self._file.write(data)
        return data


@contextmanager
def copying(options: Mapping[str, Any], warn: Callable[[str], object]) -> Iterator[Callable[[Connection], Connection]]:
    """Yield a function that returns a connection whose bytes are also written to the file `tee` when they are read.

    Args:
        options: flags or keyword arguments; `tee`, `force` and `identity` are read. Without `tee` nothing is written.
        warn: called with messages for the user.

    Raises:
        ConfigurationError: the file cannot be created, or the stream is encrypted.
    """
    if options.get("tee") is None:
        yield lambda connection: connection
        return
    if options.get("identity"):
        raise ConfigurationError(
            "tee: cannot be combined with --identity, because the file would not be encrypted. Use tee(1) before this "
            "stage, which keeps the encrypted stream"
        )
    with KeptFile(Path(options["tee"]), "tee", force=bool(options.get("force")), warn=warn) as file:
        yield lambda connection: Connection(_Copied(connection.reader, file))


class RecordCapture:
    """Encodes the records of a run in the native dialect, and writes them to a file.

    Args:
        file: the file.
    """

    def __init__(self, file: KeptFile) -> None:
        self._file = file
        self._sender = Sender(Direction.RESULT)

    def take(self, record: Record | Noise) -> None:
        """Take the next record of the run."""
        if isinstance(record, _KEPT):
            self._write(lambda: self._sender.send(record, flush=False))

    def flush(self) -> None:
        """Write what was taken."""
        self._write(self._sender.flush)

    def end(self) -> None:
        """Write what was taken, and the end of the stream if the run has one."""
        self.flush()
        self._write(self._sender.end)

    def _write(self, encode: Callable[[], bytes]) -> None:
        try:
            data = encode()
        except LocalProtocolError:
            self._file.end("the run did not end as a stream does, so its end cannot be told")
        else:
            self._file.write(data)


class CapturedProcessor(Processor):
    """A Processor whose records are also captured, as they arrive.

    Args:
        capture: takes them.
        arguments: those of a Processor.
        options: those of a Processor.
    """

    def __init__(self, capture: RecordCapture, *arguments: Any, **options: Any) -> None:
        self._capture = capture
        super().__init__(*arguments, **options)

    def receive(self, record: Record | Noise) -> None:
        self._capture.take(record)
        super().receive(record)

    def flush(self) -> None:
        self._capture.flush()
        super().flush()

    def finish(self, error: PlaystreamError | None = None, *, interrupted: str | None = None) -> Result:
        self._capture.end()
        return super().finish(error, interrupted=interrupted)
