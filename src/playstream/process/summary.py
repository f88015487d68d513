"""A summary of a run: counts, results, statistics and facts, computed from its events in one pass.

The events come from a worker that is not trusted: a field of the wrong type counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from playstream.pipeline.io.json_text import fit_json
from playstream.process.event_data import STATS, STATS_TABLES, TaskStatus, counts_of, data_of, mapping_of
from playstream.process.task_results import TaskResult, make_result

_LISTS: Mapping[TaskStatus, str] = {
    "ok": "ok",
    "failed": "failures",
    "skipped": "skipped",
    "unreachable": "unreachable",
}
LISTS = tuple(_LISTS.values())
"""The lists of a host in the summary."""
_NO_SETTERS = ("debug", "setup", "gather_facts")
"""Actions whose `ansible_facts` do not count as set: Ansible ignores those of debug, and the others gather facts."""


def summarize(
    events: Iterable[Mapping[str, Any]], *, ident: str, status: str, rc: int | None, explanation: str | None = None
) -> dict[str, Any]:
    """Return the summary of a run.

    Args:
        events: the events of the run, in their order. Only their results are kept in memory, not their `stdout`.
        ident: name of the run.
        status: how it ended.
        rc: Ansible's return code; None if it is not known.
        explanation: why it ended so; None if there is nothing to explain.

    Returns:
        The summary, as `Summary.as_dict` returns it.

    Example:
        >>> event = {"event": "runner_on_ok", "event_data": {"host": "node1", "task": "Ping", "res": {"ping": "pong"}}}
        >>> summary = summarize([event], ident="7", status="successful", rc=0)
        >>> summary["summary"]["node1"]["ok"], summary["task_summary"]["node1"]["ok"][0]["res"]
        (1, {'ping': 'pong'})
    """
    summary = Summary()
    for event in events:
        summary.add(event)
    return summary.as_dict(ident=ident, status=status, rc=rc, explanation=explanation)


class Summary:
    """Takes the events of a run as they arrive, for its summary at the end.

    Args:
        keep: called with a host, the name of a list, and the result of a task on the host, instead of keeping it here.
            The summary of `as_dict` then has no results.

    Example:
        >>> summary = Summary()
        >>> summary.add({"event": "playbook_on_stats", "event_data": {"ok": {"node1": 2}, "processed": {"node1": 1}}})
        >>> summary.as_dict(ident="7", status="successful", rc=0)["summary"]["node1"]["ok"]
        2
    """

    def __init__(self, keep: Callable[[str, str, dict[str, Any]], None] | None = None) -> None:
        self._keep = keep
        self._stats: Mapping[str, Any] | None = None
        self._seen: dict[str, dict[str, int]] = {}
        self._tasks: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._custom: dict[str, Any] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event.

        Args:
            event: any event. It is not changed, but parts of it become part of the summary.
        """
        name = event.get("event")
        if name == STATS:
            self._stats = fit_json(data_of(event)) or None  # empty with omit_event_data
            return
        result = make_result(event)
        if result is None:
            return
        data = data_of(event)
        if (fit := fit_json(data)) is not data:
            result = make_result({"event": name, "event_data": fit}) or result
        counts = self._seen.setdefault(result.host, dict.fromkeys(STATS_TABLES, 0))
        for counted in counts_of(result.status, fit):
            counts[counted] += 1
        (self._keep or self._keep_here)(result.host, _LISTS[result.status], _entry(result))
        if result.status == "ok":
            if facts := _facts_set(result):
                self._facts.setdefault(result.host, {}).update(facts)
            for part in _parts(result):
                _add_custom(self._custom, part)

    def _keep_here(self, host: str, name: str, entry: dict[str, Any]) -> None:
        """Keep the result of a task on a host, in the list with this name."""
        lists = self._tasks.get(host)
        if lists is None:
            lists = self._tasks[host] = {name: [] for name in LISTS}
        lists[name].append(entry)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By host, the counts that `as_dict` returns as `summary`."""
        if self._stats is not None:
            return _stats_counts(self._stats, self._seen)
        return {host: dict(counts) for host, counts in self._seen.items()}

    def as_dict(self, *, ident: str, status: str, rc: int | None, explanation: str | None = None) -> dict[str, Any]:
        """Return the summary of the events so far.

        Args:
            ident: name of the run.
            status: how it ended.
            rc: Ansible's return code; None if it is not known.
            explanation: why it ended so; None if there is nothing to explain.

        Returns:
            A dict that JSON can represent. Other values are replaced as by `fit_json`: NaN and Infinity become None.

            - `ident`, `status`, `rc`, `explanation`;
            - `summary`: by host, the counts `ok`, `changed`, `failures`, `unreachable`, `skipped`, `rescued` and
            `ignored` of Ansible's statistics. If these are missing, for example because Ansible was killed, the events
            are counted; rescued failures are then among the `failures`; - `task_summary`: by host, the lists `ok`,
            `failures`, `skipped` and `unreachable`, with the `task`, `action`, `path`, `duration` and `res` of each
            result, and `ignored`, whether `ignore_errors` ignored a failure; - `custom_stats`: what `set_stats` set for
            the whole run; - `changed_facts`: by host, the facts that tasks set, with their last values.
        """
        custom = self._custom if self._stats is None else mapping_of(self._stats, "artifact_data")
        return {
            "ident": ident,
            "status": status,
            "rc": rc,
            "explanation": explanation,
            "summary": self.counts,
            "task_summary": {
                host: {name: list(entries) for name, entries in lists.items()} for host, lists in self._tasks.items()
            },
            "custom_stats": fit_json(dict(custom)),  # sums of numbers may be Infinity
            "changed_facts": {host: dict(facts) for host, facts in self._facts.items()},
        }


def _entry(result: TaskResult) -> dict[str, Any]:
    return {
        "task": result.task,
        "action": result.action,
        "path": result.path,
        "duration": result.duration,
        "res": result.res,
        "ignored": result.ignored,
    }


def _stats_counts(stats: Mapping[str, Any], seen: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return Ansible's statistics by host, in the order in which hosts appeared: Ansible's order is random."""
    tables = {name: mapping_of(stats, its_name) for name, its_name in STATS_TABLES.items()}
    hosts = dict.fromkeys((*seen, *mapping_of(stats, "processed"), *(host for t in tables.values() for host in t)))
    return {host: {name: _number(table.get(host)) for name, table in tables.items()} for host in hosts}


