"""The runs whose artifacts are in a directory, as far as their files tell.

The files may come from a worker that is not trusted, be incomplete or damaged, or be in the making. Nothing is read
through a link, and what cannot be read is None.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playstream.pipeline.io import system
from playstream.pipeline.job.ident import EVENT_FILES, LATEST, MADE_LIST
from playstream.pipeline.protocol import StatusName
from playstream.process.event_data import STATS, data_of, text_of
from playstream.process.explanation import Explainer
from playstream.process.latest import read_latest
from playstream.process.store.runs import Counts
from playstream.process.store.values import as_time
from playstream.process.summary import Summary

_MARKS = (EVENT_FILES, "status", "stdout")
"""A directory that contains one of these is the directory of a run."""
_EVENT_FILE = re.compile(r"(\d{1,18})-.+\.json")
_FIRST, _LAST = 50, 200
"""How many events of a run are read, at its beginning and its end: the others add nothing but the place of failures
long before the end."""
_MAX_WORD = 64
_MAX_EVENT = 16 << 20
"""Maximum number of bytes of an event that are read."""
_STATUSES = frozenset(name.value for name in StatusName)


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run whose artifacts are kept. Times are in UTC; what the files do not tell is None."""

    ident: str
    """The run's name; '' if it has none."""
    status: str | None
    rc: int | None
    explanation: str | None
    playbook: str | None
    started: datetime | None
    ended: datetime | None
    duration: float | None
    """Seconds between the two."""
    events: int
    """Number of events."""
    hosts: int | None
    """Number of hosts."""
    counts: Counts | None
    artifact_dir: str


def list_directories(base: Path) -> list[tuple[int, Path]]:
    """Return the directories of runs below a directory, each with its time of change in nanoseconds.

    Links, files and other directories are left out, and so is what another run removes meanwhile.

    Args:
        base: the directory that contains them.

    Raises:
        OSError: it cannot be read.
    """
    names = set(os.listdir(base))
    found = []
    for path in map(base.joinpath, sorted(names - _made_in(base, names))):
        try:
            if not path.is_symlink() and is_run(path):
                found.append((path.stat().st_mtime_ns, path))
        except OSError:
            continue  # another run has removed it, or this user may not read it
    return found


def list_runs(base: Path) -> list[KeptRun]:
    """Return the runs in a directory of artifacts, the latest first.

    Args:
        base: the directory. It may also contain the artifacts of a run without a name.

    Raises:
        OSError: it cannot be read.
    """
    runs = [(changed, read_run(path, path.name)) for changed, path in list_directories(base)]
    if is_run(base):
        runs.append((base.stat().st_mtime_ns, read_run(base, None)))
    runs.sort(key=lambda pair: pair[0] / 1e9 if pair[1].started is None else pair[1].started.timestamp(), reverse=True)
    return [run for _, run in runs]


def find_runs(base: Path, name: str) -> dict[str, Path]:
    """Return the run with a name, that of the link `latest`, or those whose names start with it: names and directories.

    Args:
        base: the directory of artifacts. It may also contain those of a run without a name.
        name: the name, or its beginning.

    Raises:
        OSError: the directory cannot be read.
    """
    runs = {path.name: path for _, path in list_directories(base)}
    if is_run(base):
        runs.setdefault(read_run(base, None).ident, base)
    wanted = read_latest(base) if name == LATEST else name
    if wanted in runs:
        return {wanted: runs[wanted]}
    return {ident: path for ident, path in runs.items() if ident.startswith(name)}


def read_run(path: Path, ident: str | None) -> KeptRun:
    """Return what the files of a run tell.

    Args:
        path: the directory of its artifacts.
        ident: its name; None uses the name in its events.
    """
    with _opened(path) as directory, _opened(EVENT_FILES, directory) as event_files:
        status, rc = _read_word(directory, "status"), _read_word(directory, "rc")
        status = status if status in _STATUSES else None
        names = _event_names(event_files)
        shown = names if len(names) <= _FIRST + _LAST else [*names[:_FIRST], *names[-_LAST:]]
        events = list(_read_events(event_files, shown))
        code = int(rc) if rc is not None and re.fullmatch(r"\d{1,9}", rc) else None
        hosts = _hosts_in(events)
        times = [time for event in events if (time := _time_in(event)) is not None]
        started = times[0] if times else _changed(directory, "command")
        ended = None if status is None else times[-1] if times else _changed(directory, "status")
        return KeptRun(
            ident=next((text_of(event, "runner_ident") for event in events), "") if ident is None else ident,
            status=status,
            rc=code,
            explanation=_explain(events, status, code, hosts),
            playbook=next((name for event in events if (name := text_of(data_of(event), "playbook"))), None),
            started=started,
            ended=ended,
            duration=None if started is None or ended is None else (ended - started).total_seconds(),
            events=len(names),
            hosts=None if hosts is None else len(hosts),
            counts=None if hosts is None else _total(hosts),
            artifact_dir=str(path),
        )


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a run in their order; those that are damaged are left out.

    Args:
        path: the directory of its artifacts.
    """
    with _opened(path) as directory, _opened(EVENT_FILES, directory) as event_files:
        yield from _read_events(event_files, _event_names(event_files))


def read_event_texts(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Yield the numbers and the files of a run's events in their order; None for a file that cannot be read.

    Args:
        path: the directory of its artifacts.
    """
    with _opened(path) as directory, _opened(EVENT_FILES, directory) as event_files:
        for name in _event_names(event_files):
            yield int(name.partition("-")[0]), _read(event_files, name, _MAX_EVENT)


