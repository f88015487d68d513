"""The vocabulary of a run's events: their names, their outcomes and counts, and reading their fields.

The events come from a worker that is not trusted: a field of the wrong type counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

PLAYBOOK_START = "playbook_on_start"
PLAY_START = "playbook_on_play_start"
TASK_START = "playbook_on_task_start"
RUNNER_START = "runner_on_start"
"""A task begins on a host."""
NO_HOSTS_MATCHED = "playbook_on_no_hosts_matched"
STATS = "playbook_on_stats"
ERROR = "error"
"""A message of Ansible itself."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""A change of colour in Ansible's output."""

TaskStatus = Literal["ok", "failed", "skipped", "unreachable"]
"""How a task ended on a host."""
TASK_ENDS: Mapping[str, TaskStatus] = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_skipped": "skipped",
    "runner_on_unreachable": "unreachable",
}
"""The events that end a task on a host. Items of a loop are also in the loop's own result."""
ITEM_ENDS: Mapping[str, TaskStatus] = {
    "runner_item_on_ok": "ok",
    "runner_item_on_failed": "failed",
    "runner_item_on_skipped": "skipped",
}
"""The events that end one item of a loop."""

Outcome = Literal["ok", "changed", "failed", "ignored", "skipped", "unreachable"]
"""A TaskStatus that also shows whether something changed or a failure is ignored."""
STATS_TABLES: Mapping[str, str] = {
    "ok": "ok",
    "changed": "changed",
    "failures": "failures",
    "unreachable": "dark",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}
"""The counts of a host, and the names of their tables in Ansible's statistics."""

CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
"""What Ansible shows instead of a result that `no_log` hides."""
_PRIVATE = "_ansible_"
"""The beginning of the keys of a result that Ansible keeps for itself."""


def data_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event's `event_data`; empty if it is not a mapping."""
    return mapping_of(event, "event_data")


def moment_of(text: object) -> float | None:
    """Return a time as the events have it, in seconds since 1970; None if it is not one."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo is not None else None


def res_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result in an event's data; empty if it is not a mapping."""
    return mapping_of(data, "res")


def public_res(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the result in an event's data as Ansible shows it.

    Ansible's private keys (`_ansible_no_log` …) are removed from it and from the items of a loop in it. What they mark
    as hidden by `no_log` is replaced by `censored`, because a worker may have sent it.
    """
    res = _public(res_of(data))
    items = res.get("results")
    if isinstance(items, list):
        res["results"] = [_public(item) if isinstance(item, dict) else item for item in items]
    return res


def _public(res: Mapping[str, Any]) -> dict[str, Any]:
    if res.get("_ansible_no_log"):
        return {"censored": CENSORED}
    return {key: value for key, value in res.items() if not is_private(key)}


def is_private(key: object) -> bool:
    """Return whether a key of a result is one that Ansible keeps for itself."""
    return isinstance(key, str) and key.startswith(_PRIVATE)


def mapping_of(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field that is a mapping; empty if it is not."""
    value = mapping.get(name)
    return value if isinstance(value, dict) else {}


def text_of(mapping: Mapping[str, Any], name: str) -> str:
    """Return a field that is text; '' if it is not."""
    value = mapping.get(name)
    return value if isinstance(value, str) else ""


def is_changed(res: Mapping[str, Any]) -> bool:
    """Return whether a result reports a change. Any true value counts, as in Ansible."""
    return bool(res.get("changed"))


def is_ignored(status: TaskStatus, data: Mapping[str, Any]) -> bool:
    """Return whether a task failed on a host and the playbook ignores that (`ignore_errors`)."""
    return status == "failed" and bool(data.get("ignore_errors"))


def outcome_of(status: TaskStatus, data: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a task on a host.

    Args:
        status: how it ended, according to TASK_ENDS.
        data: the data of the event that ended it.
    """
    if status == "ok":
        return "changed" if is_changed(res_of(data)) else "ok"
    return "ignored" if is_ignored(status, data) else status


def counts_of(status: TaskStatus, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the counts to which Ansible adds a result (`_process_pending_results` of its strategies).

    Args:
        status: how the task ended on the host, according to TASK_ENDS.
        data: the data of the event that ended it.
    """
    if status == "failed" and not is_ignored(status, data):
        return ("failures",)
    if status not in {"ok", "failed"}:
        return (status,)
    changed = ("changed",) if is_changed(res_of(data)) else ()
    return ("ok", *changed, *(("ignored",) if status == "failed" else ()))


def one_line(text: str) -> str:
    """Return a text without colours and line ends, its words separated by single spaces."""
    return " ".join(COLOUR.sub("", text).split())
