"""The artifacts of one run: a private directory, written relative to its handle.

The layout is ansible-runner's: job_events/<counter>-<uuid>.json, stdout, stderr, rc, status, command, fact_cache/.
Files that come as a tree are unpacked beside and moved into place, so that a stream that breaks off damages nothing
that was there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError, JobError, PlaystreamError
from playstream.pipeline.ident import EVENT_FILES, FACT_CACHE, KNOWN_DIRECTORIES, KNOWN_FILES, OUTPUTS
from playstream.pipeline.json_text import dump_json
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.locks import try_lock
from playstream.pipeline.protocol import FileData, FileEntry, TreeEnd
from playstream.pipeline.tree.directories import make_private, names_to_take
from playstream.pipeline.tree.unpack import Unpacker
from playstream.process.event_files import EventFiles
from playstream.process.event_writer import CREATE
from playstream.process.events import came_twice

_INCOMING = ".incoming"
_OWN_DIRECTORIES = (*sorted(KNOWN_DIRECTORIES), _INCOMING)
_STDOUT_BUFFER = 1 << 16


class ArtifactDir:
    """Writes the artifacts of one run. They take the place of an earlier run's in the same directory.

    A lock on the directory (flock) is held until `close`.

    Args:
        path: the directory; made if it is missing.
        keep_stdout: False for no artifact `stdout`.
        own_stdout: True if what is appended here is `stdout`, and not the worker's file.
        follow_links: links in the place of `stdout` and `stderr` stay, and what they lead to is written.
        write_behind: see EventFiles.
        limits: what the worker's tree may cost.

    Raises:
        ConfigurationError: another run is writing there.
        JobError: the directory cannot be made or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_stdout: bool = True,
        own_stdout: bool = False,
        follow_links: bool = False,
        write_behind: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.path = path
        self._limits = limits
        self._not_taken = {EVENT_FILES, "command", *(["stdout"] if own_stdout else [])}
        """Names in the worker's tree that are passed over."""
        self._incoming = path / _INCOMING
        self._links = {name for name in OUTPUTS if follow_links and (path / name).is_symlink()}
        self._unpacker: Unpacker | None = None
        with ExitStack() as handles:
            try:
                make_private(path)
                self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                handles.callback(os.close, self._root)
                self._claim()
                self._clear()
                self._events = handles.enter_context(closing(EventFiles(self._root, write_behind=write_behind)))
                stdout = self._open_stdout() if keep_stdout else os.open(os.devnull, 1)
                self._stdout = handles.enter_context(os.fdopen(stdout, "w", _STDOUT_BUFFER, "utf-8", "replace", ""))
            except OSError as error:
                raise self._trouble(error) from None
            self._handles = handles.pop_all()

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

    def _open_stdout(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC if "stdout" in self._links else CREATE
        return os.open("stdout", flags, 0o600, dir_fd=self._root)

    def _clear(self) -> None:
        for name in sorted(KNOWN_FILES - self._links):
            (self.path / name).unlink(missing_ok=True)
        for name in _OWN_DIRECTORIES:
            if (self.path / name).is_dir():
                _remove_tree(self.path / name)

    def write_event(self, name: str, json_text: bytes) -> None:
        """Keep one event in the file `name`, a plain word.

        Raises:
            RemoteProtocolError: it is there already.
            JobError: it cannot be written.
        """
        try:
            self._events.write(name, json_text)
        except OSError as error:
            raise self._event_trouble(error) from None

    def finish_events(self) -> None:
        """See to it that all events are in their files. Raises as `write_event` does."""
        try:
            self._events.finish()
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
            self._stdout.write(f"{text}\r\n")
        except OSError as error:
            raise self._trouble(error) from None

    def flush(self) -> None:
        """Write out what is buffered of the output and the events. Raises as `write_event` does."""
        try:
            self._events.flush()
        except OSError as error:
            raise self._event_trouble(error) from None
        try:
            self._stdout.flush()
        except OSError as error:
            raise self._trouble(error) from None

    def write_command(self, command: Sequence[str], cwd: str, env: Mapping[str, str]) -> None:
        """Keep what was run, as JSON.

        Raises:
            JobError: it cannot be written.
        """
        self._replace("command", dump_json({"command": list(command), "cwd": cwd, "env": dict(env)}).encode())

    def write_outcome(self, status: str, rc: int | None) -> None:
        """Keep how the run ended; there is no `rc` when it is not known, whatever the worker's tree says.

        Raises:
            JobError: it cannot be written.
        """
        self._replace("status", status.encode())
        self._replace("rc", None if rc is None else str(rc).encode())

    def _replace(self, name: str, data: bytes | None) -> None:
        """Put a new file in the place of what is there; None for no file."""
        try:
            try:
                os.unlink(name, dir_fd=self._root)
            except FileNotFoundError:
                pass
            if data is None:
                return
            with os.fdopen(os.open(name, CREATE, 0o600, dir_fd=self._root), "wb") as file:
                file.write(data)
        except OSError as error:
            raise self._trouble(error) from None

    def receive(self, record: FileEntry | FileData | TreeEnd) -> None:
        """Take a record of the worker's artifact tree.

        Raises:
            UnsafePath: an entry would leave the directory.
            RemoteProtocolError: the tree is not well formed.
            JobError: it cannot be written.
        """
        if self._unpacker is None:
            self.flush()
            try:
                self._incoming.mkdir(mode=0o700)
            except OSError as error:
                raise self._trouble(error) from None
            self._unpacker = Unpacker(self._incoming, trusted=False, limits=self._limits)
        self._unpacker.receive(record)
        if isinstance(record, TreeEnd):
            self._simplify_facts()
            self._move_incoming(replace=True)

    def _simplify_facts(self) -> None:
        """ansible-runner's worker sends what Ansible wrote; clients know one layout."""
        cache = self._incoming / FACT_CACHE
        try:
            if cache.is_dir():
                from playstream.pipeline.fact_cache import simplify_fact_cache  # noqa: PLC0415 - most runs have none

                simplify_fact_cache(cache)
        except OSError as error:
            raise self._trouble(error) from None

    def _move_incoming(self, *, replace: bool) -> None:
        """Put what was unpacked into place; without `replace` only what is not there yet."""
        if self._unpacker is None:
            return
        self._unpacker.close()
        self._unpacker = None
        try:
            for name in names_to_take(self._incoming):
                self._move(self._incoming / name, replace=replace)
            self._incoming.rmdir()
        except OSError as error:
            raise self._trouble(error) from None

    def _move(self, item: Path, *, replace: bool) -> None:
        """Put one entry into place, or remove it."""
        place = self.path / item.name
        if item.name in self._not_taken or (place.exists() and not replace):
            _remove(item)
        elif item.name in self._links:
            _copy_content(item, place)
            _remove(item)
        else:
            if place.is_dir() and not place.is_symlink():
                _remove_tree(place)
            item.replace(place)

    def close(self) -> None:
        """Keep what has come of an unfinished tree, and close the handles."""
        with self._handles:
            try:
                self._stdout.close()
                self._move_incoming(replace=False)
            except OSError as error:
                raise self._trouble(error) from None


def _copy_content(source: Path, target: Path) -> None:
    """Write a file's content to what a link leads to."""
    import shutil  # noqa: PLC0415 - 2 ms of a start, for what is seldom needed

    shutil.copyfile(source, target)


def _remove(item: Path) -> None:
    """Remove an entry, whatever it is."""
    if item.is_dir() and not item.is_symlink():
        _remove_tree(item)
    else:
        item.unlink()


def _remove_tree(directory: Path) -> None:
    """Remove a directory with all that is in it.

    Raises:
        OSError: something remains.
    """
    try:
        directory.rmdir()
    except OSError:
        from playstream.pipeline.removal import remove_tree  # noqa: PLC0415 - most are empty by then
    else:
        return
    remains = remove_tree(directory)
    if remains is not None:
        raise OSError(errno.ENOTEMPTY, remains)