def _number(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _parts(result: TaskResult) -> Iterator[Mapping[str, Any]]:
    """Yield a task's result, or the results of a loop's items."""
    items = result.res.get("results")
    if not isinstance(items, list):
        yield result.res
        return
    for item in items:
        if isinstance(item, dict) and not item.get("skipped"):
            yield item


def _facts_set(result: TaskResult) -> dict[str, Any]:
    """Return the facts that a task set on its host."""
    action = result.action.rpartition(".")[2]
    if action in _NO_SETTERS or action.endswith("_facts"):
        return {}
    return {
        name: value
        for part in _parts(result)
        for name, value in mapping_of(part, "ansible_facts").items()
        if not name.startswith(("discovered_interpreter_", "_ansible_"))  # set by Ansible itself, with any first result
    }


def _add_custom(custom: dict[str, Any], res: Mapping[str, Any]) -> None:
    """Apply set_stats as Ansible does. Statistics of single hosts do not count for the run."""
    asked = mapping_of(res, "ansible_stats")
    if asked.get("per_host", True):
        return
    for name, value in mapping_of(asked, "data").items():
        if name in custom and asked.get("aggregate"):
            custom[name] = _aggregate(custom[name], value)
        else:
            custom[name] = value


def _aggregate(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return _merge(old, new)
    if type(old) is type(new) and isinstance(old, (int, float, str, list)):
        return old + new
    return old


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings, including nested ones, without recursion, because they may be nested deeply."""
    merged = dict(old)
    waiting: list[tuple[dict[str, Any], Mapping[str, Any]]] = [(merged, new)]
    while waiting:
        target, source = waiting.pop()
        for name, value in source.items():
            here = target.get(name)
            if isinstance(here, dict) and isinstance(value, dict):
                target[name] = inner = dict(here)
                waiting.append((inner, value))
            else:
                target[name] = value
    return merged
