"""Streams given to our stages in this process."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.protocol import LogLevel, Status
from playstream.process import Observer, Result
from playstream.process.receiving import process
from playstream.worker import WorkerOptions
from playstream.worker.serving import work


@dataclass
class Watcher(Observer):
    """Notes what it is told."""

    logs: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def show(self, text: str) -> None:
        self.shown.append(text)

    def log(self, level: LogLevel, message: str) -> None:
        self.logs.append(f"{level.value}: {message}")

    def status(self, status: Status) -> None:
        self.statuses.append(status.status.value)


def process_stream(data: bytes, artifacts: Path) -> tuple[Result, Watcher]:
    """Give the bytes to the process stage."""
    watcher = Watcher()
    with _reading(data) as fd:
        return process(Connection(fd), artifacts, watcher), watcher


def kept_events(artifacts: Path) -> list[dict[str, Any]]:
    """The events in an artifact directory, in their order."""
    found = [json.loads(path.read_text()) for path in (artifacts / "job_events").iterdir()]
    return sorted(found, key=lambda event: int(event["counter"]))


def serve_stream(data: bytes, directory: Path) -> tuple[bytes, PlaystreamError | None]:
    """Give the bytes to the worker stage.

    Returns:
        What it sent, and the error that it ended with.
    """
    error = None
    with _reading(data) as fd, tempfile.TemporaryFile() as output:
        try:
            work(Connection(fd, output.fileno()), options=WorkerOptions(directory, keepalive_seconds=0))
        except PlaystreamError as caught:
            error = caught
        output.seek(0)
        return output.read(), error


@contextmanager
def _reading(data: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        yield file.fileno()
