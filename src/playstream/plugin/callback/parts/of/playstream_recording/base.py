# SPDX-License-Identifier: GPL-3.0-or-later
"""Code that the callbacks share: the recorder, the context of a task, and its results."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Callable
from time import monotonic_ns, time_ns
from typing import Any

from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible.executor import task_result
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__

from .channel import not_recorded
from .context import Context
from .no_log import CENSORED
from .pipelining import end_modules_with_connections
from .recorder import Recorder
from .shown import listen
from .strategies import prepare_mitogen
from .temporary import tell_temporary_directory
from .wire import encode, iso_of, members, quote, text_of

OLDEST = (2, 15)
"""The oldest ansible-core that is tested."""
PUBLIC_NAMES = hasattr(task_result, "CallbackTaskResult")
"""Before ansible-core 2.19 the names of a result's parts were private; since then these cause deprecation warnings."""
SHOWS_ARGS = bool(getattr(C, "DISPLAY_ARGS_TO_STDOUT", False))


def _censor_items(res: dict[str, Any]) -> None:
    """Hide what no_log hides. The result is a copy: ansible passes one to each callback."""
    items = res["results"]
    if isinstance(items, list):
        hidden = {"censored": CENSORED}
        res["results"] = [hidden if isinstance(item, dict) and item.get("_ansible_no_log") else item for item in items]


def _forget_environment(res: dict[str, Any]) -> None:
    """Remove the fact with the environment of a host, which on this host is the job's, with its secrets."""
    facts = res.get("ansible_facts")
    if isinstance(facts, dict):
        facts.pop("ansible_env", None)
    items = res.get("results")
    if isinstance(items, list):
        for item in items:
            if isinstance(item, dict) and "ansible_facts" in item:
                _forget_environment(item)


def _resolved_action(task: Any) -> str | None:
    """Return the full name of a task's action; None if it is a template that Ansible has not evaluated yet.

    Newer versions of Ansible print a warning if a callback asks for it then.
    """
    known = getattr(task, "_resolved_action", None)
    if known is None and "{{" in str(task.action):
        return None
    name: str | None = known or getattr(task, "resolved_action", task.action)
    return name


