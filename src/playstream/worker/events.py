"""Passing events from the callback plugin to the outbox.

The plugin numbers its events and counts their lines itself, so they are passed on unchanged. Output of the terminal
before the plugin is loaded (an error in the playbook, a prompt for a password) becomes `verbose` events here, and the
plugin receives the numbers with which to continue.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from playstream.pipeline.errors import JobError
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import enlarge_pipe
from playstream.pipeline.protocol import Event, Log, LogLevel, Record
from playstream.worker.known_secrets import masks
from playstream.worker.paths import Paths

_READ_SIZE = 1 << 18
_MAX_LINE = 60 << 20
"""Maximum size of one event in bytes; larger ones are sent without their data, with a Log record. It is lower than the
protocol's limit for a record."""
_DATA = b'"event_data":'
"""The last field that the plugin writes into an event. Inside a string its quotes would be escaped."""
_MAX_TEXT = 1 << 16
"""Maximum number of bytes without a line end in one `verbose` event."""
_LAST_READS = 64
"""Maximum number of reads after Ansible's end, more than a pipe can hold. Output of processes that Ansible left
running is not waited for."""
_ID_VARIABLES = ("JOB_ID", "AD_HOC_COMMAND_ID", "PROJECT_UPDATE_ID")
_HELLO = b'{"playstream":'


class EventSource:
    """The reading end of the plugin's pipe.

    Args:
        paths: the job's paths, with those of the two FIFOs.
        ident: the job's, for the events made here.
        env: the job's environment; AWX's numbers in it are added to the events made here, as in the plugin.
        emit: takes records, one or more at a time.
        drain_terminal: reads the current output of the terminal, which calls `text`.
        find_secrets: returns what Ansible must mask, if it can mask secrets.

    Raises:
        JobError: the FIFOs exist, because another run is active in the run directory.
        OSError: they cannot be created.
    """

    def __init__(
        self,
        paths: Paths,
        ident: str,
        env: Mapping[str, str],
        emit: Callable[..., None],
        drain_terminal: Callable[[], None],
        find_secrets: Callable[[], Sequence[str]],
    ) -> None:
        self._paths = (paths.events, paths.origin)
        for path in self._paths:
            _make_fifo(path)
        # Opened for reading and writing, so that opening never blocks and the exit of a writer is no end of file.
        self._pipe = own_descriptor(os.open(paths.events, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        self.capacity = enlarge_pipe(self._pipe)
        """Bytes that the pipe holds before its writer blocks."""
        self._origin = own_descriptor(os.open(paths.origin, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        self._ident = ident
        self._ids = {name.lower(): int(env[name]) for name in _ID_VARIABLES if env.get(name, "").isdecimal()}
        self._emit = emit
        self._drain_terminal = drain_terminal
        self._find_secrets = find_secrets
        self._pieces: list[bytes] = []
        self._size = 0
        self._text = b""
        self._counter = 0
        self._line = 0
        self.plugin_loaded = False

    def fileno(self) -> int:
        """Return the descriptor of the pipe, to wait for events."""
        return self._pipe

    def text(self, data: bytes) -> None:
        """Take output of the terminal, which is only needed until the plugin is loaded."""
        if self.plugin_loaded:
            return
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            self._emit_text(line + b"\n")
        while len(self._text) > _MAX_TEXT:
            self._emit_text(self._text[:_MAX_TEXT])
            self._text = self._text[_MAX_TEXT:]

    def read(self) -> int:
        """Pass on the content of the pipe and return its size in bytes."""
        try:
            data = os.read(self._pipe, _READ_SIZE)
        except BlockingIOError:
            return 0
        *lines, rest = data.split(b"\n")
        records: list[Record] = []
        for line in lines:
            self._pieces.append(line)
            records += self._take_line(b"".join(self._pieces))
            self._pieces.clear()
            self._size = 0
        if records:
            self._emit(*records)
        if rest:
            self._size += len(rest)
            if self._size <= _MAX_LINE:
                self._pieces.append(rest)
        return len(data)

    def _take_line(self, line: bytes) -> list[Record]:
        if self._size > _MAX_LINE:
            return self._take_head(line)
        if line.startswith(_HELLO) and not self.plugin_loaded:
            return self._welcome(line)
        self._counter += 1
        return [Event(self._counter, line)]

    def _take_head(self, line: bytes) -> list[Record]:
        """Return an event that is too long, without its data, as with omit_event_data."""
        much, found = f"{self._size} bytes", line.find(_DATA)
        if found < 0:
            return [Log(LogLevel.ERROR, f"an event of {much} was dropped: at most {_MAX_LINE} can be sent")]
        self._counter += 1
        return [
            Event(self._counter, line[:found] + _DATA + b"{}}"),
            Log(
                LogLevel.WARNING,
                f"event {self._counter} has {much}: at most {_MAX_LINE} can be sent, so its event_data is omitted",
            ),
        ]

    def _welcome(self, hello: bytes) -> list[Record]:
        """Send the plugin the numbers with which to continue, and the secrets that Ansible should mask, if it can."""
        self._drain_terminal()
        self._flush_text()
        self.plugin_loaded = True
        secrets, rest = self._list_secrets(hello), 0
        room = enlarge_pipe(self._origin) if secrets else 0
        while len(answer := json.dumps([self._counter, self._line, secrets]).encode() + b"\n") > room and secrets:
            secrets, rest = secrets[: len(secrets) // 2], rest + (len(secrets) + 1) // 2
        os.write(self._origin, answer)
        if not rest:
            return []
        return [Log(LogLevel.WARNING, f"Ansible does not mask {rest} of the job's secrets: together they are too long")]

    def _list_secrets(self, hello: bytes) -> list[str]:
        try:
            version = json.loads(hello)["ansible"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return []
        return list(self._find_secrets()) if masks(version) else []

    def _flush_text(self) -> None:
        if self._text:
            self._emit_text(self._text)
            self._text = b""

    def _emit_text(self, text: bytes) -> None:
        self._counter += 1
        start = self._line
        self._line += text.count(b"\n")
        own = str(uuid.uuid4())
        event = {
            "uuid": own,
            "counter": self._counter,
            "stdout": text.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r"),
            "start_line": start,
            "end_line": self._line,
            "runner_ident": self._ident,
            "event": "verbose",
            **self._ids,
            "pid": os.getpid(),
            "created": datetime.now(UTC).isoformat(timespec="microseconds"),
            "event_data": {"verbose": True, "uuid": own},
        }
        self._emit(Event(self._counter, json.dumps(event).encode()))

    def finish(self) -> None:
        """Pass on the remaining events after Ansible has ended."""
        for _ in range(_LAST_READS):
            if not self.read():
                break
        if self._pieces:
            self._emit(
                Log(
                    LogLevel.WARNING,
                    f"Ansible exited while it was writing an event; its {self._size} bytes were dropped",
                )
            )
            self._pieces.clear()
        self._flush_text()

    def close(self) -> None:
        """Close the pipes and remove them."""
        close_owned(self._pipe)
        close_owned(self._origin)
        for path in self._paths:
            try:
                path.unlink()
            except OSError:
                pass  # the job has removed or replaced it; everything is removed with the spool


def _make_fifo(path: Path) -> None:
    try:
        os.mkfifo(path, 0o600)
        path.chmod(0o600)  # regardless of the umask
    except FileExistsError:
        raise JobError(
            "the configuration of this run was prepared in another process and is already running there. Call "
            "prepare() in each process that runs it"
        ) from None
