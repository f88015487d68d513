"""The events of a run, read from its artifacts during the run and afterwards."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import JobError

_EVENT_FILE = re.compile(r"(\d+)-.+\.json")


class EventLog:
    """Names of the kept events, in order; readers wait for more without polling."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._changed = threading.Condition()
        self._writer: int | None = None
        self.begun = False
        """True if the run has begun, or is about to."""
        self.ended = False
        """True if there will be no more events."""

    def begin(self) -> None:
        """Make readers wait for events."""
        self.begun = True

    def write_from_here(self) -> None:
        """Mark this thread as the writer: a reader in it, such as an event handler, must not wait for more events."""
        self._writer = threading.get_ident()

    def add(self, name: str) -> None:
        """Add an event that has been written to its file."""
        with self._changed:
            self._names.append(name)
            self._changed.notify_all()

    def end(self) -> None:
        """Mark the log as complete."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def read(self, artifact_dir: Path) -> Generator[dict[str, Any], None, None]:
        """Yield every event; during the run, yield each as soon as it is available.

        Before the run begins, yield the events of an earlier run in the same directory.

        Raises:
            JobError: the file of an event was removed or damaged.
        """
        directory = artifact_dir / "job_events"
        if not self.begun:
            yield from (_read_event(directory / name) for name in _list_events(directory))
            return
        position = 0
        while True:
            with self._changed:
                while position == len(self._names) and self._may_wait():
                    self._changed.wait()
                names = self._names[position:]
            if not names:
                return
            position += len(names)
            for name in names:
                yield _read_event(directory / name)

    def _may_wait(self) -> bool:
        return not self.ended and threading.get_ident() != self._writer


class Events(Iterator[dict[str, Any]]):
    """Reads the events of a run, each once, and says how far it has come.

    Args:
        events: the events.
        run: returns the name of the run.
    """

    def __init__(self, events: Generator[dict[str, Any], None, None], run: Callable[[], str]) -> None:
        self._events = events
        self._run = run
        self._read = 0

    def __next__(self) -> dict[str, Any]:
        event = next(self._events)
        self._read += 1
        return event

    def __repr__(self) -> str:
        return f"<Events of run {self._run()}: {self._read} read>"

    def close(self) -> None:
        """Stop reading, like a generator."""
        self._events.close()


def _read_event(path: Path) -> dict[str, Any]:
    try:
        event = json.loads(path.read_bytes())
    except OSError as error:
        raise JobError(
            f"event {path.name} of this run cannot be read: {error.strerror}. The artifacts in {str(path.parent)!r} "
            "were changed or removed, perhaps by another run with the same ident or by rotate_artifacts"
        ) from None
    except (ValueError, RecursionError) as error:
        raise JobError(f"event file {str(path)!r} is damaged: invalid JSON: {error}") from None
    if not isinstance(event, dict):
        raise JobError(f"event file {str(path)!r} is damaged: expected an object, got {type(event).__name__}")
    return event


def _list_events(directory: Path) -> list[str]:
    """Return the file names of the events of an earlier run, in order."""
    if not directory.is_dir():
        return []
    names = list(filter(_EVENT_FILE.fullmatch, os.listdir(directory)))
    names.sort(key=lambda name: int(name.partition("-")[0]))
    return names
