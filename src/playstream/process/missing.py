"""Events that did not come, known by the numbers of those that did."""

from __future__ import annotations

_SHOWN = 8
"""Gaps that are named; of more only the number of events is known."""


class MissingEvents:
    """Takes the numbers of a run's events, which only grow, and finds those that are missing."""

    def __init__(self) -> None:
        self._last = 0
        self._gaps: list[tuple[int, int]] = []
        self._more = False
        self.count = 0
        """How many are missing."""

    def note(self, counter: int) -> None:
        """The event of this number has come."""
        first, self._last = self._last + 1, counter
        if counter == first:
            return
        self.count += counter - first
        if len(self._gaps) < _SHOWN:
            self._gaps.append((first, counter - 1))
        else:
            self._more = True

    def __str__(self) -> str:
        """For people: how many are missing, and which."""
        gaps = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in self._gaps)
        events, are = ("event", "is") if self.count == 1 else ("events", "are")
        return (
            f"{self.count} {events} of the run {are} missing: {gaps}{' and more' if self._more else ''}. Likely lines "
            "of the stream were lost on the way; results, statistics and output may be incomplete"
        )
