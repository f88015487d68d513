# SPDX-License-Identifier: GPL-3.0-or-later
"""The aggregate callback that records a run as events, beside whatever stdout callback the user has.

Ansible dispatches each callback to the stdout callback first and to the aggregate ones after it, so the text
displayed during one dispatch belongs to the event that the dispatch gives. Text displayed outside any dispatch
becomes an event of its own. Events leave as JSON lines through the file or FIFO named by PLAYSTREAM_EVENTS.
"""

from __future__ import annotations

import atexit
import datetime as dt
import errno
import functools
import io
import json
import math
import os
import select
import sys
import termios
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from ansible import __version__ as ansible_version
from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

DOCUMENTATION = """
name: playstream
type: aggregate
short_description: records a run as a stream of events
description:
  - Writes one JSON object per event to the file or FIFO named by the environment variable PLAYSTREAM_EVENTS.
  - Without that variable it does nothing at all.
requirements:
  - none; it is loaded without being enabled
"""

PATIENCE_SECONDS = 10.0  # for a reader to open its end of the FIFO, and for its answer to the hello line
TURN_SECONDS = 1.0  # a callback may display from a thread it waits for; order is worth less than a deadlock
MAX_TEXT = 1 << 20
WRITE_BUFFER = 1 << 22
CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
ADHOC_PLAYBOOK = "__adhoc_playbook__"
FACT_MODULES = frozenset(p + m for p in ("", "ansible.builtin.", "ansible.legacy.") for m in ("setup", "gather_facts"))
ONLY_FAILED = frozenset(("runner_on_failed", "runner_on_async_failed", "runner_item_on_failed"))
KEPT_OF_LONG_RES = (
    "changed", "failed", "skipped", "unreachable", "rc", "msg", "attempts", "censored", "item", "ansible_loop_var",
    "ansible_job_id", "started", "finished", "start", "end", "delta",
)  # fmt: skip
CONTEXT = (
    "playbook", "playbook_uuid", "play", "play_uuid", "play_pattern", "task", "task_uuid", "task_action",
    "resolved_action", "task_args", "task_path", "role", "resolved_role",
)  # fmt: skip

_Event = dict[str, Any]


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - an undefined template variable raises whatever it likes
        return f"<{type(value).__name__}>"


def _default(value: Any) -> object:
    """What json cannot write by itself. Never raises."""
    try:
        ciphertext = getattr(value, "_ciphertext", None)
        if ciphertext is not None:
            return {"__ansible_vault": _default(ciphertext) if isinstance(ciphertext, bytes) else _text(ciphertext)}
        if isinstance(value, (dt.date, dt.time)):
            return value.isoformat()
        if isinstance(value, (bytes, bytearray)):
            return bytes(value).decode("utf-8", "surrogateescape")
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, Set):
            return sorted(value, key=_text)
        if isinstance(value, Sequence):
            return list(value)
    except Exception:  # noqa: BLE001 - the object's own methods may raise anything
        return _text(value)
    return _text(value)


def _plain(value: Any, above: tuple[int, ...] = ()) -> Any:
    """A copy that json surely accepts: text keys, finite numbers, no cycles."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 4096 else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _text(value)
    if id(value) in above or len(above) > 100:
        return "..."
    above = (*above, id(value))
    if isinstance(value, dict):
        return {str(key) if isinstance(key, str) else _text(key): _plain(item, above) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, above) for item in value]
    return _plain(_default(value), above)


_encode: Callable[[object], str] = json.JSONEncoder(
    allow_nan=False, check_circular=False, default=_default, separators=(",", ":")
).encode


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() == "true"


def _number(name: str) -> int | None:
    try:
        return int(os.environ.get(name, ""))
    except ValueError:
        return None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def _open_events(path: str) -> io.BufferedWriter:
    """Open the channel. A FIFO nobody reads would block a plain open for ever, hence O_NONBLOCK at first."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fd = os.open(path, flags, 0o600)
            break
        except OSError as exc:
            if exc.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    os.set_blocking(fd, True)
    # BufferedWriter goes on correctly after a partial write, also one cut short by Ctrl-C.
    return io.BufferedWriter(io.FileIO(fd, "w"), WRITE_BUFFER)


