"""The figures of rows that take long, kept in a file as they are taken.

docs/generate_plot.py draws those on `--fast`, and benchmarks/cache_table.py makes a table of those on a cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Values = dict[str, dict[str, list[float]]]
"""Name of what is run to the name of how to the figure of each run."""


class KeptFigures:
    """Writes the file after each figure, so that a measurement that is interrupted keeps what it has.

    Args:
        path: the file. Sections that are measured again are replaced, others are kept.
        machine: what the figures depend on.
    """

    def __init__(self, path: Path, machine: Mapping[str, Any]) -> None:
        self._path = path
        self._machine = dict(machine)
        try:
            self._sections: dict[str, dict[str, Any]] = json.loads(path.read_text())["sections"]
        except (OSError, ValueError, LookupError):
            self._sections = {}

    @property
    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        """All that the file has."""
        return self._sections

    def begin(self, section: str, **about: Any) -> None:
        """Begin a section anew.

        Args:
            section: its name.
            about: what its figures are of.
        """
        self._sections[section] = {**about, "machine": self._machine}

    def add(self, section: str, what: str, how: str, figure: float, quantity: str = "seconds") -> float:
        """Add a figure to a section; return it."""
        found: Values = self._sections[section].setdefault(quantity, {})
        found.setdefault(what, {}).setdefault(how, []).append(round(figure, 3))
        part = self._path.with_name(f"{self._path.name}.part")
        part.write_text(json.dumps({"sections": self._sections}, indent=1) + "\n")
        os.replace(part, self._path)
        return figure
