"""What a run shows on this process's standard output."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from playstream.interface.terminal_text import choose_form, make_safe
from playstream.pipeline.errors import LinkError, OutputError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.io.stdio import piece_size, wait_for
from playstream.process import Output

if TYPE_CHECKING:
    from playstream.interface.config import RunnerConfig

_MOST_HELD = 1 << 20


def write_standard_output(text: str, look: Callable[[], None] = lambda: None) -> None:
    """Write to what is `sys.stdout` by then; what its encoding has no way to say becomes question marks.

    Args:
        text: what to write.
        look: called every LOOK_SECONDS while the reader takes nothing; what it raises comes out.

    Raises:
        OSError: nobody reads it, or it cannot be written.
        ValueError: it has been closed.
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
    # Text that a non-blocking file does not take at once would be lost there; bytes are counted.
    _retry(stream.fileno, stream.flush)
    view = memoryview(data)
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if isinstance(raw, io.FileIO):
        _write_while_wanted(raw.fileno(), view, look)
        return
    while view:
        try:
            written = stream.buffer.write(view) or 0  # None says that a file without a buffer would block
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
            pass  # others, who share the pipe, were faster


def _retry(fileno: Callable[[], int], flush: Callable[[], object]) -> None:
    """Write what is buffered, however long it takes."""
    while True:
        try:
            flush()
        except BlockingIOError:
            wait_for(fileno(), select.POLLOUT)
        else:
            return


class Display:
    """Ansible's output, or events as JSON lines, on its way to the viewer, until nobody reads it any more.

    Args:
        write: takes the text; LinkError, OSError or ValueError say that nobody reads it. None for showing nothing.
        form: makes the text ready to be shown; what would be orders to a terminal is written out by default.
    """

    def __init__(self, write: Callable[[str], object] | None, form: Callable[[str], str] = make_safe) -> None:
        self._write = write
        self._form = form
        self.error: OutputError | None = None
        """Why nothing more is shown. None when the reader has left, which is no error."""
        self._lines: list[str] = []
        self._held = 0

    def show(self, text: str) -> None:
        """Take lines without their last line end.

        They are held for one write, but not without end: what was read at once may be gigabytes when it is unpacked,
        and a job that floods its output gives no pause.
        """
        if self._write is not None:
            self._lines.append(text)
            self._held += len(text)
            if self._held > _MOST_HELD:
                self.flush()

    def flush(self) -> None:
        """Write what was taken. Whether somebody reads it makes no difference to the run."""
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
    """What a run shows and keeps, as its configuration says."""
    if not config.json_mode:
        return Output.TEXT
    return Output.MIXED if config.text_stays_text else Output.JSON


def make_display(config: RunnerConfig, look: Callable[[], None]) -> Display:
    """What shows a run as its configuration says.

    Args:
        config: the configuration.
        look: called every LOOK_SECONDS while the reader takes nothing. LinkError says that nothing more is to be shown.
    """
    form = choose_form(raw=config.raw_output, json=config.json_mode, mixed=config.text_stays_text)
    write = partial(write_standard_output, look=look)
    return Display(None if config.suppress_ansible_output else write, form)
