"""Why a run ended as it did, in one sentence, from its events.

The events come from a worker that is not trusted: a field of the wrong type counts as missing. The memory is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playstream.pipeline.host_order import sort_hosts
from playstream.process.event_data import (
    ERROR,
    ITEM_ENDS,
    NO_HOSTS_MATCHED,
    PLAY_START,
    STATS,
    TASK_ENDS,
    data_of,
    is_ignored,
    mapping_of,
    one_line,
    res_of,
    text_of,
)

_UNREADABLE = re.compile(r"Unable to parse (.{1,300}?) as an inventory source")
_NO_HOSTS = re.compile(r"No hosts matched, nothing to do|provided hosts list is empty")
_NO_TASK = 'No matching task "', '" found'
"""The text before and after the name in Ansible's message."""
_RUNNING_NOTHING = ("--list-", "--syntax")
"""Beginnings of the options with which Ansible runs nothing; it accepts abbreviations."""
_CHECK_INVENTORY = ". Check the inventory, hosts and limit"
_CHECK_TASK = (
    ". Check the name: Ansible compares it with the names of all tasks, except those in files that are included while "
    "the playbook runs (include_tasks, include_role)"
)
_MAX_TEXT = 1 << 16
"""Maximum number of characters of Ansible's output before its first play, and of an error, that are searched."""
_MAX_NAME = 300
"""Maximum number of characters of the name of a task or a host that are shown."""
_MAX_HOSTS = 2000
"""Maximum number of hosts whose failures are kept."""
_SHOWN_HOSTS = 3
_SHOWN_GROUPS = 3
"""How many hosts of a task, and how many tasks, are named; of the others only the number of hosts is."""
_HOSTS_FAILED = frozenset({2, 3, 4, 6, 8, 10, 12, 14})
"""Ansible's return codes if tasks failed or hosts were unreachable."""
_FAILURES = frozenset({"runner_on_failed", "runner_on_unreachable", "runner_item_on_failed"})


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong on a host."""

    unreachable: bool
    task: str
    reason: str


class Explainer:
    """Follows the events of a run to explain its end.

    Ansible reports success for an unreadable inventory, for no hosts, and if the task to start at does not exist; then
    what matters is whether the run reached a host. If the run failed, what matters is the last failure of each host.
    """

    def __init__(self) -> None:
        self._plays = 0
        self._without_hosts = 0
        self._text = ""
        self._error = ""
        """The text of the last error message during the plays."""
        self._missing_task: str | None = None
        self._runs_tasks = True
        self._reached = False
        """True after the first event of a host."""
        self._failures: dict[str, _Failure] = {}
        """The last failure of each host that is not ignored. It may have been rescued."""
        self._items: dict[str, str] = {}
        """By host, why the first failed item of its loop failed, until the task ends."""
        self._dropped = False
        """Whether failures of more hosts were not kept."""
        self._failed: int | None = None
        """The number of hosts that failed according to Ansible's statistics; None before they arrive."""

    def command(self, words: Sequence[str]) -> None:
        """Take the command: with some options Ansible lists or checks something, and runs nothing."""
        self._runs_tasks = not any(word.startswith(_RUNNING_NOTHING) for word in words)

    def event(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        name = event.get("event")
        if not isinstance(name, str):
            return
        if name in TASK_ENDS or name in ITEM_ENDS:
            self._reached = True
            if self._items or name in _FAILURES:
                self._take_result(name, data_of(event))
        elif name == STATS:
            self._take_stats(data_of(event))
        elif name == ERROR:
            self._take_error(event)
        elif not self._reached:
            self._take_beginning(name)
        if not self._reached and not self._plays and len(self._text) < _MAX_TEXT:
            self._text += text_of(event, "stdout")[:_MAX_TEXT] + "\n"

    def _take_beginning(self, name: str) -> None:
        if name.startswith("runner_"):
            self._reached = True
        elif name == PLAY_START:
            self._plays += 1
        elif name == NO_HOSTS_MATCHED:
            self._without_hosts += 1

    def _take_error(self, event: Mapping[str, Any]) -> None:
        self._error = text_of(event, "stdout")[:_MAX_TEXT]
        before, after = _NO_TASK
        _, found, rest = one_line(self._error).partition(before)
        if found:
            self._missing_task = rest.partition(after)[0]

    def _take_result(self, name: str, data: Mapping[str, Any]) -> None:
        host = text_of(data, "host")[:_MAX_NAME]
        if not host:
            return  # events are empty with omit_event_data
        from playstream.process.reasons import reason_of  # noqa: PLC0415 - most runs have no failures

        if name in ITEM_ENDS:
            if name in _FAILURES and len(self._items) < _MAX_HOSTS:
                self._items.setdefault(host, reason_of(res_of(data)))
            return
        item = self._items.pop(host, "")
        if name not in _FAILURES or is_ignored(TASK_ENDS[name], data):
            return
        if host not in self._failures and len(self._failures) >= _MAX_HOSTS:
            self._dropped = True
            return
        task, role = text_of(data, "task") or text_of(data, "task_action"), text_of(data, "role")
        whole = _name(f"{role} : {task}" if role else task)
        unreachable = TASK_ENDS[name] == "unreachable"
        self._failures[host] = _Failure(unreachable, whole, item or reason_of(res_of(data)))

    def _take_stats(self, data: Mapping[str, Any]) -> None:
        """Forget failures that were rescued: only the statistics tell. Several playbooks share their statistics."""
        if not data:
            return
        failed, unreachable = (_hosts_in(mapping_of(data, table)) for table in ("failures", "dark"))
        self._failed = len(failed | unreachable)
        self._failures = {host: why for host, why in self._failures.items() if host in failed or host in unreachable}
        for host in sorted(failed | unreachable):
            if len(self._failures) >= _SHOWN_HOSTS:
                break
            self._failures.setdefault(host, _Failure(host in unreachable, "", ""))

    def explain(self, *, successful: bool, rc: int | None) -> str | None:
        """Return a message for the user about a run that has ended; None if there is none.

        Args:
            successful: whether it was successful.
            rc: Ansible's return code; None if it is not known.
        """
        text = one_line(self._text)
        unread = dict.fromkeys(_UNREADABLE.findall(text))
        said = [
            f"Ansible could not read the inventory {name}"
            for name in unread  # of a directory with nothing else in it, Ansible says so too
            if not any(other.startswith(f"{name.rstrip('/')}/") for other in unread if other != name)
        ]
        if not successful:
            why = self._explain_failure(rc)
            if why is not None:
                return "; ".join([why, *said])
        elif not self._reached and self._runs_tasks:
            if self._plays and self._without_hosts >= self._plays:
                said.append("no play matched a host, so nothing was done")
            elif not self._plays and _NO_HOSTS.search(text):
                said.append("no host matched, so nothing was done")
            elif self._missing_task is not None:
                # If no host matches, Ansible does not search for the task.
                missing = f"no task to start at is named {_name(self._missing_task)!r}, so nothing was done"
                return "; ".join([*said, missing]) + _CHECK_TASK
        return "; ".join(said) + _CHECK_INVENTORY if said else None

    def _explain_failure(self, rc: int | None) -> str | None:
        """Return which hosts failed at which task and why, or Ansible's error message."""
        from playstream.process.reasons import error_in  # noqa: PLC0415

        hosts = self._explain_hosts()
        # Without statistics, Ansible was stopped by an error, and earlier failures may have been rescued.
        if hosts is not None and (self._failed is not None or rc in _HOSTS_FAILED):
            return hosts
        return error_in(self._error) or error_in(self._text) or hosts

    def _explain_hosts(self) -> str | None:
        groups: dict[tuple[bool, str], dict[str, str]] = {}
        for host, failure in self._failures.items():
            groups.setdefault((failure.unreachable, failure.task), {})[host] = failure.reason
        if not groups:
            return None
        shown = list(groups.items())[:_SHOWN_GROUPS]
        parts = [_describe(unreachable, task, reasons) for (unreachable, task), reasons in shown]
        more = max(self._failed or 0, len(self._failures)) - sum(len(reasons) for _, reasons in shown)
        if more:
            parts.append(f"{more} more {_hosts(more)} failed")
        elif self._dropped and self._failed is None:
            parts.append("other hosts failed too")
        return "; ".join(parts)


def _describe(unreachable: bool, task: str, reasons: Mapping[str, str]) -> str:
    """Return a clause about the hosts that failed at a task.

    Args:
        unreachable: whether they could not be reached.
        task: name of the task; '' if it is not known.
        reasons: by host, why; '' if it is not known.
    """
    hosts = sort_hosts(reasons)  # they end in any order
    names = [_name(host) for host in hosts[:_SHOWN_HOSTS]]
    more = len(reasons) - len(names)
    if more:
        who = f"{', '.join(names)} and {more} other {_hosts(more)}"
    else:
        who = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    what = f"{who} {'could not be reached' if unreachable else 'failed'}{f' at task {task!r}' if task else ''}"
    first = reasons[hosts[0]]
    if not first:
        return what
    return f"{what}: {first}" if len(set(reasons.values())) == 1 else f"{what}: on {names[0]}, {first}"


def _hosts(count: int) -> str:
    return "host" if count == 1 else "hosts"


def _hosts_in(table: Mapping[str, Any]) -> set[str]:
    return {host for host, count in table.items() if type(count) is int and count > 0}


def _name(text: str) -> str:
    line = one_line(text[: 4 * _MAX_NAME])
    return line if len(line) <= _MAX_NAME else f"{line[:_MAX_NAME]}…"
