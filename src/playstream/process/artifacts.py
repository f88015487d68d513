"""The artifacts of one run: a private directory, written relative to its handle.

The layout is ansible-runner's: job_events/<counter>-<uuid>.json, stdout, stderr, rc, status, command, fact_cache/.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from playstream.pipeline.errors import ConfigurationError, JobError, PlaystreamError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.io.json_text import dump_json
from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.job.ident import EVENT_FILES, KNOWN_NAMES, MADE_LIST, OUTPUTS
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import FileData, FileEntry, TreeEnd
from playstream.pipeline.tree.directories import make_private, mode_of, remove
from playstream.process.event_files import EventFiles
from playstream.process.event_writer import CREATE, write_file
from playstream.process.events import came_twice
from playstream.process.incoming import IncomingTree

_STDOUT_BUFFER = 1 << 16


@dataclass(frozen=True, slots=True)
class _Files:
    """The open files while a run is written."""

    events: EventFiles
    stdout: TextIO


class ArtifactDir:
    """Writes the artifacts of one run. `begin` replaces those of an earlier run in the same directory.

    A lock on the directory (flock) is held until `close`.

    Args:
        path: the directory; created if it is missing.
        among_runs: the directory may contain those of other runs, whose names the worker must not use.
        keep_stdout: False for no artifact `stdout`.
        own_stdout: True if `stdout` is the text appended here, and not the worker's file.
        follow_links: if `stdout` and `stderr` are links, write to their targets.
        write_behind: see EventFiles.
        at_once: call `begin` immediately.
        link_latest: `begin` makes `latest`, beside the directory, a link to it.
        limits: limits of the worker's tree.

    Raises:
        ConfigurationError: another run is writing there.
        JobError: the directory cannot be created or written.
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
        link_latest: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.path = path
        self._keep_stdout = keep_stdout
        self._write_behind = write_behind
        self._link_latest = link_latest
        self._not_taken = {EVENT_FILES, "command", *(["stdout"] if own_stdout else [])}
        """Names in the worker's tree that are ignored."""
        self._links = {name for name in OUTPUTS if follow_links and (path / name).is_symlink()}
        self._files: _Files | None = None
        with ExitStack() as handles:
            try:
                if not among_runs and os.path.lexists(path.parent / MADE_LIST):
                    _make_way(path)
                make_private(path)
                self._root = own_descriptor(os.open(path, os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC))
                handles.callback(close_owned, self._root)
                self._claim()
                self._tree = IncomingTree(path, self._root, among_runs=among_runs, links=self._links, limits=limits)
                self._holds_earlier = any(mode_of(self._root, name) is not None for name in KNOWN_NAMES)
            except OSError as error:
                raise self._trouble(error) from None
            self._handles = handles
            if at_once:
                self.begin()
            self._handles = handles.pop_all()

    @property
    def spared(self) -> bool:
        """True if the artifacts are those of an earlier run, because this one has not begun."""
        return self._files is None and self._holds_earlier

    def _trouble(self, error: OSError) -> JobError:
        what, next_step = error.strerror, remedy(error)
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            what = "it, or a parent of it, is a file, a broken link, or something else that is not a directory"
            next_step = "Move that away, or choose another artifact_dir or ident"
        return JobError(f"the artifacts cannot be written to {str(self.path)!r}: {what}. {next_step}")

    def _event_trouble(self, error: OSError) -> PlaystreamError:
        return came_twice(error.filename) if isinstance(error, FileExistsError) else self._trouble(error)

    def _claim(self) -> None:
        if not try_lock(self._root):
            raise ConfigurationError(
                f"another run is writing its artifacts to {str(self.path)!r}; choose another ident for this run"
            )

    def begin(self) -> None:
        """Remove the artifacts of an earlier run and open this one's files. The first write does this too.

        Raises:
            JobError: the artifacts cannot be removed, or the files cannot be created.
        """
        self._begun()

    def _begun(self) -> _Files:
        """Return the open files; begin the run if it has not begun."""
        if self._files is None:
            try:
                self._files = self._open()
                if self._tree.waits:
                    self._tree.place(self._not_taken)
            except OSError as error:
                raise self._trouble(error) from None
            if self._link_latest:
                from playstream.process.latest import link_latest  # noqa: PLC0415 - not for runs without an ident

                link_latest(self.path)
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
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | system.O_CLOEXEC if "stdout" in self._links else CREATE
        return os.open("stdout", flags, 0o600, dir_fd=self._root)

    def write_event(self, name: str, json_text: bytes) -> None:
        """Write one event to the file `name`, a plain word.

        Raises:
            RemoteProtocolError: the file exists.
            JobError: it cannot be written.
        """
        try:
            self._begun().events.write(name, json_text)
        except OSError as error:
            raise self._event_trouble(error) from None

    def finish_events(self) -> None:
        """Wait until all events are in their files. Raise as `write_event` does."""
        if self._files is None:
            return
        try:
            self._files.events.finish()
        except OSError as error:
            raise self._event_trouble(error) from None

    def keep_own_stdout(self) -> None:
        """Make the appended text the artifact `stdout`, instead of the worker's file."""
        self._not_taken.add("stdout")

    def append_stdout(self, text: str) -> None:
        """Append lines of output; the worker's own copy replaces them at the end.

        Raises:
            JobError: it cannot be written.
        """
        try:
            self._begun().stdout.write(f"{text}\r\n")
        except OSError as error:
            raise self._trouble(error) from None

    def flush(self) -> None:
        """Flush the buffered output and events. Raise as `write_event` does."""
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

    def write_command(self, command: Sequence[str], cwd: str, env: Mapping[str, str], tree: str | None = None) -> None:
        """Write the command as JSON, with the name of the job's tree if the worker's cache has it.

        Raises:
            JobError: it cannot be written.
        """
        self.begin()
        content: dict[str, object] = {"command": list(command), "cwd": cwd, "env": dict(env)}
        if tree is not None:
            content["tree"] = tree
        self._replace("command", dump_json(content).encode())

    def write_outcome(self, status: str, rc: int | None) -> None:
        """Write how the run ended. If `rc` is not known there is no such file, whatever the worker's tree contains.

        If the run has not begun, this is only written if there is no earlier run.

        Raises:
            JobError: it cannot be written.
        """
        if self.spared:
            return
        self.begin()
        self._replace("status", status.encode())
        self._replace("rc", None if rc is None else str(rc).encode())

    def _replace(self, name: str, data: bytes | None) -> None:
        """Replace a file, completely or not at all; None removes it."""
        try:
            remove(self._root, name)
            if data is not None:
                write_file(self._root, name, data)
        except OSError as error:
            raise self._trouble(error) from None

    def receive(self, record: FileEntry | FileData | TreeEnd) -> None:
        """Take a record of the worker's artifact tree.

        Raises:
            UnsafePath: an entry would leave the directory, or has a name that the run must not use.
            RemoteProtocolError: the tree is not well formed.
            JobError: it cannot be written.
        """
        if not self._tree.receiving:
            self.flush()
        try:
            self._tree.receive(record)
            if self._tree.waits and self._files is not None:
                self._tree.place(self._not_taken)
        except OSError as error:
            raise self._trouble(error) from None

    def close(self) -> None:
        """Keep the received part of an unfinished tree, and close the descriptors."""
        with self._handles:
            try:
                if self._files is not None:
                    self._files.stdout.close()
                self._tree.drop(self._not_taken, keep=self._files is not None)
            except OSError as error:
                raise self._trouble(error) from None


def _make_way(path: Path) -> None:
    """Remove what a run without an ident has created under the name of this run."""
    from playstream.process.made_names import make_way  # noqa: PLC0415 - rare

    make_way(path)
