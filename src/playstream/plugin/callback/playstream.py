# SPDX-License-Identifier: GPL-3.0-or-later
"""The aggregate callback that records a run as events, beside whatever stdout callback the user has.

Ansible dispatches each callback to the stdout callback first and to the aggregate ones after it, so the text
displayed during one dispatch belongs to the event that the dispatch gives. Text displayed outside any dispatch
becomes an event of its own. Events leave as JSON lines through the file or FIFO named by PLAYSTREAM_EVENTS.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import uuid
from collections.abc import Callable
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any

from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible.executor import task_result
from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from playstream.plugin.callback.parts.of import playstream_recording as recording
else:

    def _load(name: str) -> Any:
        """The package of that name, from beside this file, wherever that was copied."""
        if name not in sys.modules:
            path = os.path.join(os.path.dirname(__file__), "parts", "of", name, "__init__.py")
            spec = importlib.util.spec_from_file_location(name, path)
            sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(sys.modules[name])
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]

    recording = _load("playstream_recording")

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

CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
ADHOC_PLAYBOOK = "__adhoc_playbook__"
FACT_MODULES = frozenset(p + m for p in ("", "ansible.builtin.", "ansible.legacy.") for m in ("setup", "gather_facts"))
PUBLIC_NAMES = hasattr(task_result, "CallbackTaskResult")
"""Before ansible-core 2.19 the names of a result's parts were private, now those give deprecation warnings."""
SHOWS_ARGS = bool(getattr(C, "DISPLAY_ARGS_TO_STDOUT", False))

encode, iso_of, quote = recording.encode, recording.iso_of, recording.quote


def _censor_items(res: dict[str, Any]) -> None:
    """Hide what no_log hides. The result is our own copy: ansible gives one to each callback."""
    items = res["results"]
    if isinstance(items, list):
        hidden = {"censored": CENSORED}
        res["results"] = [hidden if isinstance(item, dict) and item.get("_ansible_no_log") else item for item in items]


def _forget_environment(res: dict[str, Any]) -> None:
    facts = res["ansible_facts"]
    if isinstance(facts, dict):
        facts.pop("ansible_env", None)