def read_artifact(path: Path, name: str, limit: int) -> bytes | None:
    """Return a file of a run's artifacts; None if it is not a file, cannot be read, or has more bytes than the limit.

    Args:
        path: the directory of the artifacts.
        name: the name of the file.
        limit: the maximum number of bytes.
    """
    with _opened(path) as directory:
        return _read(directory, name, limit)


def artifact_time(path: Path, name: str) -> datetime | None:
    """Return when a file of a run's artifacts was changed; None if that cannot be found out."""
    with _opened(path) as directory:
        return _changed(directory, name)


def is_run(path: Path) -> bool:
    """Return whether a directory is that of a run's artifacts."""
    return any((path / name).exists() for name in _MARKS)


def _made_in(base: Path, names: set[str]) -> frozenset[str]:
    """Return the names created by runs without an ident, which may look like runs."""
    if MADE_LIST not in names:
        return frozenset()
    from playstream.process.made_names import made_in  # noqa: PLC0415 - most directories have no such runs

    try:
        return made_in(base)
    except OSError:
        return frozenset()  # another run has removed it


@contextmanager
def _opened(path: Path | str, parent: int | None = None) -> Iterator[int | None]:
    """Open a directory, which for a name is in `parent`; None if it cannot be opened."""
    if parent is None and not isinstance(path, Path):
        yield None
        return
    try:
        fd = os.open(path, system.READ_FILE | system.O_DIRECTORY, dir_fd=parent)
    except OSError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _read(directory: int | None, name: str, limit: int) -> bytes | None:
    """Return the content of a file; None if it is not a file, cannot be read, or has more bytes than the limit."""
    if directory is None:
        return None
    try:
        fd = os.open(name, system.READ_FILE, dir_fd=directory)
    except OSError:
        return None
    try:
        data = _read_all(fd, limit + 1) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(fd)
    return None if data is None or len(data) > limit else data


def _read_all(fd: int, limit: int) -> bytes:
    with os.fdopen(fd, "rb", closefd=False) as file:
        return file.read(limit)


def _read_word(directory: int | None, name: str) -> str | None:
    data = _read(directory, name, _MAX_WORD)
    return None if data is None else data.decode(errors="replace").strip()


def _event_names(directory: int | None) -> list[str]:
    """Return the names of the events' files, in their order."""
    if directory is None:
        return []
    found = [(int(match[1]), name) for name in os.listdir(directory) if (match := _EVENT_FILE.fullmatch(name))]
    return [name for _, name in sorted(found)]


def _read_events(directory: int | None, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        data = _read(directory, name, _MAX_EVENT)
        try:
            event = json.loads(data or b"")
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _hosts_in(events: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]] | None:
    """Return Ansible's counts by host; None if its statistics are missing."""
    stats = next((event for event in reversed(events) if event.get("event") == STATS and data_of(event)), None)
    if stats is None:
        return None
    summary = Summary()
    summary.add(stats)
    return summary.counts


def _total(hosts: dict[str, dict[str, int]]) -> Counts:
    return Counts(**{field.name: sum(counts[field.name] for counts in hosts.values()) for field in fields(Counts)})


def _explain(
    events: Sequence[dict[str, Any]], status: str | None, rc: int | None, hosts: dict[str, dict[str, int]] | None
) -> str | None:
    if status != StatusName.FAILED and (status != StatusName.SUCCESSFUL or hosts):
        return None
    explainer = Explainer()
    for event in events:
        explainer.event(event)
    return explainer.explain(successful=status == StatusName.SUCCESSFUL, rc=rc)


def _time_in(event: dict[str, Any]) -> datetime | None:
    text = as_time(event.get("created"))
    return None if text is None else datetime.fromisoformat(text)


def _changed(directory: int | None, name: str) -> datetime | None:
    """Return when a file was changed."""
    if directory is None:
        return None
    try:
        seconds = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(seconds, UTC)