def _read_origin(path: str) -> tuple[int, int]:
    """The reader's `[counter, line]`, or (0, 0)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    answer = b""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0, 0
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while b"\n" not in answer and len(answer) < 256 and time.monotonic() < deadline:
            poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            try:
                chunk = os.read(fd, 256)
            except BlockingIOError:
                continue
            if not chunk:  # no writer at the moment
                time.sleep(0.005)
            answer += chunk
        counter, line = json.loads(answer)
    except (OSError, ValueError, TypeError):
        return 0, 0
    finally:
        os.close(fd)
    if type(counter) is int and type(line) is int and counter >= 0 and line >= 0:
        return counter, line
    return 0, 0


def _piece_of(event: _Event) -> _Event:
    """A verbose event to carry a leading piece of a long text of this one."""
    own = str(uuid.uuid4())
    data = {key: event["event_data"][key] for key in CONTEXT if key in event["event_data"]}
    kept = {**data, "uuid": own, "verbose": True} if event["event_data"] else {}
    return {**event, "uuid": own, "event": "verbose", "event_data": kept}


def _shortened(res: dict[str, Any]) -> dict[str, Any]:
    scalars = {key: res[key] for key in KEPT_OF_LONG_RES if isinstance(res.get(key), (str, int, float))}
    return {key: value[:1000] if isinstance(value, str) else value for key, value in scalars.items()}


class _Tee:
    """Stands in for sys.stdout or sys.stderr and tells the recorder what was written.

    It takes no lock: it runs under Display's own, and workers are forked while other threads write.
    """

    def __init__(self, stream: Any, hear: Callable[[str], None]) -> None:
        self._stream = stream
        self._hear = hear
        self._crlf = _makes_crlf(stream)

    def write(self, text: str) -> Any:
        written = self._stream.write(text)
        self._hear(self.shown(text))
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def shown(self, text: str) -> str:
        return text.replace("\n", "\r\n") if self._crlf else text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _makes_crlf(stream: Any) -> bool:
    try:
        return bool(stream.isatty() and termios.tcgetattr(stream.fileno())[1] & termios.ONLCR)
    except (OSError, ValueError, AttributeError, termios.error):
        return False


class _Showing(threading.local):
    """What this thread is in the middle of displaying; text is None when nothing."""

    text: list[str] | None = None
    events: list[_Event]
    kind: dict[str, Any] | None = None
    has_turn = False


class _Recorder:
    """Numbers events, gives them their text and writes them. One for each process."""

    def __init__(self, display: Any, path: str, origin: str | None) -> None:
        self.playbook: dict[str, Any] = {}
        self.play: dict[str, Any] = {}
        self.task: dict[str, Any] = {}
        self.adhoc = True  # until a playbook that is one starts; ansible-console starts none
        self.stopped = False
        self._display = display
        self._path = path
        self._pid = os.getpid()
        self._warned = False
        self._trouble = ""
        self._counter = self._line = 0
        self._showing = _Showing()
        self._strays: deque[str] = deque()
        self._turn = threading.RLock()
        self._lock = threading.RLock()
        self._ident = os.environ.setdefault("PLAYSTREAM_IDENT", str(uuid.uuid4()))
        names = ("job_id", "ad_hoc_command_id", "project_update_id")
        self._ids = {name: number for name in names if (number := _number(name.upper())) is not None}
        limit = _number("MAX_EVENT_RES")
        self._max_res = 700000 if limit is None else limit
        self._omit = _flag("RUNNER_OMIT_EVENTS")
        self._only_failed = _flag("RUNNER_ONLY_FAILED_EVENTS")
        self._channel = _open_events(path)
        sys.stdout.flush()
        sys.stderr.flush()
        if origin is not None:
            hello = {"playstream": 1, "pid": self._pid, "ansible": ansible_version}
            self._channel.write(json.dumps(hello).encode() + b"\n")
            self._channel.flush()
            self._counter, self._line = _read_origin(origin)

    def install(self) -> None:
        """Listen to everything that is displayed from now on."""
        from ansible.executor.task_queue_manager import TaskQueueManager  # noqa: PLC0415 - only when recording

        self._stdout = sys.stdout = _Tee(sys.stdout, self._hear)
        sys.stderr = _Tee(sys.stderr, self._hear)
        for name in ("deprecated", "warning", "error"):
            # Where the method has a half that runs after the hand-over from a worker, it is the half to wrap: the
            # other one looks at its caller's frame, and is never called for what a worker displays.
            half = "_" + name if hasattr(Display, "_" + name) else name
            setattr(Display, half, self._kind({name: True}, getattr(Display, half)))
        Display.system_warning = self._kind({"system_warning": True}, Display.system_warning)
        if C.DEFAULT_DEBUG:  # else it displays nothing, ten times for each task
            Display.debug = self._kind({"debug": True}, Display.debug)
        half = "_verbose_display" if hasattr(Display, "_verbose_display") else "verbose"
        setattr(Display, half, self._verbose(getattr(Display, half)))
        Display.display = self._captured(Display.display)
        Display.prompt = staticmethod(self._captured(self._echoed(Display.prompt)))
        if hasattr(TaskQueueManager, "send_callback"):
            TaskQueueManager.send_callback = self._captured(TaskQueueManager.send_callback)
        atexit.register(self._at_exit)

    def _hear(self, text: str) -> None:
        if not self.stopped and os.getpid() == self._pid:
            showing = self._showing.text
            (self._strays if showing is None else showing).append(text)

    def _captured(self, shown: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(shown)
        def captured(*args: Any, **kwargs: Any) -> Any:
            # Inside a capture the text is the outer one's; a forked worker's comes back to us through the main process.
            if self._showing.text is not None or self.stopped or os.getpid() != self._pid:
                return shown(*args, **kwargs)
            self._begin()
            try:
                return shown(*args, **kwargs)
            finally:
                self._finish()

        return captured

    def _begin(self) -> None:
        showing = self._showing
        showing.has_turn = self._turn.acquire(timeout=TURN_SECONDS)
        if self._strays:
            self._emit_strays()
        showing.events = []
        showing.text = []

    def _finish(self) -> None:
        showing = self._showing
        text, showing.text = "".join(showing.text or ()), None
        try:
            for event in showing.events[:-1]:
                self._emit(event, "")
            if showing.events:
                self._emit(showing.events[-1], text)
            elif text:
                self._emit(self._shown_event(showing.kind), text)
        finally:
            if showing.has_turn:
                showing.has_turn = False
                self._turn.release()

    def _kind(self, kind: dict[str, Any], shown: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(shown)
        def of_kind(*args: Any, **kwargs: Any) -> Any:
            return self._show(kind, shown, *args, **kwargs)

        return of_kind

    def _verbose(self, shown: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(shown)
        def verbose(display: Any, msg: str, host: Any = None, caplevel: int = 2) -> Any:
            if display.verbosity <= caplevel:
                return shown(display, msg, host=host, caplevel=caplevel)
            kind = {"verbose": True, "verbosity": caplevel + 1}
            if host is not None:
                kind["remote_addr"] = host
            return self._show(kind, shown, display, msg, host=host, caplevel=caplevel)

        return verbose

    def _show(self, kind: dict[str, Any], shown: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Let what `shown` displays be an event of that kind; the outermost kind counts."""
        showing = self._showing
        if showing.kind is not None or showing.text is not None:
            return shown(*args, **kwargs)
        showing.kind = kind
        try:
            return shown(*args, **kwargs)
        finally:
            showing.kind = None

    def _echoed(self, prompt: Callable[..., Any]) -> Callable[..., Any]:
        """The C library writes the prompt and the terminal echoes the answer, both past sys.stdout."""

        @functools.wraps(prompt)
        def echoed(msg: str, private: bool = False) -> Any:
            text = self._showing.text
            before = len(text or ())
            shown = msg
            try:
                answer = prompt(msg, private=private)
                shown = f"{msg}\n" if private else f"{msg}{answer}\n"
            finally:
                if text is not None and len(text) == before:
                    text.append(self._stdout.shown(shown))
            return answer

        return echoed

    def context(self) -> dict[str, Any]:
        return {**self.playbook, **self.play, **self.task}

    def _shown_event(self, kind: dict[str, Any] | None) -> _Event:
        data = {**self.context(), **(kind or {"verbose": True})}
        return self.new_event(next(iter(kind)) if kind else "verbose", data)

    def new_event(self, name: str, data: dict[str, Any]) -> _Event:
        """The event's fields, in their order on the wire."""
        own = data.setdefault("uuid", str(uuid.uuid4()))
        event: _Event = {"uuid": own, "counter": 0, "stdout": "", "start_line": 0, "end_line": 0}
        event["runner_ident"] = self._ident
        event["event"] = name
        event.update(self._ids)
        event["pid"] = self._pid
        event["created"] = _now().isoformat()
        for key in ("playbook_uuid",) if self.adhoc else ("task_uuid", "play_uuid", "playbook_uuid"):
            parent = data.get(key)
            if parent and parent != own:
                event["parent_uuid"] = parent
                break
        if "verbosity" in data:
            event["verbosity"] = data.pop("verbosity")
        keep = not self._omit and (not self._only_failed or name in ONLY_FAILED)
        event["event_data"] = data if keep else {}
        return event

    def record(self, event: _Event) -> None:
        if self._showing.text is None:
            self._emit(event, "")
        else:
            self._showing.events.append(event)

    def _emit_strays(self) -> None:
        text = "".join(self._strays.popleft() for _ in range(len(self._strays)))
        self._emit(self._shown_event(None), text)

    def _emit(self, event: _Event, text: str) -> None:
        try:
            with self._lock:
                start = 0
                while len(text) - start > MAX_TEXT and not self.stopped:
                    cut = text.rfind("\n", start, start + MAX_TEXT) + 1 or start + MAX_TEXT
                    self._send(_piece_of(event), text[start:cut])
                    start = cut
                self._send(event, text[start:])
        except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
            self._stop(_text(exc))
        if self._trouble:
            trouble, self._trouble = self._trouble, ""
            self._warn(trouble)

    def _send(self, event: _Event, text: str) -> None:
        if self.stopped or os.getpid() != self._pid:
            return
        self._counter += 1
        event["counter"] = self._counter
        event["start_line"] = self._line
        self._line = event["end_line"] = self._line + text.count("\n")
        if text.endswith("\n"):
            text = text[:-2] if text.endswith("\r\n") else text[:-1]
        event["stdout"] = text
        line = memoryview(self._line_of(event).encode("ascii") + b"\n")
        try:
            for start in range(0, len(line), WRITE_BUFFER):
                self._channel.write(line[start : start + WRITE_BUFFER])
                self._channel.flush()
        except OSError as exc:
            self._stop(exc.strerror or _text(exc))

    def _line_of(self, event: _Event) -> str:
        data = event["event_data"]
        try:
            line = _encode(event)
        except (TypeError, ValueError, RecursionError):
            event["event_data"] = data = _plain(data)
            line = _encode(event)
        if len(line) > self._max_res and isinstance(data.get("res"), dict):
            size = len(_encode(data["res"]))
            if size > self._max_res:
                data["res"] = _shortened(data["res"])
                data["res_truncated"] = {"size": size, "limit": self._max_res}
                line = _encode(event)
        return line

    def fail(self, exc: Exception) -> None:
        """Something in this file is wrong for this ansible: say so once, and let the run go on."""
        self._warn(f"playstream: an event could not be recorded ({type(exc).__name__}: {_text(exc)}).")

    def _stop(self, reason: str) -> None:
        self.stopped = True
        self._trouble = _not_recorded(self._path, reason)
        try:
            self._channel.raw.close()  # what is left in the buffer could only fail again
        except OSError:
            return

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._display.warning(message)

    def _at_exit(self) -> None:
        if self.stopped or os.getpid() != self._pid:
            return
        if self._showing.text:  # an interrupt broke into a dispatch
            self._strays.extend(self._showing.text)
        self._showing.text = None
        if self._strays:
            self._emit_strays()


