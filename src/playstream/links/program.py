"""A link over the standard streams of a program: `exec:`, and the base of `ssh://`."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from playstream.links.link import OpenLink
from playstream.pipeline.errors import IncompleteStream, LinkError, PlaystreamError, WorkerNotFound
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import enlarge_pipe

_END_SECONDS = 2.0
"""How long a program may take to end by itself after the stream, and then after SIGTERM."""
_LOG_SECONDS = 0.5
"""How long to wait for the last of its messages, because a process that it has left may hold the pipe."""
_KEPT = 16384
"""Characters of its messages that are kept, from the last ones."""
_logger = logging.getLogger("playstream")

Explain = Callable[["Ended", PlaystreamError], PlaystreamError]
"""Returns the reason for the end of a link from how its program ended, and from the error on this side."""


class Ended:
    """How a program has ended.

    Args:
        name: the name of the link.
        code: its exit status, or the negative number of the signal that ended it; None if this side ended it.
        messages: the last lines of its standard error.
        answered: whether the worker has sent anything.
    """

    def __init__(self, name: str, code: int | None, messages: Sequence[str], *, answered: bool) -> None:
        self.name = name
        self.code = code
        self.messages = messages
        self.answered = answered

    @property
    def how(self) -> str:
        """How it ended, for messages."""
        if self.code is None:
            return "did not end by itself"
        return f"ended with exit status {self.code}" if self.code >= 0 else f"was ended by signal {-self.code}"

    @property
    def last_message(self) -> str:
        """Its last message as the end of a sentence, or nothing."""
        return f"; its last message: {self.messages[-1].rstrip('.')}" if self.messages else ""


class ProgramLink:
    """A link over a program that connects its standard input and output to a worker.

    Args:
        name: the name of the link, for messages.
        words: the program and its arguments; it is run without a shell.
        explain: explains how it ended.
    """

    def __init__(self, name: str, words: Sequence[str], explain: Explain | None = None) -> None:
        self.name = name
        self._words = list(words)
        self._explain = explain or explain_program

    def open(self, _cancellation: Cancellation | None = None, /) -> OpenLink:
        """Start the program.

        Raises:
            LinkError: it cannot be started.
        """
        return _OpenProgram(self.name, self._words, self._explain)


class _OpenProgram:
    def __init__(self, name: str, words: list[str], explain: Explain) -> None:
        self._name = name
        self._explain = explain
        self._ended_here = False
        self._messages: list[str] = []
        theirs, self.writer = os.pipe()
        self.reader, their_output = os.pipe()
        messages, their_messages = os.pipe()
        for fd in (self.reader, self.writer):
            enlarge_pipe(fd)
        try:
            with _keyboard_signals_blocked():
                self._process = subprocess.Popen(words, stdin=theirs, stdout=their_output, stderr=their_messages)
        except OSError as error:
            for fd in (self.reader, self.writer, messages):
                os.close(fd)
            raise LinkError(f"link {name}: {words[0]!r} cannot be started: {error.strerror}") from None
        finally:
            for fd in (theirs, their_output, their_messages):
                os.close(fd)
        self._listener = threading.Thread(target=self._listen, args=(messages,), name="playstream-link", daemon=True)
        self._listener.start()

    def _listen(self, messages: int) -> None:
        """Keep and log the lines of the program's standard error, until every process that has it has ended."""
        size = 0
        with open(messages, "rb") as lines:
            while line := lines.readline(_KEPT):  # a line without an end must not fill the memory
                text = line.decode("utf-8", "backslashreplace").strip()[:_KEPT]
                if not text:
                    continue
                _logger.info("%s: %s", self._name, text)
                self._messages.append(text)
                size += len(text)
                while size > _KEPT and len(self._messages) > 1:
                    size -= len(self._messages.pop(0))

    def note_sent(self, size: int) -> None:
        """Do nothing: the job ends with the program. See OpenLink."""

    def end(self, *, wait: bool) -> None:
        """Wait for the end of the program; send SIGTERM and then SIGKILL if it does not end. See OpenLink."""
        by_itself = (None,) if wait else ()
        for stop in (*by_itself, self._process.terminate, self._process.kill):
            if stop is not None and self._process.poll() is None:
                self._ended_here = True
                stop()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break
        self._listener.join(_LOG_SECONDS)

    def explain(self, error: PlaystreamError, *, answered: bool) -> PlaystreamError:
        """Return why the link ended; see OpenLink."""
        code = None if self._ended_here else self._process.returncode
        return self._explain(Ended(self._name, code, tuple(self._messages), answered=answered), error)

    def close(self) -> None:
        """Close the pipes."""
        os.close(self.reader)
        os.close(self.writer)


@contextmanager
def _keyboard_signals_blocked() -> Iterator[None]:
    """Block the signals of the keyboard for a program started in this context.

    This process handles Ctrl-C: the job is canceled over the link, which has to last until the results have arrived.
    The program stays in the foreground of the terminal, where ssh asks for a password.
    """
    if sys.platform == "win32":
        yield
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGQUIT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def explain_program(ended: Ended, error: PlaystreamError) -> PlaystreamError:
    """Explain the end of any program."""
    if not isinstance(error, IncompleteStream):
        return error
    if ended.answered:
        return type(error)(f"link {ended.name}: the program {ended.how}{ended.last_message}. {error}")
    start = f"link {ended.name}: no worker answered, and the program {ended.how}{ended.last_message}"
    if ended.code in {126, 127}:
        return WorkerNotFound(
            f"{start}. This exit status means that a program was not found or cannot be executed; at the other end "
            "that is probably playstream: give its whole path"
        )
    foreign = f". This side {foreign}" if (foreign := str(error)).startswith("received") else ""
    return type(error)(
        f"{start}{foreign}. The command should start playstream worker, and connect its standard input and output"
    )
