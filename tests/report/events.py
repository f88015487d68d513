"""Events of runs for reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any
from xml.etree import ElementTree as ET

from playstream.report.collecting import Report, RunEnd

GOOD = RunEnd("nightly", "successful", 0, None)
BAD = RunEnd("nightly", "failed", 2, "web1 failed at task 'Start': no")


def result(host: str, task: str = "Start", status: str = "ok", **more: Any) -> dict[str, Any]:
    """The event that ends a task on a host; `res` and other fields of its data may be given."""
    data = {"host": host, "task": task, "task_action": "shell", "task_path": "/p/site.yml:3", "play": "Web", **more}
    return {"event": f"runner_on_{status}", "created": "2026-11-30T10:00:05+00:00", "event_data": data}


def stats(**tables: Mapping[str, int]) -> dict[str, Any]:
    """The statistics; `dark` counts hosts that were not reached."""
    hosts = {host: 1 for table in tables.values() for host in table}
    return {
        "event": "playbook_on_stats",
        "created": "2026-11-30T10:00:10+00:00",
        "event_data": {"processed": hosts, **tables},
    }


START = {
    "event": "playbook_on_start",
    "created": "2026-11-30T10:00:00+00:00",
    "event_data": {"playbook": "site.yml"},
}


def render(report: Report, events: Iterable[Mapping[str, Any]], end: RunEnd) -> str:
    """The text of a report."""
    return "".join(render_pieces(report, events, end))


def render_pieces(report: Report, events: Iterable[Mapping[str, Any]], end: RunEnd) -> Iterator[str]:
    """The pieces of that text."""
    with closing(report):
        for event in events:
            report.add(event)
        yield from report.pieces(end)


def parse_xml(text: str | bytes) -> ET.Element:
    """The root of a report."""
    return ET.fromstring(text)  # noqa: S314 - this program has written it
