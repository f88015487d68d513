# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers events, adds their text and writes them."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable
from os import getpid, urandom
from threading import get_ident
from typing import Any

from ansible import __version__ as ansible_version

from .channel import WRITE_BUFFER, not_recorded, open_events, read_origin, write_long
from .context import Context
from .no_log import mask
from .wire import encode, iso_of, members, microseconds, quote, text_of

TURN_SECONDS = 1.0  # a callback may wait for a thread that displays; wrong order is better than a deadlock
MAX_TEXT = 1 << 20
ONLY_FAILED = frozenset(("runner_on_failed", "runner_on_async_failed", "runner_item_on_failed"))
KEPT_OF_LONG_RES = (
    "changed",
    "failed",
    "skipped",
    "unreachable",
    "rc",
    "msg",
    "attempts",
    "censored",
    "item",
    "ansible_loop_var",
    "ansible_job_id",
    "started",
    "finished",
    "start",
    "end",
    "delta",
)

Kind = dict[str, Any]
"""An event for text outside of callbacks: its name as the first key, and more fields."""
_Event = tuple[str, str, str, str, str, bool, Context]
"""An event's uuid, name, time, text up to the context's last field, own fields, whether it has any, and context."""


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() == "true"


def _number(name: str) -> int | None:
    try:
        return int(os.environ.get(name, ""))
    except ValueError:
        return None


def _shortened(res: dict[str, Any]) -> dict[str, Any]:
    scalars = {key: res[key] for key in KEPT_OF_LONG_RES if isinstance(res.get(key), (str, int, float))}
    return {key: value[:1000] if isinstance(value, str) else value for key, value in scalars.items()}


