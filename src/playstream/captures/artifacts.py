"""The artifacts of a run as the records of its results.

They may be those of a worker that is not trusted, and be damaged: nothing is read through a link.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ConfigurationError, IncompleteStream, RemoteProtocolError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.job.ident import ARTIFACTS, EVENT_FILES
from playstream.pipeline.protocol import Event, Record, Status, StatusName
from playstream.process.kept_runs import artifact_time, is_run, list_directories, read_artifact, read_event_texts

_MAX_COMMAND = 4 << 20
_MAX_WORD = 64
_LISTED = 8
"""How many names a message lists."""


def find_artifacts(path: Path) -> Path:
    """Return the directory of the artifacts of a run.

    Args:
        path: the directory itself, or a directory of artifacts or a private data directory with a single run.

    Raises:
        ConfigurationError: there is no run, or there are several; the message lists them.
    """
    path = path.resolve()  # the user may name the link `latest`
    base = path / ARTIFACTS if not is_run(path) and (path / ARTIFACTS).is_dir() else path
    if is_run(base):
        return base
    try:
        found = sorted(str(directory) for _, directory in list_directories(base))
    except OSError as error:
        raise ConfigurationError(f"{str(base)!r} cannot be read: {error.strerror}. {remedy(error)}") from None
    if not found:
        raise ConfigurationError(f"{str(path)!r} has no run: expected a directory with the artifacts of one")
    if len(found) > 1:
        more = " and others" if len(found) > _LISTED else ""
        raise ConfigurationError(f"{str(path)!r} has several runs: pass one of {', '.join(found[:_LISTED])}{more}")
    return Path(found[0])


def artifact_records(path: Path) -> Iterator[Record]:
    """Yield the statuses and the events of a run whose artifacts are in a directory.

    Args:
        path: the directory.

    Raises:
        ConfigurationError: when iterating: the directory of the events cannot be read.
        RemoteProtocolError: when iterating: a file is damaged.
        IncompleteStream: when iterating, at the end: the run has not ended.
    """
    command = _read_command(path)
    if command is not None:
        yield command
    yield Status(StatusName.RUNNING, _time(path, "command"))
    _check_events(path)
    for counter, text in read_event_texts(path):
        if text is None:
            raise RemoteProtocolError(
                f"event {counter} in {str(path)!r} cannot be read: its file is damaged, too large, or of another user"
            )
        yield Event(counter, text)
    word = _read_word(path, "status")
    try:
        status = StatusName.UNSTARTED if word is None else StatusName(word)
    except ValueError:
        raise RemoteProtocolError(f"the file status in {str(path)!r} should contain a status, got {word!r}") from None
    if not status.terminal:
        raise IncompleteStream(
            f"{str(path)!r} does not say how the run has ended: it is active, or what wrote the artifacts was killed"
        )
    yield Status(status, _time(path, "status"), rc=_read_rc(path))


def _check_events(path: Path) -> None:
    """Check that the events can be read; a run may have none.

    Raises:
        ConfigurationError: they cannot.
    """
    try:
        os.close(os.open(path / EVENT_FILES, system.READ_DIRECTORY))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigurationError(
            f"the events in {str(path / EVENT_FILES)!r} cannot be read: {error.strerror}. Expected a directory of this "
            "user, and not a link to one"
        ) from None


def _read_command(path: Path) -> Status | None:
    """Return the status `starting` of the run; None if how it was started is not known."""
    data = read_artifact(path, "command", _MAX_COMMAND)
    try:
        values = json.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    command, env, cwd = (_field(values, name) for name in ("command", "env", "cwd"))
    if not _is_list_of_text(command) or not isinstance(env, dict) or not _is_list_of_text(list(env.values())):
        return None
    return Status(
        StatusName.STARTING,
        _time(path, "command"),
        command=tuple(command),
        env=env,
        cwd=cwd if type(cwd) is str else "",
    )


def _field(values: Any, name: str) -> Any:
    return values.get(name) if isinstance(values, dict) else None


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _read_word(path: Path, name: str) -> str | None:
    data = read_artifact(path, name, _MAX_WORD)
    return None if data is None else data.decode(errors="replace").strip()


def _read_rc(path: Path) -> int | None:
    word = _read_word(path, "rc")
    return int(word) if word is not None and re.fullmatch(r"-?\d{1,9}", word) else None


def _time(path: Path, name: str) -> str:
    """Return when a file was written, which is about when the run had the status."""
    return (artifact_time(path, name) or datetime.now(UTC)).isoformat()
