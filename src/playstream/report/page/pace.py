"""What was slow: the host that each task waited for, and results that took longer than others."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from playstream.report.page.columns import UNKNOWN, UNKNOWN_TIME, Columns, Mark

_SLOWER = 2
_SLOWER_MILLISECONDS = 1000
"""A result is slow if it took so many times as long as its task usually does, and so much longer."""
_FEW = 3
"""With fewer hosts a task has no usual time."""
_SHARE_OF_RUN = 0.1
"""Then a result is slow if it takes this share of the run, and a second."""


def mark_pace(columns: Columns) -> None:
    """Mark the results that were slow, and of each task the one that ended last."""
    spans = list(_spans(columns))
    if not spans:
        return
    whole = max(end for *_, end in spans) - min(end - took for _, took, end in spans)
    by_task: dict[int, list[tuple[int, int, int]]] = {}
    for number, took, end in spans:
        by_task.setdefault(columns.task[number], []).append((number, took, end))
    for results in by_task.values():
        last = max(results, key=lambda result: (result[2], result[1]))
        columns.marks[last[0]] |= Mark.LAST
        limit = _limit([took for _, took, _ in results], whole)
        for number, took, _ in results:
            if took >= limit:
                columns.marks[number] |= Mark.SLOW


def _spans(columns: Columns) -> Iterator[tuple[int, int, int]]:
    """Yield the number, the time and the end of each result whose times are known."""
    for number, (start, took) in enumerate(zip(columns.start, columns.took, strict=True)):
        if start != UNKNOWN_TIME and took != UNKNOWN:
            yield number, took, start + took


def _limit(times: list[int], whole: int) -> float:
    """Return from how many milliseconds on a result of a task is slow."""
    if len(times) < _FEW:
        return max(_SLOWER_MILLISECONDS, whole * _SHARE_OF_RUN)
    usual = median(times)
    return max(usual * _SLOWER, usual + _SLOWER_MILLISECONDS)