def _guarded(method: Callable[..., None]) -> Callable[..., None]:
    """For the methods that are not called for each host; those have it inside, for the page faults' sake."""

    @functools.wraps(method)
    def guarded(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        recorder = CallbackModule.recorder
        if recorder is None or recorder.stopped:
            self.disabled = True
            return
        try:
            method(self, recorder, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
            recorder.fail(exc)

    return guarded


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "playstream"
    CALLBACK_NEEDS_ENABLED = False

    recorder: recording.Recorder | None = None  # ansible-console makes a new callback for each command

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display=display, options=options)
        path = os.environ.pop("PLAYSTREAM_EVENTS", None)
        origin = os.environ.pop("PLAYSTREAM_ORIGIN", None)
        if path and CallbackModule.recorder is None:
            try:
                recorder = recording.Recorder(self._display, path, origin)
                recording.listen(recorder)
                recording.spare_lookups()
                CallbackModule.recorder = recorder
            except Exception as exc:  # noqa: BLE001 - recording never fails the playbook
                reason = exc.strerror if isinstance(exc, OSError) else None
                self._display.warning(recording.not_recorded(path, reason or recording.text_of(exc)))
        self.disabled = CallbackModule.recorder is None
        self._playbook_uuid = str(uuid.uuid4())
        self._repeats: dict[str, int] = {}
        # By host: since when, what, its task, and since when on the clock that does not jump.
        self._running: dict[str, tuple[int, recording.Context, Any, int]] = {}
        self._tasks: dict[str, recording.Context] = {}

    def _context(self, recorder: recording.Recorder, task: Any) -> recording.Context:
        """The task's fields, which are nearly always the same for each host."""
        key = task._uuid
        name = str(task.name or task.action)
        context = self._tasks.get(key)
        if context is None or context.fields["task"] != name:
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
            context = self._tasks[key] = recorder.context_of(about)
        if SHOWS_ARGS:  # a result's task has the arguments as that host got them
            args = ", ".join(f"{k}={v}" for k, v in task.args.items() if not str(k).startswith("_ansible_"))
            return recorder.context_of({**context.fields, "task_args": CENSORED if task.no_log else args})
        return context

    def _enter(self, recorder: recording.Recorder, playbook: dict[str, Any], play: dict[str, Any]) -> None:
        self._tasks = {}  # their contexts tell of the play before
        recorder.enter(playbook, play)

    def _unique(self, own: str) -> str:
        """Plays and tasks repeat with serial and with strategy free; their events' uuids may not."""
        count = self._repeats[own] = self._repeats.get(own, 0) + 1
        return own if count == 1 else f"{own}_{count}"

    def _task_start(self, recorder: recording.Recorder, task: Any, is_conditional: bool) -> None:
        recording.look_again()
        recorder.context = self._context(recorder, task)
        if not recorder.adhoc:
            own = self._unique(str(task._uuid))
            data = {"name": str(task.get_name()), "is_conditional": is_conditional}
            recorder.record("playbook_on_task_start", recording.members(data), recorder.context, own)

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
        """An event about a task's result on a host.

        `more` is further fields; `field` is the name of one, and the result's name for it.
        """
        recorder = CallbackModule.recorder
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
            if res.get("_ansible_no_log"):
                res = {"censored": CENSORED}
                if context.fields["task_args"]:
                    context = recorder.context_of({**context.fields, "task_args": CENSORED})
            elif "results" in res:
                _censor_items(res)
            if ended and running is not None:  # however the clock was set meanwhile
                now = running[0] + (monotonic_ns() - running[3]) // 1000
            else:
                now = time_ns() // 1000
            end = iso_of(now)
            if field:
                more += recording.members({field[0]: res.get(field[1])})
            shown = ""
            if has_res and (recorder.all_kept or recorder.keeps(name)):
                if hidden:
                    res = {"censored": CENSORED}
                elif "ansible_facts" in res and name == "runner_on_ok" and task.action in FACT_MODULES:
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

    @_guarded
    def v2_playbook_on_start(self, recorder: recording.Recorder, playbook: Any) -> None:
        name = getattr(playbook, "_file_name", "???")
        recorder.adhoc = name == ADHOC_PLAYBOOK
        self._enter(recorder, {"playbook": name, "playbook_uuid": self._playbook_uuid}, {})
        recorder.record("playbook_on_start", "", recorder.context, self._playbook_uuid)

    @_guarded
    def v2_playbook_on_vars_prompt(
        self,
        recorder: recording.Recorder,
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
        self._enter(recorder, recorder.playbook, {})  # it asks for the play that is about to start
        asked = {"varname": varname, "private": private, "prompt": prompt, "encrypt": encrypt, "confirm": confirm}
        data = {**asked, "salt_size": salt_size, "salt": salt, "default": default, "unsafe": unsafe}
        recorder.record("playbook_on_vars_prompt", recording.members(data), recorder.context)

    @_guarded
    def v2_playbook_on_play_start(self, recorder: recording.Recorder, play: Any) -> None:
        if recorder.adhoc:
            return
        hosts = getattr(play, "hosts", "")
        pattern = ",".join(hosts) if isinstance(hosts, list) else hosts
        own = self._unique(str(play._uuid))
        name = str(play.get_name()).strip() or pattern
        self._enter(recorder, recorder.playbook, {"play": name, "play_uuid": own, "play_pattern": pattern})
        data = recording.members({"name": name, "pattern": pattern})
        recorder.record("playbook_on_play_start", data, recorder.context, own)

    @_guarded
    def v2_playbook_on_task_start(self, recorder: recording.Recorder, task: Any, is_conditional: bool) -> None:
        self._task_start(recorder, task, is_conditional)

    @_guarded
    def v2_playbook_on_handler_task_start(self, recorder: recording.Recorder, task: Any) -> None:
        self._task_start(recorder, task, is_conditional=True)

    @_guarded
    def v2_playbook_on_no_hosts_matched(self, recorder: recording.Recorder) -> None:
        recorder.record("playbook_on_no_hosts_matched", "", recorder.context)

    @_guarded
    def v2_playbook_on_no_hosts_remaining(self, recorder: recording.Recorder) -> None:
        recorder.record("playbook_on_no_hosts_remaining", "", recorder.context)

    @_guarded
    def v2_playbook_on_notify(self, recorder: recording.Recorder, handler: Any, host: Any) -> None:
        data = recording.members({"host": host.get_name(), "handler": handler.get_name()})
        recorder.record("playbook_on_notify", data, recorder.context)

    @_guarded
    def v2_playbook_on_include(self, recorder: recording.Recorder, included_file: Any) -> None:
        task = getattr(included_file, "_task", None)
        data = recording.members({"included_file": getattr(included_file, "_filename", None)})
        context = recorder.context if task is None else self._context(recorder, task)
        recorder.record("playbook_on_include", data, context)

    @_guarded
    def v2_playbook_on_stats(self, recorder: recording.Recorder, stats: Any) -> None:
        self._enter(recorder, recorder.playbook, {})
        names = ("changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped")
        data = {name: getattr(stats, name, {}) for name in names}
        data["artifact_data"] = getattr(stats, "custom", {}).get("_run", {})
        recorder.record("playbook_on_stats", recording.members(data), recorder.context)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        recorder = CallbackModule.recorder
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

    def v2_runner_on_ok(self, result: Any) -> None:
        self._host_result("runner_on_ok", result, True, True, True)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        more = recording.members({"ignore_errors": ignore_errors})
        self._host_result("runner_on_failed", result, True, True, True, more)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._host_result("runner_on_skipped", result, False, True, True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._host_result("runner_on_unreachable", result, True, True)

    def v2_runner_on_async_poll(self, result: Any) -> None:
        self._host_result("runner_on_async_poll", result, field=("jid", "ansible_job_id"))

    def v2_runner_on_async_ok(self, result: Any) -> None:
        self._host_result("runner_on_async_ok", result, field=("jid", "ansible_job_id"))

    def v2_runner_on_async_failed(self, result: Any) -> None:
        self._host_result("runner_on_async_failed", result, field=("jid", "ansible_job_id"))

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._host_result("runner_item_on_ok", result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._host_result("runner_item_on_failed", result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self._host_result("runner_item_on_skipped", result)

    def v2_runner_retry(self, result: Any) -> None:
        self._host_result("runner_retry", result)

    def v2_on_file_diff(self, result: Any) -> None:
        self._host_result("runner_on_file_diff", result, False, field=("diff", "diff"))
