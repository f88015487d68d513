"""Short descriptions of runs, for `repr()` and for notebooks. They contain no arguments, variables or passwords."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playstream.interface.terminal_text import make_plain
from playstream.pipeline.errors import counted
from playstream.process.event_data import STATS_TABLES

_MAX_TEXT = 60
"""Maximum number of characters of a name."""
_MAX_ROWS = 100
"""Maximum number of hosts in the table of a notebook."""
_FAILURES = ("failures", "unreachable")


def quote(text: object) -> str:
    """Return a name in quotes, on one line; its middle is left out if it is long."""
    name = str(text)
    half = _MAX_TEXT // 2
    return repr(name if len(name) <= _MAX_TEXT else f"{name[:half]}…{name[-half:]}")


def describe_job(options: Mapping[str, Any]) -> str:
    """Return what a job runs, such as `playbook 'site.yml'`; '' if the options do not say it.

    Args:
        options: as for run(), of any type.
    """
    if (module := options.get("module")) is not None:
        return f"module {quote(module)}"
    if (role := options.get("role")) is not None:
        return f"role {quote(role)}"
    if (tasks := options.get("tasks")) is not None:
        return counted(_length(tasks), "task")
    playbook = options.get("playbook")
    if isinstance(playbook, (Mapping, list, tuple)):
        return counted(_length(playbook), "play")
    return "" if playbook is None else f"playbook {quote(playbook)}"


def _length(items: object) -> int:
    return len(items) if isinstance(items, (list, tuple)) else 1


def make_html(
    title: str, rows: Sequence[tuple[str, object]], hosts: Mapping[str, Mapping[str, int]] | None = None
) -> str:
    """Return a run as HTML for a notebook, without scripts and styles.

    Args:
        title: what is shown.
        rows: names and values; a value of None is omitted.
        hosts: counts by host, with the names in STATS_TABLES; None if they are unknown.
    """
    shown = "".join(
        f"<tr><th>{_html(name)}</th><td>{_html(str(value))}</td></tr>" for name, value in rows if value is not None
    )
    return f"<div><p>{_html(title)}</p><table>{shown}</table>{_make_table(hosts) if hosts else ''}</div>"


def _make_table(hosts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the table of the hosts; those that failed come first."""
    names = sorted(hosts, key=lambda name: (not any(hosts[name].get(count) for count in _FAILURES), name))
    head = "".join(f"<th>{name}</th>" for name in ("host", *STATS_TABLES))
    body = "".join(
        f"<tr><td>{_html(name)}</td>{''.join(f'<td>{hosts[name].get(count, 0)}</td>' for count in STATS_TABLES)}</tr>"
        for name in names[:_MAX_ROWS]
    )
    rest = len(names) - _MAX_ROWS
    more = f"<p>and {counted(rest, 'more host')}</p>" if rest > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _html(text: str) -> str:
    """Escape text, and characters that are invisible or change the order of others: hosts are not trusted."""
    return escape(make_plain(text))
