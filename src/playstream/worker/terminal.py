"""The terminal that Ansible runs on, and the answers to the prompts it shows there.

Reading is the supervisor's, which waits for several things at once; pexpect matches prompts and types answers.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
from collections.abc import Mapping

import pexpect.expect
import pexpect.fdpexpect

from playstream.worker.console import READ_SIZE, Source

_ROWS, _COLUMNS = 24, 80
_PROMPT_WINDOW = 4096
"""Bytes at the end of the output in which a prompt is looked for: a flood of output costs no more than this."""


class Terminal:
    """A pseudo-terminal: its master is here, its slave is opened by the guard through `tty`."""

    name = "stdout"
    descriptors: tuple[int, int, int] | None = None
    ended = False

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._master, self._slave = os.openpty()
        self.tty: str | None = os.ttyname(self._slave)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        # Without echo an answer to a prompt does not become part of the output.
        attributes = termios.tcgetattr(self._slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)
        os.set_blocking(self._master, False)
        self._keyboard = pexpect.fdpexpect.fdspawn(self._master)
        self._answers = [answer.encode() for answer in passwords.values()]
        self._prompts = pexpect.expect.searcher_re([re.compile(prompt.encode(), re.MULTILINE) for prompt in passwords])
        self._unmatched = b""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The terminal itself: output and errors are one there."""
        return (self,)

    def started(self) -> None:
        """Nothing to do: the slave stays open here, so that output is never lost with its last reader."""

    def fileno(self) -> int:
        """The master, to wait for output."""
        return self._master

    def read(self) -> bytes:
        """Output that is there now, at most 64 KiB; answers a prompt that it completes. Empty when there is none."""
        try:
            data = os.read(self._master, READ_SIZE)
        except OSError:
            # Nothing there, or (EIO) no process has the terminal open any more: both mean that nothing came.
            return b""
        if self._answers:
            self._answer(data)
        return data

    def _answer(self, data: bytes) -> None:
        self._unmatched = (self._unmatched + data)[-_PROMPT_WINDOW:]
        which = self._prompts.search(self._unmatched, len(self._unmatched))
        if which >= 0:
            self._unmatched = self._unmatched[self._prompts.end :]
            self._keyboard.sendline(self._answers[which])

    def close(self) -> None:
        """Give the terminal back; what still runs on it gets SIGHUP from the kernel."""
        os.close(self._slave)
        os.close(self._master)
