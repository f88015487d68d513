"""What the suite has measured, and which promises were broken."""

from __future__ import annotations

import threading
from collections import defaultdict


class Report:
    """Gathers figures by row; safe in threads.

    Args:
        seed: what chance started from, shown with what fails.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._cases: dict[str, int] = defaultdict(int)
        self._highest: dict[str, str] = {}
        self._values: dict[str, float] = {}
        self.broken: list[str] = []

    def add(self, row: str, value: float | None, unit: str) -> None:
        """Count a case of a row; the highest value is shown."""
        with self._lock:
            self._cases[row] += 1
            if value is not None and value >= self._values.get(row, 0.0):
                self._values[row], self._highest[row] = value, f"{value:.2f} {unit}"

    def fail(self, row: str, why: str) -> None:
        """Note a broken promise."""
        with self._lock:
            self._cases[row] += 1
            self.broken.append(f"{row} (seed {self._seed}): {why}")
            print(f"BROKEN {self.broken[-1]}", flush=True)

    def show(self) -> int:
        """Print the table; 1 when a promise was broken."""
        width = max(map(len, self._cases), default=0)
        print(f"{'':{width}}  {'cases':>6}  highest")
        for row, count in self._cases.items():
            print(f"{row:{width}}  {count:6}  {self._highest.get(row, '')}")
        print(f"{len(self.broken)} promises broken")
        return bool(self.broken)
