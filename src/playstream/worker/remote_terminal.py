"""The user's terminal at the other end of a link: it is asked by Prompt records, and answers by Input and Resize."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from playstream.pipeline.protocol import Input, KeyMode, Prompt, Record, Resize
from playstream.worker.user_terminal import InOrder, Keep

_MOST_KEYS = 1 << 16
"""Bytes of keys that wait until they are asked for."""
_MOST_MODES = 1000
"""Number of changes of the mode after which the answer to a question is too old to be known."""


class RemoteTerminal:
    """The user's terminal, of which the sender's side reports the state.

    Keys take time to arrive, so that the question for which they were typed may be over. Each change of the mode has a
    number, which comes back with the keys. Keys that were typed for an earlier question go to the next one, as on a
    terminal of this host, unless one of the two is hidden: a password goes to its own question or to none.

    Args:
        emit: takes the records for the other side.
    """

    def __init__(self, emit: Callable[[Record], None]) -> None:
        self._emit = emit
        self._state = Resize()
        self._resized = False
        self._was_away = False
        """Whether the user could not type at some time since the question."""
        self._number = 0
        self._mode = KeyMode.NONE
        self._modes: dict[int, KeyMode] = {}
        """The last modes by their numbers."""
        self._keys: deque[bytes] = deque()
        self._waiting = 0
        """Number of bytes in it."""

    @property
    def takes_keys(self) -> bool:
        """Whether its keys go to a job that waits for input."""
        return self._state.keyboard

    @property
    def in_foreground(self) -> bool:
        """Whether the user can type now. After an absence a question is over, so that it is asked again."""
        return self._state.foreground and not (self._was_away and self._mode is not KeyMode.NONE)

    @property
    def hides_output(self) -> bool:
        """Whether the output of the job is not shown there."""
        return self._state.quiet

    @property
    def has_keys(self) -> bool:
        """Whether keys have arrived that were not read."""
        return bool(self._keys)

    def fileno(self) -> None:
        """Return None: keys arrive as records."""

    def begin(self, keep: Keep, in_order: InOrder) -> None:
        """Do nothing: the other side restores the modes, and records are in order."""

    def change(self, state: Resize) -> None:
        """Take the state of the terminal."""
        size = (state.rows, state.columns)
        self._resized = self._resized or (0 not in size and size != (self._state.rows, self._state.columns))
        self._was_away = self._was_away or not state.foreground
        self._state = state

    def receive(self, keys: Input) -> None:
        """Take keys, which are dropped if no question may have them, or too many wait."""
        asked = self._modes.get(keys.number)
        for number in [number for number in self._modes if number < keys.number]:
            del self._modes[number]  # keys arrive in order
        if asked is None or (keys.number != self._number and KeyMode.HIDDEN in {asked, self._mode}):
            return
        if self._waiting + len(keys.data) <= _MOST_KEYS:
            self._keys.append(keys.data)
            self._waiting += len(keys.data)

    def take_size(self) -> tuple[int, int] | None:
        """Return the rows and columns if they have changed since the last call; None if not."""
        if not self._resized:
            return None
        self._resized = False
        return self._state.rows, self._state.columns

    def ask_for(self, mode: KeyMode) -> None:
        """Ask for keys in a mode."""
        if mode is self._mode:
            return
        if KeyMode.HIDDEN in {mode, self._mode}:
            self._keys.clear()
            self._waiting = 0
        self._number += 1
        self._mode = self._modes[self._number] = mode
        if len(self._modes) > _MOST_MODES:
            del self._modes[min(self._modes)]
        self._was_away = not self._state.foreground
        self._emit(Prompt(self._number, mode))

    def restore(self, *, drop_input: bool = False) -> None:  # noqa: ARG002 - the other side drops it
        """Ask for nothing more."""
        self.ask_for(KeyMode.NONE)

    def read(self) -> bytes | None:
        """Return the next keys that have arrived; None if there are none."""
        if not self._keys:
            return None
        keys = self._keys.popleft()
        self._waiting -= len(keys)
        return keys

    def show(self, text: str, line: str) -> None:
        """Show text when earlier output was shown; see UserTerminal."""
        self._emit(Prompt(self._number, self._mode, text, line))
