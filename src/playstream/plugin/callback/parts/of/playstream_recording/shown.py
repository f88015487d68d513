# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures everything that ansible displays."""

from __future__ import annotations

import functools
import sys
import termios
from collections.abc import Callable
from os import getpid
from threading import get_ident
from typing import Any

from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible.utils.display import Display

from .no_log import is_hidden
from .recorder import Kind, Recorder


def listen(recorder: Recorder) -> None:
    """Report everything that is displayed after this to the recorder."""
    from ansible.executor.task_queue_manager import TaskQueueManager  # noqa: PLC0415 - only when recording

    sys.stdout = stdout = _Tee(sys.stdout, recorder)
    sys.stderr = _Tee(sys.stderr, recorder)
    for name in ("deprecated", "warning", "error"):
        # If a second method runs after the hand-over from a worker, wrap that one: the first one inspects its caller's
        # frame and is not called for a worker's messages.
        half = "_" + name
        if hasattr(Display, half):
            setattr(Display, half, _of_kind(recorder, {name: True}, _unless_hidden(recorder, getattr(Display, half))))
        else:
            setattr(Display, name, _of_kind(recorder, {name: True}, getattr(Display, name)))
    Display.system_warning = _of_kind(recorder, {"system_warning": True}, Display.system_warning)
    if C.DEFAULT_DEBUG:  # otherwise it is called ten times for each task and displays nothing
        Display.debug = _of_kind(recorder, {"debug": True}, Display.debug)
    half = "_verbose_display" if hasattr(Display, "_verbose_display") else "verbose"
    setattr(Display, half, _verbose(recorder, getattr(Display, half)))
    Display.display = recorder.captured(Display.display)
    Display.prompt = staticmethod(recorder.captured(_echoed(recorder, stdout, Display.prompt)))
    if hasattr(TaskQueueManager, "send_callback"):
        TaskQueueManager.send_callback = recorder.captured(TaskQueueManager.send_callback)


class _Tee:
    """Replaces sys.stdout or sys.stderr and reports written text to the recorder.

    It takes no lock: Display holds its own, and workers are forked while other threads write.
    """

    __slots__ = ("_crlf", "_recorder", "_stream")

    def __init__(self, stream: Any, recorder: Recorder) -> None:
        self._stream = stream
        self._recorder = recorder
        self._crlf = _makes_crlf(stream)

    def write(self, text: str) -> Any:
        written = self._stream.write(text)
        recorder = self._recorder
        if not recorder.stopped and getpid() == recorder.pid:
            if self._crlf:
                text = text.replace("\n", "\r\n")
            showing = recorder.showings.get(get_ident())
            (recorder.strays if showing is None else showing[0]).append(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def shown(self, text: str) -> str:
        """Return the text as the terminal receives it."""
        return text.replace("\n", "\r\n") if self._crlf else text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _makes_crlf(stream: Any) -> bool:
    try:
        return bool(stream.isatty() and termios.tcgetattr(stream.fileno())[1] & termios.ONLCR)
    except (OSError, ValueError, AttributeError, termios.error):
        return False


def _echoes() -> bool:
    """Return whether the terminal echoes input."""
    try:
        return bool(termios.tcgetattr(0)[3] & termios.ECHO)
    except termios.error:
        return False


def _of_kind(recorder: Recorder, kind: Kind, shown: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(shown)
    def of_kind(*args: Any, **kwargs: Any) -> Any:
        return _show(recorder, kind, shown, *args, **kwargs)

    return of_kind


def _unless_hidden(recorder: Recorder, shown: Callable[..., Any]) -> Callable[..., Any]:
    """Do not display messages of a result that no_log hides."""

    @functools.wraps(shown)
    def unless_hidden(display: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        showing = recorder.showings.get(get_ident())
        if showing is not None and is_hidden(message, showing[2]):
            return None
        return shown(display, message, *args, **kwargs)

    return unless_hidden


def _verbose(recorder: Recorder, shown: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(shown)
    def verbose(display: Any, msg: str, host: Any = None, caplevel: int = 2) -> Any:
        if display.verbosity <= caplevel:
            return shown(display, msg, host=host, caplevel=caplevel)
        kind = {"verbose": True, "verbosity": caplevel + 1}
        if host is not None:
            kind["remote_addr"] = host
        return _show(recorder, kind, shown, display, msg, host=host, caplevel=caplevel)

    return verbose


def _show(recorder: Recorder, kind: Kind, shown: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Make the text that `shown` displays an event of this kind; the outermost kind counts."""
    thread = get_ident()
    if thread in recorder.kinds or thread in recorder.showings:
        return shown(*args, **kwargs)
    recorder.kinds[thread] = kind
    try:
        return shown(*args, **kwargs)
    finally:
        recorder.kinds.pop(thread, None)


def _echoed(recorder: Recorder, stdout: _Tee, prompt: Callable[..., Any]) -> Callable[..., Any]:
    """Record a prompt and its answer, which the C library and the terminal write without sys.stdout.

    The terminal of a job echoes nothing, because the worker's answers are passwords.
    """

    @functools.wraps(prompt)
    def echoed(msg: str, private: bool = False) -> Any:
        showing = recorder.showings.get(get_ident())
        before = len(showing[0]) if showing else 0
        shown = msg
        try:
            answer = prompt(msg, private=private)
            if private:
                shown = f"{msg}\n"
            elif _echoes():
                shown = f"{msg}{answer}\n"
        finally:
            if showing and len(showing[0]) == before:
                showing[0].append(stdout.shown(shown))
        return answer

    return echoed
