"""The user's terminal, lent to a worker at the other end of a link.

The worker is not trusted. It gets what the user types while its question is shown, and nothing that was typed before.
Every line that it shows begins with the name of the link, so that a question of this host looks different. It can show
text and colours there, and go back within its line, but not over that name.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

from playstream.interface.asked_line import AskedLine
from playstream.interface.terminal_text import make_plain
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Waker
from playstream.pipeline.protocol import Input, KeyMode, Prompt, Record, Resize
from playstream.worker.guard import Guard
from playstream.worker.user_terminal import UserTerminal

_INTERRUPT = 0x03
"""Ctrl-C, where it is a key."""
_SHOWING = {KeyMode.NONE, KeyMode.LINES}
"""The modes in which the terminal shows what is typed."""
_MAX_NAME = 40
"""Characters of a link's name that are shown."""


class LentTerminal:
    """The user's terminal, on which a worker may ask.

    `take` and `close` are called in the thread of the run, which shows the output; the methods of a Companion in the
    thread that sends.

    Args:
        user: the user's terminal.
        name: the name of the link.
    """

    def __init__(self, user: UserTerminal, name: str) -> None:
        self._user = user
        self._line = AskedLine(_shorten(name))
        self._lock = threading.Lock()
        """Held while the question changes."""
        self._place = threading.RLock()
        """Held while the row of the question changes. Whoever has it calls nothing that waits for another lock."""
        self._lost: float | None = None
        """Since when something else has been below the question, on the monotonic clock; None if nothing is."""
        self._number = 0
        self._mode = KeyMode.NONE
        self._over = 0
        """The number of the last question that ended here, because the user was away."""
        self._asked = False
        """Whether anything was ever asked."""
        self._sent: Resize | None = None
        self._interrupts = 0
        """How often Ctrl-C was typed in a row, as a key."""
        self._typed: list[Input] = []
        """Keys that were read and not sent."""
        self._started = self._stopped = False
        """Whether keys are read, and whether they no longer are."""
        self._changed = Waker()
        self._guard: Guard | None = None
        """Restores the modes if this process is killed."""
        user.before_output = self._make_room

    def take(self, prompt: Prompt) -> None:
        """Show what the worker asks, and take keys for it.

        Raises:
            JobError: the guard, which restores the modes if this process is killed, cannot be started.
        """
        with self._lock:
            if self._user.takes_keys and not self._stopped and prompt.number > self._over:
                self._ask(prompt)
        self._changed.wake()

    def _ask(self, prompt: Prompt) -> None:
        asks = prompt.mode is not KeyMode.NONE
        begins = asks and self._mode is KeyMode.NONE
        if begins and self._guard is None:
            self._guard = Guard()
            self._user.guard_with(self._guard.keep_terminal)
        if self._mode is KeyMode.RAW and prompt.mode is not KeyMode.RAW:
            self._take_the_rest()
        drops = begins or (prompt.mode is KeyMode.HIDDEN and prompt.number != self._number)
        if self._mode in _SHOWING:
            with self._place:
                self._line.fill()  # the terminal has shown what was typed
        goes_on = prompt.number == self._number
        self._asked = self._asked or asks
        self._number, self._mode = prompt.number, prompt.mode
        # Before the question is shown: what is typed after that is for it.
        self._user.ask_for(self._kept_mode, drop_input=drops)
        # It may call what writes to the terminal in other threads too, so not while the row is changed.
        self._user.before_write()
        with self._place:
            columns = self._user.columns
            before = self._line.again(columns) if asks and goes_on and self._lost is not None else ""
            self._lost = None
            self._user.put(before + self._line.add(prompt.text, columns) if asks else self._line.end())
        self._user.note_prompt(prompt.line)

    def _make_room(self) -> None:
        """End the row of the question, because something else is written below it."""
        with self._place:
            if rest := self._line.end():
                self._user.put(rest)
            self._line.leave()
            if self._lost is None:
                self._lost = time.monotonic()

    def show_again(self) -> None:
        """Show a question that is in force again, if something else is below it. Called often, in the run's thread."""
        with self._lock:
            if self._lost is None or self._mode is KeyMode.NONE or time.monotonic() - self._lost < LOOK_SECONDS:
                return
            self._user.before_write()
            with self._place:
                self._lost = None
                self._user.put(self._line.again(self._user.columns))

    @property
    def _kept_mode(self) -> KeyMode:
        """The mode of the terminal: Ctrl-C is a key only while keys are read."""
        return KeyMode.KEYS if self._mode is KeyMode.RAW and not self._started else self._mode

    def _take_the_rest(self) -> None:
        """Read what was typed up to the end of the mode in which Ctrl-C is a key, so that none is lost.

        Otherwise a worker could lose it by changing the mode all the time.
        """
        self._user.ask_for(KeyMode.KEYS)  # in which it is a signal, and what was typed before is still readable
        if self._user.changed and (keys := self._user.read()) and not self._interrupts_twice(keys):
            self._typed.append(Input(self._number, keys))

    def close(self) -> None:
        """Restore the terminal, when everything was shown. Keys that nobody has read are dropped after a question."""
        self.stop()
        self._user.before_output = lambda: None
        with self._place:
            rest = self._line.end()
        if rest:
            self._user.write(rest)
        self._user.restore(drop_input=self._asked)
        if self._guard is not None:
            self._guard.close()
        self._changed.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable when the question has changed."""
        return self._changed.fileno()

    @property
    def source(self) -> int | None:
        """The terminal, while its keys are asked for."""
        asked = self._mode is not KeyMode.NONE and self._user.changed and self._user.in_foreground
        return self._user.fileno() if asked else None

    def state(self) -> Resize:
        """Return the size of the terminal and whether the user can type, and note that they were sent."""
        self._sent = self._look_safely()
        return self._sent

    def start(self) -> None:
        """Note that keys are read from now on."""
        with self._lock:
            self._started = True
            if self._mode is KeyMode.RAW and self._user.changed:
                self._user.ask_for(self._mode)

    def pause(self) -> None:
        """Note that no keys are read until `start`. Meanwhile Ctrl-C is a signal, as nobody takes it as a key."""
        with self._lock:
            self._started = False
            if self._mode is KeyMode.RAW and self._user.changed:
                self._take_the_rest()

    def _look(self) -> Resize:
        rows, columns = self._user.size or (0, 0)
        here = self._user.in_foreground
        if self._mode is not KeyMode.NONE and not (here and self._user.changed):
            # After a stop (Ctrl-Z) or in the background the terminal has not the modes for the question, which is
            # over: the worker hears that the user was away, and asks again.
            here = False
            self._mode, self._over = KeyMode.NONE, self._number
            with self._place:
                self._line.leave()
        return Resize(
            rows,
            columns,
            keyboard=self._user.takes_keys,
            foreground=here,
            quiet=self._user.hides_output,
        )

    def records(self) -> Iterator[Record]:
        """Yield what has changed, and what was typed."""
        self._changed.acknowledge()
        while (state := self._look_safely()) != self._sent:
            self._sent = state
            yield state
        yield from self._read()

    def _look_safely(self) -> Resize:
        with self._lock:
            return self._look()

    def _read(self) -> list[Input]:
        with self._lock:
            typed, self._typed = self._typed, []
            keys = None if self.source is None else self._user.read()
            if keys is None:
                return typed
            if self._mode is KeyMode.LINES and keys.endswith(b"\n"):
                with self._place:
                    self._line.leave()  # the terminal has shown the end of the line
            if self._mode is not KeyMode.RAW:
                self._interrupts = 0
            elif self._interrupts_twice(keys):
                return typed
            return [*typed, Input(self._number, keys)]

    def _interrupts_twice(self, keys: bytes) -> bool:
        """Return whether Ctrl-C was typed twice in a row where it is a key. This process then gets its signal.

        A worker that does not answer to the first cannot keep the user.
        """
        for key in keys:
            self._interrupts = self._interrupts + 1 if key == _INTERRUPT else 0
            if self._interrupts == 2:
                self._interrupts = 0
                os.kill(os.getpid(), signal.SIGINT)
                return True
        return False

    def stop(self) -> None:
        """Restore the modes: nothing more is sent, so nothing is asked."""
        with self._lock:
            self._stopped = True
            self._mode = KeyMode.NONE
            self._user.restore()


def _shorten(name: str) -> str:
    """Return the name of a link as it is shown: of a path the last part, such as `exec:podman`."""
    kind, _, place = name.partition(":")
    short = name if place.startswith("//") else f"{kind}:{os.path.basename(place)}"
    return make_plain(short[:_MAX_NAME])
