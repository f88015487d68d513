"""What the suite has measured, and which promises were broken."""

from __future__ import annotations

import threading
from collections import defaultdict
from statistics import median


class Report:
    """Gathers figures by row; safe in threads.

    Args:
        seed: what chance started from, shown with what fails.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._cases: dict[str, int] = defaultdict(int)
        self._values: dict[str, list[float]] = defaultdict(list)
        self._units: dict[str, str] = {}
        self.broken: list[str] = []

    def add(self, row: str, value: float | None, unit: str) -> None:
        """Count a case of a row; the median and the highest value are shown."""
        with self._lock:
            self._cases[row] += 1
            self._units[row] = unit
            if value is not None:
                self._values[row].append(value)

    def fail(self, row: str, why: str) -> None:
        """Note a broken promise."""
        with self._lock:
            self._cases[row] += 1
            self.broken.append(f"{row} (seed {self._seed}): {why}")
            print(f"BROKEN {self.broken[-1]}", flush=True)

    def show(self) -> int:
        """Print the table; 1 when a promise was broken."""
        width = max(map(len, self._cases), default=0)
        print(f"{'':{width}}  {'cases':>6}  {'median':>8}  {'highest':>8}")
        for row, count in self._cases.items():
            values = self._values[row]
            figures = f"{median(values):8.2f}  {max(values):8.2f} {self._units[row]}" if values else ""
            print(f"{row:{width}}  {count:6}  {figures}".rstrip())
        print(f"{len(self.broken)} promises broken")
        return bool(self.broken)