def _not_recorded(path: str, reason: str) -> str:
    return (
        f"playstream: events cannot be written to {path} ({reason}). "
        "No more events are recorded; the run itself goes on."
    )


def _of(result: Any, part: str) -> Any:
    """The host, task or result of a task's result; before ansible-core 2.19 the names are private."""
    return getattr(result, part) if hasattr(result, part) else getattr(result, "_" + part)


def _loop_of(result: Any) -> Any:
    return getattr(_of(result, "task"), "loop_with", None)


def _res_of(result: Any) -> dict[str, Any]:
    """The result without what no_log hides. It is our own copy: ansible gives one to each callback."""
    res: dict[str, Any] = _of(result, "result")
    if res.get("_ansible_no_log"):
        return {"censored": CENSORED}
    items = res.get("results")
    if isinstance(items, list):
        hidden = {"censored": CENSORED}
        res["results"] = [hidden if isinstance(item, dict) and item.get("_ansible_no_log") else item for item in items]
    return res


def _guarded(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def guarded(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        recorder = CallbackModule.recorder
        if recorder is None or recorder.stopped:
            self.disabled = True
            return
        try:
            method(self, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
            recorder.fail(exc)

    return guarded


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "playstream"
    CALLBACK_NEEDS_ENABLED = False

    recorder: _Recorder | None = None  # ansible-console makes a new callback for each command

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display=display, options=options)
        path = os.environ.pop("PLAYSTREAM_EVENTS", None)
        origin = os.environ.pop("PLAYSTREAM_ORIGIN", None)
        if path and CallbackModule.recorder is None:
            try:
                recorder = _Recorder(self._display, path, origin)
                recorder.install()
                CallbackModule.recorder = recorder
            except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
                reason = exc.strerror if isinstance(exc, OSError) else None
                self._display.warning(_not_recorded(path, reason or _text(exc)))
        self.disabled = CallbackModule.recorder is None
        self._playbook_uuid = str(uuid.uuid4())
        self._repeats: dict[str, int] = {}
        self._running: dict[str, tuple[dt.datetime, dict[str, Any], bool]] = {}
        self._tasks: dict[str, dict[str, Any]] = {}

    @property
    def _recording(self) -> _Recorder:
        assert CallbackModule.recorder is not None  # noqa: S101 - _guarded has seen to it
        return CallbackModule.recorder

    def _event(self, name: str, data: dict[str, Any], about: dict[str, Any] | None = None) -> None:
        recorder = self._recording
        data = {**recorder.playbook, **recorder.play, **(recorder.task if about is None else about), **data}
        recorder.record(recorder.new_event(name, data))

    def _about(self, task: Any) -> dict[str, Any]:
        """The task's fields, which are nearly always the same for each host."""
        key = str(task._uuid)
        name = task.name or task.action
        about = self._tasks.get(key)
        if about is None or about["task"] != name:
            about = {"task": name, "task_uuid": key, "task_action": task.action}
            about["resolved_action"] = getattr(task, "resolved_action", task.action)
            about["task_args"] = ""
            if hasattr(task, "get_path"):
                about["task_path"] = task.get_path()
            role = getattr(task, "_role", None)
            role_name = role._role_name if role else getattr(task, "role_name", "")
            if role_name:
                about["role"] = role_name
            if role and role.get_name() != role_name:
                about["resolved_role"] = role.get_name()
            self._tasks[key] = about
        if getattr(C, "DISPLAY_ARGS_TO_STDOUT", False):  # a result's task has the arguments as that host got them
            args = ", ".join(f"{k}={v}" for k, v in task.args.items() if not str(k).startswith("_ansible_"))
            return {**about, "task_args": CENSORED if task.no_log else args}
        return about

    def _unique(self, own: str) -> str:
        """Plays and tasks repeat with serial and with strategy free; their events' uuids may not."""
        count = self._repeats[own] = self._repeats.get(own, 0) + 1
        return own if count == 1 else f"{own}_{count}"

    def _of_host(self, name: str, result: Any, **data: Any) -> None:
        host, task = _of(result, "host").get_name(), _of(result, "task")
        about = self._about(task)
        if host in self._running and about["task_uuid"] not in self._repeats:
            # An async task is polled by a task that never started and does not know about no_log.
            _, about, hidden = self._running[host]
            if hidden and "res" in data:
                data["res"] = {"censored": CENSORED}
        if about["task_args"] and _of(result, "result").get("_ansible_no_log"):
            about = {**about, "task_args": CENSORED}
        self._event(name, {"host": host, **data}, about)

    def _ended(self, name: str, result: Any, **data: Any) -> None:
        host = _of(result, "host")
        running, end = self._running.get(host.get_name()), _now()
        timing = {
            "start": running[0].isoformat() if running else None,
            "end": end.isoformat() if running else None,
            "duration": (end - running[0]).total_seconds() if running else None,
        }
        self._of_host(name, result, remote_addr=host.address, **timing, **data)

    @_guarded
    def v2_playbook_on_start(self, playbook: Any) -> None:
        name = getattr(playbook, "_file_name", "???")
        recorder = self._recording
        recorder.adhoc = name == ADHOC_PLAYBOOK
        recorder.playbook = {"playbook": name, "playbook_uuid": self._playbook_uuid}
        recorder.play, recorder.task = {}, {}
        self._event("playbook_on_start", {"uuid": self._playbook_uuid})

    @_guarded
    def v2_playbook_on_vars_prompt(
        self,
        varname: str,
        private: bool = True,
        prompt: str | None = None,
        encrypt: str | None = None,
        confirm: bool = False,
        salt_size: int | None = None,
        salt: str | None = None,
        default: str | None = None,
        unsafe: bool | None = None,
    ) -> None:
        self._recording.play, self._recording.task = {}, {}  # it asks for the play that is about to start
        asked = {"varname": varname, "private": private, "prompt": prompt, "encrypt": encrypt, "confirm": confirm}
        self._event(
            "playbook_on_vars_prompt",
            {**asked, "salt_size": salt_size, "salt": salt, "default": default, "unsafe": unsafe},
        )

    @_guarded
    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self._recording.adhoc:
            return
        hosts = getattr(play, "hosts", "")
        pattern = ",".join(hosts) if isinstance(hosts, list) else hosts
        own = self._unique(str(play._uuid))
        name = play.get_name().strip() or pattern
        self._recording.play = {"play": name, "play_uuid": own, "play_pattern": pattern}
        self._recording.task = {}
        self._event("playbook_on_play_start", {"name": name, "pattern": pattern, "uuid": own})

    def _task_start(self, task: Any, is_conditional: bool) -> None:
        self._recording.task = self._about(task)
        if not self._recording.adhoc:
            own = self._unique(str(task._uuid))
            data = {"name": task.get_name(), "is_conditional": is_conditional, "uuid": own}
            self._event("playbook_on_task_start", data, self._recording.task)

    @_guarded
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._task_start(task, is_conditional)

    @_guarded
    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._task_start(task, is_conditional=True)

    @_guarded
    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._event("playbook_on_no_hosts_matched", {})

    @_guarded
    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._event("playbook_on_no_hosts_remaining", {})

    @_guarded
    def v2_playbook_on_notify(self, handler: Any, host: Any) -> None:
        self._event("playbook_on_notify", {"host": host.get_name(), "handler": handler.get_name()})

    @_guarded
    def v2_playbook_on_include(self, included_file: Any) -> None:
        task = getattr(included_file, "_task", None)
        data = {"included_file": getattr(included_file, "_filename", None)}
        self._event("playbook_on_include", data, None if task is None else self._about(task))

    @_guarded
    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._recording.play, self._recording.task = {}, {}
        names = ("changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped")
        data = {name: getattr(stats, name, {}) for name in names}
        self._event("playbook_on_stats", {**data, "artifact_data": getattr(stats, "custom", {}).get("_run", {})})

    @_guarded
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        about = self._about(task)
        self._running[host.get_name()] = _now(), about, bool(task.no_log)
        self._event("runner_on_start", {"host": host.get_name()}, about)

    @_guarded
    def v2_runner_on_ok(self, result: Any) -> None:
        res = _res_of(result)
        if _of(result, "task").action in FACT_MODULES and isinstance(res.get("ansible_facts"), dict):
            res["ansible_facts"].pop("ansible_env", None)
        self._ended("runner_on_ok", result, res=res, event_loop=_loop_of(result))

    @_guarded
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        more = {"ignore_errors": ignore_errors, "event_loop": _loop_of(result)}
        self._ended("runner_on_failed", result, res=_res_of(result), **more)

    @_guarded
    def v2_runner_on_skipped(self, result: Any) -> None:
        self._ended("runner_on_skipped", result, event_loop=_loop_of(result))

    @_guarded
    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._ended("runner_on_unreachable", result, res=_res_of(result))

    def _async(self, name: str, result: Any) -> None:
        res = _res_of(result)
        self._of_host(name, result, res=res, jid=res.get("ansible_job_id"))

    @_guarded
    def v2_runner_on_async_poll(self, result: Any) -> None:
        self._async("runner_on_async_poll", result)

    @_guarded
    def v2_runner_on_async_ok(self, result: Any) -> None:
        self._async("runner_on_async_ok", result)

    @_guarded
    def v2_runner_on_async_failed(self, result: Any) -> None:
        self._async("runner_on_async_failed", result)

    @_guarded
    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._of_host("runner_item_on_ok", result, res=_res_of(result))

    @_guarded
    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._of_host("runner_item_on_failed", result, res=_res_of(result))

    @_guarded
    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self._of_host("runner_item_on_skipped", result, res=_res_of(result))

    @_guarded
    def v2_runner_retry(self, result: Any) -> None:
        self._of_host("runner_retry", result, res=_res_of(result))

    @_guarded
    def v2_on_file_diff(self, result: Any) -> None:
        self._of_host("runner_on_file_diff", result, diff=_res_of(result).get("diff"))
