"""The artifacts of one run: a private directory, written relative to its handle.

The layout is ansible-runner's: job_events/<counter>-<uuid>.json, stdout, stderr, rc, status, command, fact_cache/.
Files that come as a tree are unpacked beside and moved into place, so that a stream that breaks off damages nothing
that was there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from playstream.pipeline.errors import ConfigurationError, JobError, PlaystreamError, RemoteProtocolError, UnsafePath
from playstream.pipeline.ident import EVENT_FILES, FACT_CACHE, KNOWN_DIRECTORIES, KNOWN_NAMES, MADE_LIST, OUTPUTS
from playstream.pipeline.json_text import dump_json
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.locks import try_lock
from playstream.pipeline.owned import close_owned, own_descriptor
from playstream.pipeline.protocol import FileData, FileEntry, TreeEnd
from playstream.pipeline.tree.directories import (
    make_directory,
    make_private,
    mode_of,
    names_to_take,
    put,
    remove,
)
from playstream.pipeline.tree.paths import MAX_NAME
from playstream.pipeline.tree.unpack import Unpacker
from playstream.process.event_files import EventFiles
from playstream.process.event_writer import CREATE
from playstream.process.events import came_twice

if TYPE_CHECKING:
    from playstream.process.made_names import MadeNames

_INCOMING = ".incoming"
"""The directory that a tree is unpacked into, until it is complete and moved into place."""
_STDOUT_BUFFER = 1 << 16


@dataclass(frozen=True, slots=True)
class _Files:
    """What is open while a run is written."""

    events: EventFiles
    stdout: TextIO


class ArtifactDir:
    """Writes the artifacts of one run. From `begin` on they take the place of an earlier run's in the same directory.

    A lock on the directory (flock) is held until `close`.

    Args:
        path: the directory; made if it is missing.
        among_runs: it is not this run's own: those of other runs may be in it, whose names the worker may not take.
        keep_stdout: False for no artifact `stdout`.
        own_stdout: True if what is appended here is `stdout`, and not the worker's file.
        follow_links: links in the place of `stdout` and `stderr` stay, and what they lead to is written.
        write_behind: see EventFiles.
        at_once: begin now.
        limits: what the worker's tree may cost.

    Raises:
        ConfigurationError: another run is writing there.
        JobError: the directory cannot be made or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        among_runs: bool = False,
        keep_stdout: bool = True,
        own_stdout: bool = False,
        follow_links: bool = False,
        write_behind: bool = False,
        at_once: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.path = path
        self._limits = limits
        self._among_runs = among_runs
        self._made: MadeNames | None = None
        """What such runs have made, once it was asked for."""
        self._keep_stdout = keep_stdout
        self._write_behind = write_behind
        self._not_taken = {EVENT_FILES, "command", *(["stdout"] if own_stdout else [])}
        """Names in the worker's tree that are passed over."""
        self._links = {name for name in OUTPUTS if follow_links and (path / name).is_symlink()}
        self._unpacker: Unpacker | None = None
        self._files: _Files | None = None
        self._tree_waits = False
        """Whether a tree is complete and not yet in its place."""
        with ExitStack() as handles:
            try:
                if not among_runs and os.path.lexists(path.parent / MADE_LIST):
                    _make_way(path)
                make_private(path)
                self._root = own_descriptor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                handles.callback(close_owned, self._root)
                self._claim()
                remove(self._root, _INCOMING)  # of a process that was killed
                self._holds_earlier = any(mode_of(self._root, name) is not None for name in KNOWN_NAMES)
            except OSError as error:
                raise self._trouble(error) from None
            self._handles = handles
            if at_once:
                self.begin()
            self._handles = handles.pop_all()

    @property
    def spared(self) -> bool:
        """True while what is there is an earlier run's: this one has not begun."""
        return self._files is None and self._holds_earlier

    def _trouble(self, error: OSError) -> JobError:
        return JobError(
            f"the artifacts cannot be written to {str(self.path)!r}: {error.strerror}. Free space there, or see its "
            "owner and mode"
        )

    def _event_trouble(self, error: OSError) -> PlaystreamError:
        return came_twice(error.filename) if isinstance(error, FileExistsError) else self._trouble(error)

    def _claim(self) -> None:
        if not try_lock(self._root):
            raise ConfigurationError(
                f"another run is writing its artifacts to {str(self.path)!r}; give this one an ident of its own"
            )

    def begin(self) -> None:
        """Remove what an earlier run has left, and open this one's files; whatever is kept first does so too.

        Raises:
            JobError: it cannot be removed, or they cannot be made.
        """
        self._begun()

    def _begun(self) -> _Files:
        """The files, open; the run begins if it has not."""
        if self._files is None:
            try:
                self._files = self._open()
                if self._tree_waits:
                    self._place_tree()
            except OSError as error:
                raise self._trouble(error) from None
        return self._files

    def _open(self) -> _Files:
        for name in sorted(KNOWN_NAMES - self._links):
            remove(self._root, name)
        events = self._handles.enter_context(closing(EventFiles(self._root, write_behind=self._write_behind)))
        fd = own_descriptor(self._open_stdout() if self._keep_stdout else os.open(os.devnull, 1))
        self._handles.callback(close_owned, fd)
        stdout = os.fdopen(fd, "w", _STDOUT_BUFFER, "utf-8", "replace", "", closefd=False)
        return _Files(events, self._handles.enter_context(stdout))

    def _open_stdout(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC if "stdout" in self._links else CREATE
        return os.open("stdout", flags, 0o600, dir_fd=self._root)

    def write_event(self, name: str, json_text: bytes) -> None:
        """Keep one event in the file `name`, a plain word.

        Raises:
            RemoteProtocolError: it is there already.
            JobError: it cannot be written.
        """
        try:
            self._begun().events.write(name, json_text)
        except OSError as error:
            raise self._event_trouble(error) from None

    def finish_events(self) -> None:
        """See to it that all events are in their files. Raises as `write_event` does."""
        if self._files is None:
            return
        try:
            self._files.events.finish()
        except OSError as error:
            raise self._event_trouble(error) from None

    def keep_own_stdout(self) -> None:
        """From here on, what is appended is `stdout`, and not the worker's file."""
        self._not_taken.add("stdout")

    def append_stdout(self, text: str) -> None:
        """Keep lines of output as they come; the worker's own copy takes their place at the end.

        Raises:
            JobError: it cannot be written.
        """
        try:
            self._begun().stdout.write(f"{text}\r\n")
        except OSError as error:
            raise self._trouble(error) from None

    def flush(self) -> None:
        """Write out what is buffered of the output and the events. Raises as `write_event` does."""
        if self._files is None:
            return
        try:
            self._files.events.flush()
        except OSError as error:
            raise self._event_trouble(error) from None
        try:
            self._files.stdout.flush()
        except OSError as error:
            raise self._trouble(error) from None

    def write_command(self, command: Sequence[str], cwd: str, env: Mapping[str, str]) -> None:
        """Keep what was run, as JSON.

        Raises:
            JobError: it cannot be written.
        """
        self.begin()
        self._replace("command", dump_json({"command": list(command), "cwd": cwd, "env": dict(env)}).encode())

    def write_outcome(self, status: str, rc: int | None) -> None:
        """Keep how the run ended; there is no `rc` when it is not known, whatever the worker's tree says.

        Of a run that has not begun it is kept where there is no earlier one.

        Raises:
            JobError: it cannot be written.
        """
        if self.spared:
            return
        self.begin()
        self._replace("status", status.encode())
        self._replace("rc", None if rc is None else str(rc).encode())

    def _replace(self, name: str, data: bytes | None) -> None:
        """Put a new file in the place of what is there; None for no file."""
        try:
            remove(self._root, name)
            if data is None:
                return
            with os.fdopen(os.open(name, CREATE, 0o600, dir_fd=self._root), "wb") as file:
                file.write(data)
        except OSError as error:
            raise self._trouble(error) from None

    def receive(self, record: FileEntry | FileData | TreeEnd) -> None:
        """Take a record of the worker's artifact tree.

        Raises:
            UnsafePath: an entry would leave the directory, or has a name that is not the run's.
            RemoteProtocolError: the tree is not well formed.
            JobError: it cannot be written.
        """
        if self._unpacker is None:
            self.flush()
            try:
                os.close(make_directory(self._root, _INCOMING))
            except OSError as error:
                raise self._trouble(error) from None
            self._unpacker = Unpacker(self.path / _INCOMING, trusted=False, limits=self._limits)
        if isinstance(record, FileEntry):
            _check_name(record.path)
            if self._among_runs:
                self._check_among_runs(record.path)
        self._unpacker.receive(record)
        if isinstance(record, TreeEnd):
            self._finish_tree()

    def _check_among_runs(self, path: bytes) -> None:
        """Refuse an entry directly in the directory that may not have its name there. Others are the unpacker's."""
        name = os.fsdecode(path)
        if not name or "/" in name or "\0" in name or name in KNOWN_NAMES or len(path) > MAX_NAME:
            return
        try:
            self._names_made().expect(name)
        except OSError as error:
            raise self._trouble(error) from None

    def _names_made(self) -> MadeNames:
        if self._made is None:
            from playstream.process.made_names import MadeNames  # noqa: PLC0415 - most trees have known names only

            self._made = MadeNames(self._root)
        return self._made

    def _finish_tree(self) -> None:
        """Check a tree that is complete, and put it into place when the run has begun."""
        if self._unpacker is not None:
            self._unpacker.close()
            self._unpacker = None
        try:
            with self._incoming() as incoming:
                _check_types(incoming)
                if mode_of(incoming, FACT_CACHE) is not None:
                    _simplify_facts(self.path / _INCOMING / FACT_CACHE)
            self._tree_waits = True
            if self._files is not None:
                self._place_tree()
        except OSError as error:
            raise self._trouble(error) from None

    def _place_tree(self) -> None:
        """Put a complete tree in the place of what is there."""
        with self._incoming() as incoming:
            self._move_all(incoming, replace=True)
        remove(self._root, _INCOMING)
        self._tree_waits = False

    @contextmanager
    def _incoming(self) -> Iterator[int]:
        """The directory of the tree that has come, open."""
        fd = os.open(_INCOMING, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._root)
        try:
            yield fd
        finally:
            os.close(fd)

    def _move_all(self, incoming: int, *, replace: bool) -> None:
        """Put what was unpacked into place; without `replace` only what is not there yet.

        Raises:
            UnsafePath: something has come where it was to go.
            OSError: it cannot be moved.
        """
        if self._made is not None:
            with os.scandir(incoming) as entries:
                self._made.add((entry.name for entry in entries), incoming)
        for name in names_to_take(incoming):
            if name in self._not_taken or not (replace or self._has_room_for(incoming, name)):
                remove(incoming, name)
            elif name in self._links:
                _copy_content(self.path / _INCOMING / name, self.path / name)
                remove(incoming, name)
            else:
                if self._made is not None and name not in KNOWN_NAMES:
                    self._made.check(name)
                put(incoming, name, self._root)

    def _has_room_for(self, incoming: int, name: str) -> bool:
        return _has_right_type(incoming, name) and mode_of(self._root, name) is None

    def _drop_tree(self) -> None:
        """Keep what has come of an unfinished tree where nothing is in its place, and remove the rest."""
        if self._unpacker is not None:
            self._unpacker.close()
            self._unpacker = None
            if self._files is not None:
                with self._incoming() as incoming:
                    self._move_all(incoming, replace=False)
        remove(self._root, _INCOMING)

    def close(self) -> None:
        """Keep what has come of an unfinished tree, and close the handles."""
        with self._handles:
            try:
                if self._files is not None:
                    self._files.stdout.close()
                self._drop_tree()
            except OSError as error:
                raise self._trouble(error) from None


def _simplify_facts(cache: Path) -> None:
    """ansible-runner's worker sends what Ansible wrote; clients know one layout."""
    from playstream.pipeline.fact_cache import simplify_fact_cache  # noqa: PLC0415 - most runs have none

    simplify_fact_cache(cache)


def _make_way(path: Path) -> None:
    """Remove what a run without an ident has made in the place of one that has one."""
    from playstream.process.made_names import make_way  # noqa: PLC0415 - most directories have no such runs

    make_way(path)


def _copy_content(source: Path, target: Path) -> None:
    """Write a file's content to what a link leads to."""
    import shutil  # noqa: PLC0415 - 2 ms of a start, for what is seldom needed

    shutil.copyfile(source, target)


def _has_right_type(directory: int, name: str) -> bool:
    """Whether the entry is what a run leaves under its name: for the known names a file or a directory, no link.

    Raises:
        OSError: it cannot be looked at.
    """
    mode = mode_of(directory, name) if name in KNOWN_NAMES else None
    return mode is None or (stat.S_ISDIR if name in KNOWN_DIRECTORIES else stat.S_ISREG)(mode)


def _check_types(directory: int) -> None:
    """Refuse a tree in which a known name is not what a run leaves under it.

    Args:
        directory: descriptor of where it was unpacked.

    Raises:
        RemoteProtocolError: it is so.
        OSError: an entry cannot be looked at.
    """
    for name in sorted(KNOWN_NAMES):
        if not _has_right_type(directory, name):
            expected = "a directory" if name in KNOWN_DIRECTORIES else "a file"
            raise RemoteProtocolError(
                f"the worker's artifacts hold {name!r} as something else than {expected}, which no run leaves there. "
                "They are refused. See on the worker's side what made it: a task of the job, or a changed worker"
            )


def _check_name(path: bytes) -> None:
    """Refuse an entry of a tree whose name this side uses itself.

    Args:
        path: the entry's, in the tree.

    Raises:
        UnsafePath: it is so.
    """
    if path.split(b"/", 1)[0] == _INCOMING.encode():
        raise UnsafePath(
            f"the worker's artifacts hold the name {_INCOMING!r}, which is kept for playstream's own files. They are "
            "refused. See on the worker's side what made it: a task of the job, or a changed worker"
        )
