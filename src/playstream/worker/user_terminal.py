"""The terminal of the person who started this program: its keys, its modes and its size."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.protocol import KeyMode

Attributes = list[Any]
"""The modes of a terminal, as tcgetattr(3) returns them in Python."""
Keep = Callable[[int, Attributes | None, Attributes | None], None]
"""Takes the terminal, its saved modes and the current ones, to restore them if this process is killed."""
InOrder = Callable[[Callable[[], None]], None]
"""Takes a function that writes to the terminal, to call it when earlier output was shown."""
LOCAL = 3
"""The index of the local modes in them."""
CHARACTERS = 6
"""The index of the control characters in them."""
_INPUT = 0
_READ_SIZE = 4096
_PLACE = "/dev/tty"
_USUAL_COLUMNS = 80
_MOST_PROMPTS = 100
"""Number of prompts that may be shown before they arrive as output; of more the first ones are forgotten."""


class UserTerminal:
    """The controlling terminal of this process, which is only read and changed in the foreground.

    A shell may move the process to the background at any time. Reading the terminal would then stop it (SIGTTIN).

    Args:
        fd: the terminal, open for reading and writing without blocking; closed by `close`.
        keys: whether its keys go to a job that waits for input.
        screen: whether it shows the output, so that a job's terminal has the same size.
    """

    def __init__(self, fd: int, *, keys: bool, screen: bool) -> None:
        self._fd = own_descriptor(fd)
        self.takes_keys = keys
        self._screen = screen
        self.hides_output = False
        """Whether the output of the job is not shown, so that only a prompt says that the job waits."""
        self.resized = True
        """Set by a signal handler when the size may have changed; `take_size` resets it."""
        self._saved: Attributes | None = None
        self._wanted: Attributes | None = None
        self._ours: Attributes | None = None
        """The modes that were set here, as the kernel reports them, while they are to be in force."""
        self._lock = threading.RLock()
        """Held while the modes change: a signal handler of another thread restores them."""
        self._changing = False
        """Whether the modes are being changed, in this thread if a signal handler finds it while it has the lock."""
        self._interrupted = False
        """Whether they were restored meanwhile."""
        self._keep: Keep = lambda _fd, _saved, _ours: None
        self._in_order: InOrder = lambda write: write()
        self.before_write: Callable[[], None] = lambda: None
        """Called before `write` shows something, to remove what is in its place."""
        self.before_output: Callable[[], None] = lambda: None
        """Called before something else than `write` shows something there, in any thread."""
        self._shown: list[str] = []
        """Prompts that were shown and may arrive again as output."""

    def fileno(self) -> int:
        """Return the descriptor, to wait for keys."""
        return self._fd

    @property
    def in_foreground(self) -> bool:
        """Whether this process may read the terminal."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False  # it has hung up

    def guard_with(self, keep: Keep) -> None:
        """Set the function that restores the modes if this process is killed."""
        self._keep = keep

    def begin(self, keep: Keep, in_order: InOrder) -> None:
        """Prepare for a job on this host.

        Args:
            keep: see `guard_with`.
            in_order: how to show what `show` gets.
        """
        self._keep, self._in_order = keep, in_order

    @property
    def has_keys(self) -> bool:
        """Whether keys wait that the descriptor does not report: never."""
        return False

    @property
    def size(self) -> tuple[int, int] | None:
        """The rows and columns; None if they are unknown, or it does not show the output."""
        size = self._size
        return size if self._screen and 0 not in size else None

    @property
    def columns(self) -> int:
        """Its width, as far as it is known."""
        return self._size[1] or _USUAL_COLUMNS

    @property
    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            return 0, 0  # it has hung up
        return size.lines, size.columns

    def take_size(self) -> tuple[int, int] | None:
        """Return the rows and columns if they may have changed since the last call; None if not."""
        if not self.resized:
            return None
        self.resized = False
        return self.size

    def ask_for(self, mode: KeyMode, *, drop_input: bool = False) -> None:
        """Take keys in a mode, if this process is in the foreground; input that was typed before a secret is dropped.

        Args:
            mode: which keys; NONE restores the modes.
            drop_input: whether to drop what was typed before in any case.
        """
        if mode is KeyMode.NONE:
            self.restore(drop_input=drop_input)
            return
        with self._lock, _background_signals_blocked():
            if not self.in_foreground:
                return
            try:
                if self._ours is None or self._saved is None:
                    self._saved = termios.tcgetattr(self._fd)
                wanted = [*self._saved[:CHARACTERS], list(self._saved[CHARACTERS])]
                _CHANGES[mode](wanted)
                if self._ours is None or wanted != self._wanted:
                    self._change(wanted, drop_input=drop_input or mode is KeyMode.HIDDEN)
                elif drop_input:
                    termios.tcflush(self._fd, termios.TCIFLUSH)
            except termios.error:
                pass  # it has hung up, or this process was moved to the background
            finally:
                self._changing = False

    def _change(self, wanted: Attributes, *, drop_input: bool) -> None:
        """Set the modes; once more if a signal handler of this thread has restored them meanwhile (Ctrl-Z)."""
        self._changing = self._interrupted = True
        while self._interrupted and self.in_foreground:
            self._interrupted = False
            self._keep(self._fd, self._saved, wanted)
            if self._interrupted:
                continue  # this process may have been continued in the background
            termios.tcsetattr(self._fd, termios.TCSAFLUSH if drop_input else termios.TCSADRAIN, wanted)
            ours = termios.tcgetattr(self._fd)
            if ours != wanted:
                self._keep(self._fd, self._saved, ours)
            self._wanted, self._ours = wanted, ours

    @property
    def changed(self) -> bool:
        """Whether the modes are those of `ask_for`."""
        return self._ours is not None

    def restore(self, *, drop_input: bool = False) -> None:
        """Restore the modes, unless another program has changed them since.

        Args:
            drop_input: whether to drop what was typed and not read, so that a shell does not run it as a command.
        """
        with self._lock, _background_signals_blocked():
            ours, self._ours = self._ours, None
            self._interrupted = self._changing
            try:
                if self._saved is not None and (
                    self._changing or (ours is not None and termios.tcgetattr(self._fd) == ours)
                ):
                    termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
                if drop_input and self.in_foreground:
                    termios.tcflush(self._fd, termios.TCIFLUSH)
            except termios.error:
                pass  # it has hung up
            if ours is not None or self._changing:
                self._keep(self._fd, None, None)

    def read(self) -> bytes | None:
        """Return the keys that were typed: a line, or single keys; b"" for the end of input, None for nothing."""
        with _background_signals_blocked():
            if not self.in_foreground:
                return None
            try:
                return os.read(self._fd, _READ_SIZE)
            except OSError:
                return None  # nothing was typed, the process was moved to the background, or the terminal has hung up

    def write(self, text: str) -> None:
        """Show text; drop it if the terminal takes none now."""
        self.before_write()
        self.put(text)

    def put(self, text: str) -> None:
        """Show text in the place of the cursor, whatever is there; drop it if the terminal takes none now."""
        with _background_signals_blocked():
            try:
                os.write(self._fd, text.encode("utf-8", "replace"))
            except OSError:
                pass

    def make_room(self) -> None:
        """Leave the row of a question, because this process is about to write something else to the terminal."""
        self.before_output()

    def show(self, text: str, line: str) -> None:
        """Show text when earlier output was shown.

        Args:
            text: what to show.
            line: the beginning of a line that this shows and that may arrive as output later; '' for none.
        """
        self._in_order(partial(self._show, text, line))

    def _show(self, text: str, line: str) -> None:
        self.note_prompt(line)
        self.write(text)

    def note_prompt(self, text: str) -> None:
        """Note that a prompt is shown, which may arrive as output later; see `take_prompt`."""
        if self._screen and text.strip():
            self._shown.append(text.strip())
            del self._shown[:-_MOST_PROMPTS]

    @property
    def expects_prompts(self) -> bool:
        """Whether prompts were shown that have not arrived as output."""
        return bool(self._shown)

    def take_prompt(self, line: str) -> bool:
        """Return whether a line of output is a prompt that was shown, perhaps with its answer; once for each."""
        for prompt in self._shown:
            if line.strip().startswith(prompt):
                self._shown.remove(prompt)
                return True
        return False

    def close(self) -> None:
        """Restore the modes and close the terminal."""
        self.restore()
        close_owned(self._fd)


