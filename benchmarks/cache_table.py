"""The figures of the rows on a worker's cache as a table in Markdown.

python -m benchmarks.cache_table [FILE]: those in FILE, which is .cache/bench/cache.json when left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import median_ratio

OWN, RSYNC, COPY = "playstream", "rsync", "cp -a"
"""What is compared."""
HERE = "without a network"
"""The section of a worker on the same host."""
SECONDS, BYTES = "seconds", "bytes"
DEFAULT = Path(__file__).parent.parent / ".cache" / "bench" / "cache.json"
_FAR = "round trip "
_HEADINGS = ("Change", "Round trip", "Bytes", "rsync", "Ratio", "Time", "rsync", "Ratio")

Sections = Mapping[str, Mapping[str, Any]]
Ways = Mapping[str, Sequence[float]]


def far_section(milliseconds: float) -> str:
    """The name of the section of a distance."""
    return f"{_FAR}{milliseconds:g} ms"


def format_markdown(sections: Sections) -> str:
    """The table, with a line for each change and distance, and one below it for a worker on the same host.

    Figures are medians, those of the time with the least and the most. Ratios are medians of those of each pair. What
    was not measured on both sides is left out.
    """
    far = {name.removeprefix(_FAR): section for name, section in sections.items() if name.startswith(_FAR)}
    changes = dict.fromkeys(change for section in far.values() for change in section.get(SECONDS, {}))
    lines = [_HEADINGS, ("---",) * len(_HEADINGS)]
    for change in changes:
        for distance, section in far.items():
            sizes, times = (section.get(quantity, {}).get(change, {}) for quantity in (BYTES, SECONDS))
            if _is_complete(sizes, RSYNC) and _is_complete(times, RSYNC):
                lines.append((change, distance, *_cells(sizes, RSYNC, size_text), *_cells(times, RSYNC, time_text)))
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), *_here(sections)])


def _here(sections: Sections) -> Iterator[str]:
    for change, times in sections.get(HERE, {}).get(SECONDS, {}).items():
        if _is_complete(times, COPY):
            own, peer, ratio = _cells(times, COPY, time_text)
            yield f"\n{change.capitalize()}, {HERE}: {own}, and {COPY} {peer}: {ratio} times its time"


def _is_complete(ways: Ways, peer: str) -> bool:
    return bool(ways.get(OWN)) and bool(ways.get(peer))


def _cells(ways: Ways, peer: str, text: Callable[[Sequence[float]], str]) -> tuple[str, str, str]:
    return text(ways[OWN]), text(ways[peer]), f"{median_ratio(ways[OWN], ways[peer]):.2f}"


def size_text(values: Sequence[float]) -> str:
    """Numbers of bytes for people: their median."""
    size = median(values)
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def time_text(values: Sequence[float]) -> str:
    """Seconds for people."""
    middle = f"{median(values):.2f} s"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f} to {max(values):.2f})"


def main(argv: Sequence[str]) -> int:
    """Print the table; return the exit status."""
    path = Path(argv[0]) if argv else DEFAULT
    try:
        table = format_markdown(json.loads(path.read_text())["sections"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        print(f"{path}: expected the figures of `make bench-cache`: {error}", file=sys.stderr)
        return 1
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
