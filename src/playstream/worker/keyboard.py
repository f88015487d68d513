"""Passing the user's keys to a job that waits for input on its terminal.

The user's terminal is one of this host (`UserTerminal`), or one at the other end of a link (`RemoteTerminal`). It is
only read while the job asks: while its output ends within a line, or its terminal passes on single keys, and a process
waits for input. What is typed at other times stays in the user's terminal. A line is edited and echoed there, unless
the job's terminal does not echo, as for a password; single keys are echoed by the job.
"""

from __future__ import annotations

import re
import termios
import time
from typing import Protocol

from playstream.pipeline.protocol import KeyMode
from playstream.worker.prompts import quote_controls
from playstream.worker.user_terminal import CHARACTERS, LOCAL, Attributes, InOrder, Keep

_QUIET_SECONDS = 0.1
"""Seconds without output after which the end of the output may be a prompt."""
_STEP_SECONDS = 0.25
"""Seconds between two checks."""
_MAX_STEP_SECONDS = 2.0
"""The same after many checks that found nothing, because they read all of /proc."""
_HARMLESS = re.compile(r"\x1b\[[0-9;]*[mK]|[^\x00-\x06\x0e-\x1f\x7f-\x9f]")
"""Text, colours, and what programs that edit a line move the cursor with."""
_ERASE = b"\x1b[K"
_BROKEN = re.compile(r"\x1b\[(?=[\r\x1b])")
"""The beginning of a control sequence that is not continued. Ansible's pause module writes it before others."""


class JobTerminal(Protocol):
    """The job's terminal, as far as it concerns the keyboard."""

    quiet_since: float

    @property
    def modes(self) -> Attributes: ...

    @property
    def unfinished(self) -> str:
        """The last line of the output, if it has no end."""

    @property
    def pause_prompt(self) -> str:
        """The prompt of Ansible's pause module, if the output ends with it; '' if not."""

    @property
    def is_answering(self) -> bool:
        """Whether an answer that is known is about to be typed."""

    def is_read(self) -> bool:
        """Return whether a process waits for input, as far as the kernel reports it."""

    def send(self, keys: bytes) -> None:
        """Write keys to it."""

    def resize(self, rows: int, columns: int) -> None:
        """Set its size."""


class User(Protocol):
    """The user's terminal, as far as it concerns the keyboard."""

    @property
    def takes_keys(self) -> bool:
        """Whether its keys go to a job that waits for input."""

    @property
    def in_foreground(self) -> bool:
        """Whether the user can type them now."""

    @property
    def hides_output(self) -> bool:
        """Whether the output of the job is not shown there."""

    @property
    def has_keys(self) -> bool:
        """Whether keys wait that the descriptor does not report."""

    def fileno(self) -> int | None:
        """Return a descriptor to wait for keys; None if they arrive in another way."""

    def begin(self, keep: Keep, in_order: InOrder) -> None:
        """Prepare for a job; see UserTerminal."""

    def take_size(self) -> tuple[int, int] | None:
        """Return the rows and columns if they may have changed since the last call; None if not."""

    def ask_for(self, mode: KeyMode) -> None:
        """Take keys in a mode."""

    def restore(self, *, drop_input: bool = False) -> None:
        """Restore the modes; see UserTerminal."""

    def read(self) -> bytes | None:
        """Return the keys that were typed: a line, or single keys; b"" for the end of input, None for nothing."""

    def show(self, text: str, line: str) -> None:
        """Show text when earlier output was shown; see UserTerminal."""