def find_user_terminal() -> UserTerminal | None:
    """Return the terminal that standard input or output of this process is; None if neither is one.

    The terminal must be the controlling one, because otherwise the kernel does not say whether this process is in its
    foreground.
    """
    keys, screen = _is_own(sys.stdin), _is_own(sys.stdout)
    return open_user_terminal(keys=keys, screen=screen) if keys or screen else None


def open_user_terminal(*, keys: bool, screen: bool) -> UserTerminal | None:
    """Return the controlling terminal of this process; None if it has none."""
    try:
        fd = os.open(_PLACE, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    return UserTerminal(fd, keys=keys, screen=screen)


def _is_own(stream: Any) -> bool:
    try:
        fd = stream.fileno()
        os.tcgetpgrp(fd)
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _take_lines(modes: Attributes, *, echo: bool) -> None:
    """Make the terminal pass on whole lines, and show what is typed only if `echo`."""
    modes[LOCAL] |= termios.ICANON | termios.ISIG | termios.IEXTEN
    modes[LOCAL] = modes[LOCAL] | termios.ECHO if echo else modes[LOCAL] & ~termios.ECHO


def _take_keys(modes: Attributes, *, signals: bool) -> None:
    """Make the terminal pass on single keys without showing them; Ctrl-C is one of them unless `signals`."""
    modes[_INPUT] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR)
    modes[LOCAL] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    modes[LOCAL] = modes[LOCAL] | termios.ISIG if signals else modes[LOCAL] & ~termios.ISIG
    modes[CHARACTERS][termios.VMIN], modes[CHARACTERS][termios.VTIME] = 1, 0


_CHANGES: dict[KeyMode, Callable[[Attributes], None]] = {
    KeyMode.LINES: partial(_take_lines, echo=True),
    KeyMode.HIDDEN: partial(_take_lines, echo=False),
    KeyMode.KEYS: partial(_take_keys, signals=True),
    KeyMode.RAW: partial(_take_keys, signals=False),
}
"""What changes the modes that are restored later."""


def plain_modes(attributes: Sequence[Any]) -> list[Any]:
    """Return modes as JSON data."""
    characters = [item if isinstance(item, int) else item[0] for item in attributes[CHARACTERS]]
    return [*attributes[:CHARACTERS], characters]


@contextmanager
def _background_signals_blocked() -> Iterator[None]:
    """Let the terminal return errors instead of stopping this process, if it is moved to the background meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