class Recorder:
    """Records the events of one process."""

    __slots__ = (
        "_after_name",
        "_before_name",
        "_channel",
        "_counter",
        "_display",
        "_line",
        "_lock",
        "_only_failed",
        "_path",
        "_trouble",
        "_turn",
        "_warned",
        "adhoc",
        "all_kept",
        "context",
        "kinds",
        "max_res",
        "pid",
        "play",
        "playbook",
        "showings",
        "stopped",
        "strays",
    )

    def __init__(self, display: Any, path: str, origin: str | None) -> None:
        self.playbook: dict[str, Any] = {}
        self.play: dict[str, Any] = {}
        self.adhoc = True  # until a real playbook starts; ansible-console starts none
        self.context = Context({}, self.adhoc)
        self.stopped = False
        self.pid = getpid()
        self.strays: deque[str] = deque()
        """Text that was written outside of any capture."""
        self.kinds: dict[int, Kind] = {}
        """By thread: the kind of event of the text that it is displaying."""
        self.showings: dict[int, tuple[list[str], list[_Event], tuple[Any, ...]]] = {}
        """By thread: the texts and events of its capture so far, and the arguments of the call."""
        self._display = display
        self._path = path
        self._warned = False
        self._trouble = ""
        self._counter = self._line = 0
        self._turn = threading.RLock()
        self._lock = threading.RLock()
        ident = os.environ.setdefault("PLAYSTREAM_IDENT", str(uuid.uuid4()))
        names = ("job_id", "ad_hoc_command_id", "project_update_id")
        ids = {name: number for name in names if (number := _number(name.upper())) is not None}
        self._before_name = f'"runner_ident":{quote(ident)},"event":"'
        self._after_name = f'",{members(ids)}"pid":{self.pid},"created":"'
        limit = _number("MAX_EVENT_RES")
        self.max_res = 700000 if limit is None else limit
        omit = _flag("RUNNER_OMIT_EVENTS")
        self._only_failed = _flag("RUNNER_ONLY_FAILED_EVENTS") and not omit
        self.all_kept = not omit and not self._only_failed
        self._channel = open_events(path)
        sys.stdout.flush()
        sys.stderr.flush()
        if origin is not None:
            hello = {"playstream": 1, "pid": self.pid, "ansible": ansible_version}
            self._channel.write(encode(hello).encode() + b"\n")
            self._channel.flush()
            self._counter, self._line, secrets = read_origin(origin)
            if not mask(secrets):
                display.warning("playstream: this ansible-core cannot mask secrets. Use no_log instead")
        atexit.register(self._at_exit)

    def captured(self, shown: Callable[..., Any]) -> Callable[..., Any]:
        """Let the text that `shown` displays belong to the last event recorded meanwhile, or become its own event."""

        @functools.wraps(shown)
        def captured(*args: Any, **kwargs: Any) -> Any:
            thread = get_ident()
            # Inside a capture the text belongs to the outer one; a forked worker's text returns through the main
            # process.
            if thread in self.showings or self.stopped or getpid() != self.pid:
                return shown(*args, **kwargs)
            has_turn = self._turn.acquire(True, TURN_SECONDS)
            if self.strays:
                self._emit_strays()
            texts: list[str] = []
            events: list[_Event] = []
            self.showings[thread] = texts, events, args
            try:
                return shown(*args, **kwargs)
            finally:
                self.showings.pop(thread, None)
                try:
                    if events:
                        last = events.pop()
                        for event in events:
                            self._emit(event, "")
                        self._emit(last, "".join(texts))
                    elif texts:
                        self._emit(self._shown_event(self.kinds.get(thread)), "".join(texts))
                finally:
                    if has_turn:
                        self._turn.release()

        return captured

    def enter(self, playbook: dict[str, Any], play: dict[str, Any]) -> None:
        """Set the playbook and the play of the next events, without a task."""
        self.playbook, self.play = playbook, play
        self.context = self.context_of({})

    def context_of(self, about: dict[str, Any]) -> Context:
        """Return the context of a task of this play."""
        return Context({**self.playbook, **self.play, **about}, self.adhoc)

    def keeps(self, name: str) -> bool:
        """Return whether events with this name keep their `event_data`."""
        return self.all_kept or (self._only_failed and name in ONLY_FAILED)

    def cut(self, res: Any, text: str) -> str:
        """Return the JSON that replaces a result that is too long; `text` is the JSON of the result."""
        if not isinstance(res, dict):
            return text
        truncated = {"size": len(text), "limit": self.max_res}
        return f'{encode(_shortened(res))},"res_truncated":{encode(truncated)}'

    def record(self, name: str, data: str, context: Context, own: str | None = None, created: str = "") -> None:
        """Record an event with these fields in `event_data`, in addition to those of the context."""
        if self.all_kept and own is None:
            digits = urandom(16).hex()  # as in uuid.uuid4()
            variant = "89ab"[int(digits[16], 16) & 3]
            own = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
            event = own, name, created or iso_of(microseconds()), context.head, data, True, context
        else:
            event = self._event(name, data, context, own, created)
        showing = self.showings.get(get_ident())
        if showing is None:
            self._emit(event, "")
        else:
            showing[1].append(event)

    def _event(
        self, name: str, data: str, context: Context, own: str | None, created: str = "", before: str = ""
    ) -> _Event:
        kept = self.keeps(name)
        head = context.head_of(own, before=before, kept=kept)
        own = own or str(uuid.uuid4())
        return own, name, created or iso_of(microseconds()), head, data if kept else "", kept, context

    def _shown_event(self, kind: Kind | None, context: Context | None = None) -> _Event:
        fields = dict(kind or {"verbose": True})
        name = next(iter(fields))
        verbosity = fields.pop("verbosity", None)
        before = "" if verbosity is None else f'"verbosity":{verbosity},'
        return self._event(name, members(fields), context or self.context, None, before=before)

    def _emit_strays(self) -> None:
        text = "".join(self.strays.popleft() for _ in range(len(self.strays)))
        self._emit(self._shown_event(None), text)

    def _emit(self, event: _Event, text: str) -> None:
        try:
            with self._lock:
                if len(text) > MAX_TEXT:
                    text = self._emit_pieces(event[-1], text)
                if self.stopped or getpid() != self.pid:
                    return
                own, name, created, head, data, kept, _ = event
                self._counter += 1
                start = self._line
                if text:
                    self._line += text.count("\n")
                    text = text.rstrip("\r\n")  # the number of lines shows how many there were
                quoted = quote(own)
                last = f'"uuid":{quoted}}}}}\n' if kept else "}}\n"
                line = (
                    f'{{"uuid":{quoted},"counter":{self._counter},"stdout":{quote(text)},"start_line":{start},'
                    f'"end_line":{self._line},{self._before_name}{name}{self._after_name}{created}",{head}{data}{last}'
                ).encode()
                if len(line) > WRITE_BUFFER:
                    write_long(self._channel, line)
                else:
                    self._channel.write(line)
                    self._channel.flush()
        except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
            self._stop((isinstance(exc, OSError) and exc.strerror) or text_of(exc))
        if self._trouble:
            trouble, self._trouble = self._trouble, ""
            self._warn(trouble)

    def _emit_pieces(self, context: Context, text: str) -> str:
        """Send all but the last piece of a long text as events before its own."""
        start = 0
        while len(text) - start > MAX_TEXT and not self.stopped:
            cut = text.rfind("\n", start, start + MAX_TEXT) + 1 or start + MAX_TEXT
            self._emit(self._shown_event(None, context), text[start:cut])
            start = cut
        return text[start:]

    def fail(self, exc: Exception) -> None:
        """Warn that an event could not be recorded, because of an error in the plugin; the run continues."""
        self._warn(f"playstream: an event could not be recorded ({type(exc).__name__}: {text_of(exc)}).")

    def _stop(self, reason: str) -> None:
        self.stopped = True
        self._trouble = not_recorded(self._path, reason)
        try:
            self._channel.raw.close()  # writing the rest of the buffer would fail again
        except OSError:
            return

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._display.warning(message)

    def _at_exit(self) -> None:
        if self.stopped or getpid() != self.pid:
            return
        interrupted = self.showings.pop(get_ident(), None)  # an interrupt broke into a dispatch
        if interrupted:
            self.strays.extend(interrupted[0])
        if self.strays:
            self._emit_strays()