class Keyboard:
    """Passes the keys of the user's terminal to the job's.

    Args:
        user: the user's terminal.
        job: the job's.
        nested: whether the job has a terminal of its own behind this one, as in a container; what is typed is then
            echoed there, and which modes it has is not known here.
    """

    def __init__(self, user: User, job: JobTerminal, *, nested: bool) -> None:
        self._user = user
        self._job = job
        self._nested = nested
        self.asking = False
        """Whether the job waits for keys, so that the user's terminal should be read."""
        self._asked = False
        """Whether it has ever been."""
        self._pause_hidden = False
        """Whether the prompt of a pause is still to be shown."""
        self._shown = ""
        """What is shown of the last line of the output."""
        self._open = False
        """Whether the cursor is in a line that was begun here."""
        self._typed = False
        """Whether a line was passed on since the prompt was shown, which the job's terminal may echo."""
        self._step = _STEP_SECONDS
        self._look_at = 0.0

    @property
    def descriptor(self) -> int | None:
        """The descriptor of the user's terminal, to wait for keys; None if they arrive in another way."""
        return self._user.fileno()

    def fileno(self) -> int:
        """Return the descriptor, of which there has to be one."""
        if (fd := self._user.fileno()) is None:
            raise ValueError("the keys of this terminal do not arrive on a descriptor")
        return fd

    @property
    def attached(self) -> bool:
        """Whether the user can type, so that a prompt may wait."""
        return self._user.takes_keys and self._user.in_foreground

    @property
    def due(self) -> float:
        """When to call `attend`, on the monotonic clock."""
        return self._look_at

    def note_output(self, data: bytes) -> None:
        """Note that the job has printed something, which may be a prompt, the rest of one, or its end."""
        self._step = _STEP_SECONDS
        self._look_at = time.monotonic() + _QUIET_SECONDS
        if not self.asking:
            return
        line, end, _ = data.partition(b"\n")
        if end:
            if self._nested and self._open:
                # What was typed, if its echo arrived together with the end of the line.
                self._show(self._shown + line.decode("utf-8", "replace").rstrip("\r"))
            self._end_line(erased=_ERASE in line)
            self._pause_hidden = self._user.hides_output  # the next pause may begin before this one is left
        if end and (self._nested or not self._takes_keys):
            self._leave()
        else:
            self._follow()

    def attend(self) -> None:
        """Adapt to the state of both terminals; call it at any time, and when it is due."""
        size = self._user.take_size()
        if size is not None:
            self._job.resize(*size)
        while self.asking and self._user.has_keys:
            self.read()
        now = time.monotonic()
        if now < self._look_at or not self._user.takes_keys:
            return
        if self.asking:
            self._follow()
        elif self.attached and self._begins(now):
            self.asking = self._asked = True
            self._typed = False
            self._pause_hidden = self._user.hides_output
            self._set_modes()
            self._user.show("", "")  # what is in the place of the answer is removed
            self._show_pause()
            self._show(self._job.unfinished)
        elif now >= self._job.quiet_since + _QUIET_SECONDS:
            self._step = min(_MAX_STEP_SECONDS, 2 * self._step)
        self._look_at = now + (_STEP_SECONDS if self.asking else self._step)

    def _begins(self, now: float) -> bool:
        if self._job.is_answering or now < self._job.quiet_since + _QUIET_SECONDS:
            return False
        if self._takes_keys and not self._nested:
            return True
        return bool(self._job.unfinished or self._job.pause_prompt) and (self._nested or self._job.is_read())

    @property
    def _takes_keys(self) -> bool:
        """Whether the job takes single keys, or decides itself what a line is."""
        return self._nested or not self._job.modes[LOCAL] & termios.ICANON

    def _follow(self) -> None:
        """Adapt to what has changed while the job was asking."""
        ended = not (self._job.unfinished or self._job.pause_prompt)
        if not self.attached or self._job.is_answering or (ended and (self._nested or not self._takes_keys)):
            self._leave()
            return
        self._show_pause()
        if self._takes_keys or not self._typed:
            self._show(self._job.unfinished)
        self._set_modes()

    def _show_pause(self) -> None:
        """Show the prompt of a pause, which is a whole line of the output, if the output is not shown."""
        if self._pause_hidden and (prompt := self._job.pause_prompt):
            self._pause_hidden = False
            self._user.show(_harmless(f"{prompt}\n"), "")

    def _show(self, text: str) -> None:
        """Show what was added to the last line; it arrives as output only when it is complete."""
        if text == self._shown:
            return
        rest = text.removeprefix(self._shown) if text.startswith(self._shown) else f"\r\x1b[K{text}"
        first = not self._shown
        self._shown = text
        self._open = bool(text)
        self._user.show(_harmless(rest), text if first else "")

    def _set_modes(self) -> None:
        modes = self._job.modes[LOCAL]
        if self._takes_keys:
            signals = self._nested or bool(modes & termios.ISIG)
            self._user.ask_for(KeyMode.KEYS if signals else KeyMode.RAW)
        else:
            self._user.ask_for(KeyMode.LINES if modes & termios.ECHO else KeyMode.HIDDEN)

    def _leave(self) -> None:
        self.asking = False
        self._end_line()
        self._user.restore()

    def _end_line(self, *, erased: bool = False) -> None:
        """End the line that was begun here, or erase it as the job has done."""
        self._shown = ""
        if self._open:
            self._open = False
            self._user.show("\r\x1b[K" if erased else "\n", "")

    def read(self) -> None:
        """Pass on what was typed."""
        keys = self._user.read()
        if keys is None:
            self._follow()
            return
        if self._takes_keys:
            self._job.send(keys)
            return
        modes = self._job.modes
        if keys.endswith(b"\n"):
            self._open = self._open and not modes[LOCAL] & termios.ECHO
        self._typed = True
        self._job.send(quote_controls(keys) if keys else modes[CHARACTERS][termios.VEOF])

    def close(self) -> None:
        """Restore the user's terminal. Keys that nobody has read are dropped after a job that has asked."""
        if self.asking:
            self._leave()
        self._user.restore(drop_input=self._asked)


def _harmless(text: str) -> str:
    """Return the text without what may harm a terminal."""
    return "".join(_HARMLESS.findall(_BROKEN.sub("", text)))
