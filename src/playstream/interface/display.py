"""Show the output of a run on this process's standard output."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from playstream.interface.terminal_text import choose_form, make_plain, make_safe
from playstream.pipeline.errors import LinkError, OutputError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.io.stdio import piece_size, wait_for
from playstream.process import Output

if TYPE_CHECKING:
    from playstream.interface.config import RunnerConfig
    from playstream.worker.user_terminal import UserTerminal

_MOST_HELD = 1 << 20


def write_standard_output(text: str, look: Callable[[], None] = lambda: None) -> None:
    """Write to the current `sys.stdout`; replace characters that its encoding does not support with question marks.

    Args:
        text: the text to write.
        look: called every LOOK_SECONDS while the reader reads nothing; its exceptions are raised.

    Raises:
        OSError: the reader has exited, or the output cannot be written.
        ValueError: standard output is closed.
    """
    stream = sys.stdout
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    data = text.encode(encoding, "replace")
    if type(stream) is not io.TextIOWrapper:
        stream.write(data.decode(encoding))
        stream.flush()
        return
    # A text write to a non-blocking file would lose what it does not accept at once, so write bytes.
    _retry(stream.fileno, stream.flush)
    view = memoryview(data)
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if isinstance(raw, io.FileIO):
        _write_while_wanted(raw.fileno(), view, look)
        return
    while view:
        try:
            written = stream.buffer.write(view) or 0  # None means that an unbuffered file would block
        except BlockingIOError as error:
            written = error.characters_written
        view = view[written:]
        if not written:
            wait_for(stream.fileno(), select.POLLOUT)
    _retry(stream.fileno, stream.buffer.flush)


def _write_while_wanted(fd: int, view: memoryview, look: Callable[[], None]) -> None:
    size = piece_size(fd)
    while view:
        if not wait_for(fd, select.POLLOUT, LOOK_SECONDS):
            look()
            continue
        try:
            view = view[os.write(fd, view[:size]) :]
        except BlockingIOError:
            pass  # another process that shares the pipe has filled it


def _retry(fileno: Callable[[], int], flush: Callable[[], object]) -> None:
    """Flush a buffer, however long it takes."""
    while True:
        try:
            flush()
        except BlockingIOError:
            wait_for(fileno(), select.POLLOUT)
        else:
            return


class Display:
    """Shows Ansible's output, or events as JSON lines, until the reader exits.

    Args:
        write: called with text; it raises LinkError, OSError or ValueError if the reader exits. None shows nothing.
        form: converts the text; by default terminal control sequences are escaped.
        user: the user's terminal, on which prompts were shown that are left out here; None for none.
    """

    def __init__(
        self,
        write: Callable[[str], object] | None,
        form: Callable[[str], str] = make_safe,
        user: UserTerminal | None = None,
    ) -> None:
        self._write = write
        self._form = form
        self._user = user
        self.error: OutputError | None = None
        """Why no more output is shown. None if the reader has exited, which is not an error."""
        self._lines: list[str] = []
        self._held = 0

    def show(self, text: str) -> None:
        """Add lines, without the final line end.

        Lines are collected for one write, up to a limit: data read at once may be gigabytes after decompression, and a
        job may print without a pause.
        """
        if self._user is not None and self._user.expects_prompts:
            lines = text.split("\n")
            kept = [line for line in lines if not self._user.take_prompt(make_plain(line))]
            if not kept:
                return
            text = "\n".join(kept)
        if self._write is not None:
            self._lines.append(text)
            self._held += len(text)
            if self._held > _MOST_HELD:
                self.flush()

    def flush(self) -> None:
        """Write the collected lines. A problem with the reader does not affect the run."""
        if self._write is None or not self._lines:
            return
        text = self._form("\n".join(self._lines) + "\n")
        self._lines.clear()
        self._held = 0
        try:
            self._write(text)
        except (LinkError, ValueError, BrokenPipeError, ConnectionResetError):
            self._write = None
        except OSError as error:
            self._write = None
            self.error = OutputError(
                f"standard output cannot be written: {error.strerror}. The rest of the output is lost; the artifacts "
                "are complete"
            )


def choose_output(config: RunnerConfig) -> Output:
    """Return the kind of output that a configuration selects."""
    if not config.json_mode:
        return Output.TEXT
    return Output.MIXED if config.text_stays_text else Output.JSON


def make_display(config: RunnerConfig, look: Callable[[], None]) -> Display:
    """Return the display that a configuration selects.

    Args:
        config: the configuration.
        look: called every LOOK_SECONDS while the reader reads nothing; it raises LinkError to stop the display.
    """
    form = choose_form(raw=config.raw_output, json=config.json_mode, mixed=config.text_stays_text)
    write = partial(write_standard_output, look=look)
    user = None if config.json_mode else config.user_terminal
    return Display(None if config.suppress_ansible_output else write, form, user)
