"""The terminal that Ansible runs on, and the answers to its prompts.

The supervisor decides when to read, because it waits for several things at once; pexpect matches prompts and types
answers.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pexpect.expect
import pexpect.fdpexpect

from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.worker.console import READ_SIZE, CommandOutput
from playstream.worker.keyboard import Keyboard, User
from playstream.worker.prompts import (
    MAX_REPEATS,
    WINDOW,
    Tail,
    explain_refused,
    explain_unanswered,
    list_replies,
    quote_controls,
)
from playstream.worker.terminal_readers import may_be_read
from playstream.worker.user_terminal import LOCAL, Attributes

_ROWS, _COLUMNS = 24, 80
_MIN_PAUSE = 1.0
"""Minimum number of seconds between two checks of a quiet terminal."""
_KEY_STEP = 0.1
"""Seconds between two checks whether a program waits for keys."""
_KEY_PATIENCE = 2.0
"""Seconds after which an answer is typed for a process that waits for a line instead."""


@dataclass(slots=True)
class _Typing:
    """An answer that is typed when the program is ready for it."""

    answer: bytes
    prompt: bytes
    again: bool
    """True if the same prompt was repeated."""
    look_at: float
    give_up_at: float
    asked_at: float
    raw: bool = False
    """True if the terminal passed on single keys at the last check."""


class Terminal:
    """A pseudo-terminal, of which this is the master; the guard opens the slave by the name in `tty`.

    Args:
        passwords: names, or regular expressions of prompts, with the answers.
        user: the terminal of the user, whose keys and size this one gets; None for none.
        nested: whether the command gives the job a terminal of its own, as a container engine does.
    """

    name = "stdout"
    descriptors: tuple[int, int, int] | None = None
    ended = False

    def __init__(self, passwords: Mapping[str, str], user: User | None = None, *, nested: bool = False) -> None:
        self._master, self._slave = map(own_descriptor, os.openpty())
        self.tty: str | None = os.ttyname(self._slave)
        self.keyboard = None if user is None else Keyboard(user, self, nested=nested)
        """Passes on the user's keys; None if nobody can type."""
        self._echoes = user is not None and user.takes_keys
        """Whether input is echoed, except answers that are typed here."""
        self.resize(*((user and user.take_size()) or (_ROWS, _COLUMNS)))
        if not self._echoes:
            self._stop_echo()
        self._echo_stopped = False
        os.set_blocking(self._master, False)
        self._pexpect = pexpect.fdpexpect.fdspawn(self._master)
        self._replies = list_replies(passwords)
        self._prompts = pexpect.expect.searcher_re([reply.prompt for reply in self._replies])
        self._unmatched = b""
        self._tail = Tail()
        self._typing: _Typing | None = None
        self._ask_again_at: float | None = None
        """When to check again whether the output ends with a prompt and a process waits for an answer."""
        self._last_prompt = b""
        self._repeats = 0
        self._refused: str | None = None
        self.quiet_since = self._looked_at = time.monotonic()
        """When the last output was read, on the monotonic clock."""

    @property
    def outputs(self) -> tuple[CommandOutput, ...]:
        """The terminal itself, which has both output and errors."""
        return (self,)

    def started(self) -> None:
        """Do nothing: the slave stays open here, so that no output is lost when the last process closes it."""

    def fileno(self) -> int:
        """Return the descriptor of the master, to wait for output."""
        return self._master

    def read(self) -> bytes:
        """Return the available output, at most 64 KiB; empty if there is none. Answer a prompt that it completes."""
        try:
            data = os.read(self._master, READ_SIZE)
        except OSError:
            # There is no output, or (EIO) no process has the terminal open any more.
            return b""
        self.quiet_since = time.monotonic()
        self._tail.add(data)
        if self._echo_stopped and b"\n" in data:
            self._echo_again()
        if self._replies:
            self._answer(data)
        if self.keyboard is not None:
            self.keyboard.note_output(data)
        return data

    def _answer(self, data: bytes) -> None:
        self._unmatched = (self._unmatched + data)[-WINDOW:]
        self._find_prompts()

    def _find_prompts(self) -> None:
        self._ask_again_at = None
        while (which := self._prompts.search(self._unmatched, len(self._unmatched))) >= 0:
            start, end = self._prompts.start, self._prompts.end
            if start == end:
                return  # an empty match is not a prompt
            in_last_line = b"\n" not in self._unmatched[start:]
            if in_last_line and not self.is_read():
                # Until then it may be the beginning of a line that continues in the next read.
                self._ask_again_at = time.monotonic() + _KEY_STEP
                return
            text, between = self._unmatched[start:end], self._unmatched[:start]
            self._unmatched = self._unmatched[end:]
            self._tail.clear()
            again = text == self._last_prompt and not between.strip()
            self._last_prompt = text
            now = time.monotonic()
            typing = _Typing(self._replies[which].answer, text, again, now + _KEY_STEP, now + _KEY_PATIENCE, now)
            if in_last_line:
                self._type(typing)
            else:
                # A prompt that is a whole line is probably that of a pause, which discards input typed before it polls
                # for keys. Or it is not a prompt, and no process waits for an answer.
                self._typing = typing

    def is_read(self) -> bool:
        """Return whether a process waits for input, as far as the kernel reports it."""
        return may_be_read(os.ttyname(self._slave))

    @property
    def modes(self) -> Attributes:
        """The modes of the terminal."""
        return termios.tcgetattr(self._slave)

    @property
    def unfinished(self) -> str:
        """The last line of the output, if it has no end; empty after its prompt was answered here."""
        return self._tail.unfinished

    @property
    def pause_prompt(self) -> str:
        """The prompt of Ansible's pause module, if the output ends with it; '' if not."""
        prompt = self._tail.prompt(raw=self._raw)
        return prompt.text if prompt is not None and prompt.pause else ""

    @property
    def is_answering(self) -> bool:
        """Whether an answer that is known is about to be typed."""
        return self._typing is not None or self._ask_again_at is not None

    def send(self, keys: bytes) -> None:
        """Type keys of the user."""
        try:
            self._pexpect.send(keys)
        except OSError:
            pass  # the buffer is full of unread input, so no process waits for this either

    def resize(self, rows: int, columns: int) -> None:
        """Set the size; the kernel notifies the job (SIGWINCH)."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _type(self, typing: _Typing, *, keys: bool = False) -> None:
        """Type an answer and Enter; `keys` if the program reads single keys without the terminal's line editing."""
        self._repeats = self._repeats + 1 if typing.again else 1
        if self._repeats > MAX_REPEATS:
            self._refused = typing.prompt.decode("utf-8", "replace").strip("\r\n")
            return
        self._stop_echo()
        try:
            self._pexpect.sendline(typing.answer if keys else quote_controls(typing.answer))
        except OSError:
            pass  # the buffer is full of unread input, so no process waits for this either

    def _stop_echo(self) -> None:
        """Keep answers out of the output. Ansible's pause module switches echoing on."""
        self._echo_stopped = self._echoes and bool(self.modes[LOCAL] & termios.ECHO)
        self._set_echo(on=False)

    def _echo_again(self) -> None:
        """Switch echoing on when an answer has been read, for what the user types."""
        if struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, b"\0\0\0\0"))[0]:
            return
        self._echo_stopped = False
        self._set_echo(on=True)

    def _set_echo(self, *, on: bool) -> None:
        modes = self.modes
        modes[LOCAL] = modes[LOCAL] | termios.ECHO if on else modes[LOCAL] & ~termios.ECHO
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)

    @property
    def _raw(self) -> bool:
        return not self.modes[LOCAL] & termios.ICANON

    def due(self, patience: float | None) -> float | None:
        """Return when to call `attend`, on the monotonic clock; None for never. The arguments are the same."""
        own = self._due(patience)
        if self.keyboard is None:
            return own
        return self.keyboard.due if own is None else min(own, self.keyboard.due)

    def _due(self, patience: float | None) -> float | None:
        if self._refused is not None:
            return 0.0
        if self._typing is not None:
            return self._typing.look_at
        if self._ask_again_at is not None:
            return self._ask_again_at
        if patience is None:
            return None
        return max(self.quiet_since + patience, self._looked_at + max(patience, _MIN_PAUSE))

    def attend(self, patience: float | None) -> str | None:
        """Do what is due: type an answer, pass the keyboard on, or check for an unanswered prompt.

        Args:
            patience: seconds that a prompt may wait for an answer; None for no limit. A user who can type has no limit.

        Returns:
            Why the job cannot continue; None if it can.
        """
        if self._refused is not None:
            return explain_refused(self._refused)
        if self.keyboard is not None:
            self.keyboard.attend()
            if self.keyboard.attached:
                patience = None
        now = time.monotonic()
        due = self._due(patience)
        if due is None or now < due:
            return None
        if self._typing is not None:
            self._attend_typing(self._typing, now)
        elif self._ask_again_at is not None:
            self._find_prompts()
        if patience is None or self._typing is not None or now < self.quiet_since + patience:
            return None
        self._looked_at = now
        prompt = self._tail.prompt(raw=self._raw)
        if prompt is None or now < self.quiet_since + patience + prompt.patience or self._has_output():
            return None
        if not (prompt.pause or self.is_read()):
            return None
        return explain_unanswered(prompt, patience)

    def _attend_typing(self, typing: _Typing, now: float) -> None:
        raw = self._raw
        late = now >= typing.give_up_at
        if (raw and typing.raw) or (late and self.quiet_since <= typing.give_up_at and self.is_read()):
            self._typing = None
            self._type(typing, keys=raw)
        elif late and self.quiet_since > typing.asked_at:
            self._typing = None  # no process waits, because the output continued, or it waits for something else
        else:
            typing.raw = raw
            typing.look_at = now + (_MIN_PAUSE if late else _KEY_STEP)

    def _has_output(self) -> bool:
        """Return True while there is unread output, because the link is slow."""
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        return any(events & select.POLLIN for _, events in poll.poll(0))

    def close(self) -> None:
        """Close the terminal; processes that still run on it get SIGHUP from the kernel."""
        if self.keyboard is not None:
            self.keyboard.close()
        close_owned(self._slave)
        close_owned(self._master)
