"""The complete suite of faults: make faults. Prints a table of what it measured; ends with 1 when a promise is broken.

python -m tests.stress.faults [PART …] [--moments N] [--offsets N] [--links N] [--seed N] [--entries-directory PATH]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tests.processes import heed_signals
from tests.stress.faults import (
    cached_strikes,
    cancel,
    containers,
    entries,
    faulty_links,
    floods,
    full_jobs,
    guards,
    large,
    listings,
    moments,
    resources,
    stores,
)
from tests.stress.faults.report import Report

_PARTS: dict[str, Callable[[argparse.Namespace, Report], None]] = {
    "moments": moments.measure,
    "offsets": large.measure,
    "offers": large.measure_offers,
    "links": faulty_links.measure,
    "resources": resources.measure,
    "stores": stores.measure,
    "cached-links": faulty_links.measure_with_cache,
    "cached-strikes": cached_strikes.measure,
    "floods": floods.measure,
    "jobs": full_jobs.measure,
    "entries": entries.measure,
    "listings": listings.measure,
    "containers": containers.measure,
    "cancel": cancel.measure,
    "guards": guards.measure,
}


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.faults")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(_PARTS)}; all by default")
    parser.add_argument("--moments", type=int, default=50, help="moments of each signal to each target (%(default)s)")
    parser.add_argument("--offsets", type=int, default=1000, help="offsets of each large session (%(default)s)")
    parser.add_argument("--links", type=int, default=200, help="faults of each kind of link (%(default)s)")
    parser.add_argument(
        "--container-moments", type=int, default=5, help="moments of each signal to a job in a container (%(default)s)"
    )
    parser.add_argument("--block-seconds", type=float, default=65.0, help="how long a handler blocks (%(default)s)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the largest trees (%(default)s)")
    parser.add_argument(
        "--entries-directory",
        type=Path,
        default=Path("/dev/shm"),
        help="where large trees and a million events are kept; best in memory (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="what chance starts from (%(default)s)")
    flags = parser.parse_args()
    if unknown := set(flags.parts) - set(_PARTS):
        parser.error(f"expected parts of {', '.join(_PARTS)}, got {', '.join(sorted(unknown))}")
    heed_signals()
    report = Report(flags.seed)
    for name in flags.parts or _PARTS:
        _PARTS[name](flags, report)
    return report.show()


if __name__ == "__main__":
    sys.exit(main())
