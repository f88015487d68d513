# SPDX-License-Identifier: GPL-3.0-or-later
"""The aggregate callback that records a run as events, in addition to the user's stdout callback.

Ansible calls the stdout callback before the aggregate ones, so text displayed during one dispatch belongs to the event
of that dispatch. Text displayed outside of a dispatch becomes its own event. Events are written as JSON lines to the
file or FIFO named by PLAYSTREAM_EVENTS.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playstream.plugin.callback.parts.of import playstream_recording as recording
else:

    def _load(name: str) -> Any:
        """Load the package with this name from the directory of this file, wherever it was copied."""
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

ADHOC_PLAYBOOK = "__adhoc_playbook__"


class CallbackModule(recording.RecordingCallback):
    """Records the callbacks of a run as events."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "playstream"
    CALLBACK_NEEDS_ENABLED = False

    @recording.guarded
    def v2_playbook_on_start(self, recorder: recording.Recorder, playbook: Any) -> None:
        name = getattr(playbook, "_file_name", "???")
        recorder.adhoc = name == ADHOC_PLAYBOOK
        self._enter(recorder, {"playbook": name, "playbook_uuid": self._playbook_uuid}, {})
        recorder.record("playbook_on_start", "", recorder.context, self._playbook_uuid)

    @recording.guarded
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
        self._enter(recorder, recorder.playbook, {})  # the prompt belongs to the play that is about to start
        asked = {"varname": varname, "private": private, "prompt": prompt, "encrypt": encrypt, "confirm": confirm}
        data = {**asked, "salt_size": salt_size, "salt": salt, "default": default, "unsafe": unsafe}
        recorder.record("playbook_on_vars_prompt", recording.members(data), recorder.context)

    @recording.guarded
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

    @recording.guarded
    def v2_playbook_on_task_start(self, recorder: recording.Recorder, task: Any, is_conditional: bool) -> None:
        self._task_start(recorder, task, is_conditional)

    @recording.guarded
    def v2_playbook_on_handler_task_start(self, recorder: recording.Recorder, task: Any) -> None:
        self._task_start(recorder, task, is_conditional=True)

    @recording.guarded
    def v2_playbook_on_no_hosts_matched(self, recorder: recording.Recorder) -> None:
        recorder.record("playbook_on_no_hosts_matched", "", recorder.context)

    @recording.guarded
    def v2_playbook_on_no_hosts_remaining(self, recorder: recording.Recorder) -> None:
        recorder.record("playbook_on_no_hosts_remaining", "", recorder.context)

    @recording.guarded
    def v2_playbook_on_notify(self, recorder: recording.Recorder, handler: Any, host: Any) -> None:
        data = recording.members({"host": host.get_name(), "handler": handler.get_name()})
        recorder.record("playbook_on_notify", data, recorder.context)

    @recording.guarded
    def v2_playbook_on_include(self, recorder: recording.Recorder, included_file: Any) -> None:
        task = getattr(included_file, "_task", None)
        data = recording.members({"included_file": getattr(included_file, "_filename", None)})
        context = recorder.context if task is None else self._context(recorder, task)
        recorder.record("playbook_on_include", data, context)

    @recording.guarded
    def v2_playbook_on_stats(self, recorder: recording.Recorder, stats: Any) -> None:
        self._enter(recorder, recorder.playbook, {})
        names = ("changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped")
        data = {name: getattr(stats, name, {}) for name in names}
        data["artifact_data"] = getattr(stats, "custom", {}).get("_run", {})
        recorder.record("playbook_on_stats", recording.members(data), recorder.context)

    v2_runner_on_start = recording.RecordingCallback._host_start  # no method that calls it, to save page faults

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
