"""The table for people, and the same figures as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, Samples
from benchmarks.toolbox import RUNNER_VERSION, ansible_core_version

_HEADINGS = ("stage", "playstream", "peer", "peer's figure", "ratio", "target")


def format_table(rows: Sequence[Row], *, targets: bool) -> str:
    """One line for each row; without `targets` nothing is said of them."""
    lines = [_HEADINGS, *(_cells(row, targets) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cells(row: Row, targets: bool) -> tuple[str, ...]:
    peer = (row.peer.name, str(row.peer)) if row.peer else ("", "")
    target = ""
    if targets and row.met is not None:
        target = f"{row.target}: {'met' if row.met else 'NOT MET'}"
    return (row.stage, str(row.own), *peer, row.ratio_text, target)


def describe_machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "playstream": version("playstream"),
        "ansible-core": ansible_core_version(),
        "ansible-runner": RUNNER_VERSION,
        "zstandard": version("zstandard"),
    }


def write_json(path: Path, machine: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """All figures, in the order of the table."""
    path.write_text(json.dumps({"machine": machine, "rows": [_row(row) for row in rows]}, indent=1) + "\n")


def _row(row: Row) -> dict[str, Any]:
    return {
        "stage": row.stage,
        "playstream": _samples(row.own),
        "peer": None if row.peer is None else _samples(row.peer),
        "ratio": row.ratio,
        "ratio_text": row.ratio_text,
        "target": row.target,
        "met": row.met,
    }


def _samples(samples: Samples) -> dict[str, Any]:
    return {"name": samples.name, "unit": samples.unit, "median": samples.median, "values": list(samples.values)}