def guarded(method: Callable[..., None]) -> Callable[..., None]:
    """Guard a method that is not called for each host. Methods that are include this code, to save page faults."""

    @functools.wraps(method)
    def guarded(self: RecordingCallback, *args: Any, **kwargs: Any) -> None:
        recorder = RecordingCallback.recorder
        if recorder is None or recorder.stopped:
            self.disabled = True
            return
        try:
            method(self, recorder, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
            recorder.fail(exc)

    return guarded


class RecordingCallback(CallbackBase):  # type: ignore[misc]
    """A callback with a recorder: tasks, hosts and their results as events."""

    recorder: Recorder | None = None  # ansible-console creates a new callback for each command

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display=display, options=options)
        path = os.environ.pop("PLAYSTREAM_EVENTS", None)
        origin = os.environ.pop("PLAYSTREAM_ORIGIN", None)
        if os.environ.pop("PLAYSTREAM_PIPELINING", None):
            end_modules_with_connections()
        run = os.environ.pop("PLAYSTREAM_SUDO", None)
        if run:
            from .sudo import pipeline_where_sudo_can  # noqa: PLC0415 - most runs do not need it

            pipeline_where_sudo_can(run)
        sockets = os.environ.pop("PLAYSTREAM_MITOGEN", None)
        if sockets:
            prepare_mitogen(sockets)
        spool = os.environ.get("PLAYSTREAM_SPOOL")
        if spool:
            tell_temporary_directory(spool)
        if path and RecordingCallback.recorder is None:
            try:
                recorder = Recorder(self._display, path, origin)
                listen(recorder)
                RecordingCallback.recorder = recorder
                self._warn_of_version()
            except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
                reason = exc.strerror if isinstance(exc, OSError) else None
                self._display.warning(not_recorded(path, reason or text_of(exc)))
        self.disabled = RecordingCallback.recorder is None
        self._playbook_uuid = str(uuid.uuid4())
        self._repeats: dict[str, int] = {}
        # By host: start time, context, task, and start on the monotonic clock.
        self._running: dict[str, tuple[int, Context, Any, int]] = {}
        self._tasks: dict[str, Context] = {}

    def _warn_of_version(self) -> None:
        """Warn once that this Ansible is older than the tested versions."""
        found = tuple(int(part) for part in __version__.split(".")[:2])
        if found < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            self._display.warning(
                f"This is ansible-core {__version__}, and playstream is tested with {oldest} and later. Events and "
                f"facts may be missing or wrong. Install ansible-core {oldest} or later where the job runs"
            )

    def _context(self, recorder: Recorder, task: Any) -> Context:
        """Return the task's fields, which are nearly always the same for all hosts."""
        key = task._uuid
        name = str(task.name or task.action)
        context = self._tasks.get(key)
        if context is None or context.fields["task"] != name:
            about = {"task": name, "task_uuid": key, "task_action": task.action}
            about["resolved_action"] = _resolved_action(task)
            about["task_args"] = ""
            if hasattr(task, "get_path"):
                about["task_path"] = task.get_path()
            role = getattr(task, "_role", None)
            role_name = role._role_name if role else getattr(task, "role_name", "")
            if role_name:
                about["role"] = role_name
            if role and role.get_name() != role_name:
                about["resolved_role"] = role.get_name()
            context = self._tasks[key] = recorder.context_of(about)
        if SHOWS_ARGS:  # the task of a result has the arguments of its host
            args = ", ".join(f"{k}={v}" for k, v in task.args.items() if not str(k).startswith("_ansible_"))
            return recorder.context_of({**context.fields, "task_args": CENSORED if task.no_log else args})
        return context

    def _enter(self, recorder: Recorder, playbook: dict[str, Any], play: dict[str, Any]) -> None:
        self._tasks = {}  # their contexts belong to the previous play
        recorder.enter(playbook, play)

    def _unique(self, own: str) -> str:
        """Make a uuid unique, because plays and tasks repeat with serial and with strategy free."""
        count = self._repeats[own] = self._repeats.get(own, 0) + 1
        return own if count == 1 else f"{own}_{count}"

    def _task_start(self, recorder: Recorder, task: Any, is_conditional: bool) -> None:
        recorder.context = self._context(recorder, task)
        if not recorder.adhoc:
            own = self._unique(str(task._uuid))
            data = {"name": str(task.get_name()), "is_conditional": is_conditional}
            recorder.record("playbook_on_task_start", members(data), recorder.context, own)

    def _host_start(self, host: Any, task: Any) -> None:
        recorder = RecordingCallback.recorder
        if recorder is None or recorder.stopped:
            self.disabled = True
            return
        try:
            context = self._context(recorder, task)
            now = time_ns() // 1000
            self._running[host.name] = now, context, task, monotonic_ns()
            recorder.record("runner_on_start", f'"host":{quote(host.name)},', context, None, iso_of(now))
        except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
            recorder.fail(exc)

    def _host_result(  # noqa: PLR0912 - each further function costs page faults; see the package
        self,
        name: str,
        result: Any,
        has_res: bool = True,
        ended: bool = False,
        has_loop: bool = False,
        more: str = "",
        field: tuple[str, str] | None = None,
    ) -> None:
        """Record an event about a task's result on a host.

        `more` has more fields; `field` is the name of one, and its name in the result.
        """
        recorder = RecordingCallback.recorder
        if recorder is None or recorder.stopped:
            self.disabled = True
            return
        try:
            if PUBLIC_NAMES:
                host, task, res = result.host, result.task, result.result
            else:
                host, task, res = result._host, result._task, result._result
            context = self._context(recorder, task)
            running = self._running.get(host.name)
            hidden = False
            if running is not None and task._uuid not in self._repeats:
                # An async task is polled by a task that never started and does not know about no_log.
                context = running[1]
                hidden = bool(running[2].no_log)
            if res.get("_ansible_no_log") or res.get("censored") == CENSORED:
                res = {"censored": CENSORED}
                if context.fields["task_args"]:
                    context = recorder.context_of({**context.fields, "task_args": CENSORED})
            elif "results" in res:
                _censor_items(res)
            if ended and running is not None:  # even if the clock was set meanwhile
                now = running[0] + (monotonic_ns() - running[3]) // 1000
            else:
                now = time_ns() // 1000
            end = iso_of(now)
            if field:
                more += members({field[0]: res.get(field[1])})
            shown = ""
            if has_res and (recorder.all_kept or recorder.keeps(name)):
                if hidden:
                    res = {"censored": CENSORED}
                elif "ansible_facts" in res or "results" in res:
                    _forget_environment(res)
                shown = encode(res)
                shown = f'"res":{shown if len(shown) <= recorder.max_res else recorder.cut(res, shown)},'
            if has_loop:
                more += '"event_loop":null,' if task.loop_with is None else f'"event_loop":{encode(task.loop_with)},'
            if not ended:
                data = f'"host":{quote(host.name)},{shown}{more}'
            elif running is None:
                about = f'"remote_addr":{quote(host.address)},"start":null,"end":null,"duration":null'
                data = f'"host":{quote(host.name)},{about},{shown}{more}'
            else:
                began = running[0]
                data = (
                    f'"host":{quote(host.name)},"remote_addr":{quote(host.address)},"start":"{iso_of(began)}",'
                    f'"end":"{end}","duration":{(now - began) / 1000000},{shown}{more}'
                )
            recorder.record(name, data, context, None, end)
        except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
            recorder.fail(exc)
