"""The report for agents: the recap, and for failures what is needed to act, in as few words as possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import starmap

from playstream.pipeline.host_order import sort_hosts
from playstream.report.collecting import RunEnd, ShortReport, explanation_of, headline
from playstream.report.failures import Failure, first_of, name_of, place_of

_MAX_GROUPS = 20
"""Number of different failures that are told."""
_SHOWN_HOSTS = 8
"""Number of hosts of each that are named."""
_MAX_SIZE = 24_000
"""Number of characters after which no other failure is told."""


class AgentReport(ShortReport):
    """The report as text. That of a run without failures has less than 2 KB, however many hosts and tasks it has."""

    def pieces(self, end: RunEnd) -> Iterator[str]:
        """Yield the text."""
        collector = self.collector
        counts = ", ".join(f"{name} {count}" for name, count in collector.total.items())
        yield f"{headline(collector, end)}\nhosts {len(collector.hosts)}, {counts}\n"
        explanation = explanation_of(end)
        if explanation:
            yield f"{explanation[:1000]}\n"
        failures, more = collector.failures()
        groups: dict[Failure, list[str]] = {}
        for failure in failures:
            groups.setdefault(replace(failure, host=""), []).append(failure.host)
        told = first_of(starmap(_tell, groups.items()), _MAX_GROUPS, _MAX_SIZE)
        yield from told
        left = sum(map(len, list(groups.values())[len(told) :])) + more
        if left:
            yield f"\nand {left} more failed results\n"


def _tell(failure: Failure, hosts: list[str]) -> str:
    names = sort_hosts(set(map(name_of, hosts)))
    others = f" and {len(names) - _SHOWN_HOSTS} more" if len(names) > _SHOWN_HOSTS else ""
    what = "UNREACHABLE" if failure.unreachable else "FAILED"
    where = place_of(failure)
    lines = [f"{what} {', '.join(names[:_SHOWN_HOSTS])}{others}", f"task: {failure.task}{where and f' ({where})'}"]
    for name, text in failure.details:
        shown = text.replace("\n", "\n  ")
        lines.append(f"{name}: {shown}")
    return "\n" + "\n".join(lines) + "\n"
