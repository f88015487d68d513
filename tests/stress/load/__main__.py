"""The command line of the soak: python -m tests.stress.load --help."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.stress.load.crowds import carry_volume, run_seed
from tests.stress.load.events import hand_events, keep_events
from tests.stress.load.measure import Row, SoakError, format_rows
from tests.stress.load.pipelines import run_pipelines
from tests.stress.load.runs import run_again_and_again


def main() -> int:
    """Run the parts; print the table. The exit status is 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.load", description="playstream under load.")
    parser.add_argument("--pipelines", type=int, default=200, metavar="N", help="at once (%(default)s)")
    parser.add_argument("--real", type=int, default=20, metavar="N", help="of these with Ansible itself (%(default)s)")
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="through one stage (%(default)s)")
    parser.add_argument("--runs", type=int, default=300, metavar="N", help="in one program (%(default)s)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="crowds on a mesh (%(default)s)")
    parser.add_argument("--volume", type=int, default=1024, metavar="MIB", help="over a mesh (%(default)s)")
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path("/dev/shm"),
        metavar="DIR",
        help="where there is memory for 7 GiB of files (%(default)s)",
    )
    options = parser.parse_args()
    rows: list[Row] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="soak-", dir=options.scratch) as name:
        scratch = Path(name)
        parts: list[tuple[str, Callable[[], Row]]] = [
            ("runs", lambda: run_again_and_again(scratch, options.runs)),
            ("pipelines", lambda: run_pipelines(scratch, options.pipelines, options.real)),
            *(
                (f"handler, {dialect}", lambda dialect=dialect: hand_events(scratch, dialect, options.events))
                for dialect in ("playstream", "runner")
            ),
            *(
                (f"files, {dialect}", lambda dialect=dialect: keep_events(scratch, dialect, options.events))
                for dialect in ("playstream", "runner")
            ),
            *((f"crowd {seed}", lambda seed=seed: run_seed(scratch, seed)) for seed in range(1, options.seeds + 1)),
            *([("volume", lambda: carry_volume(scratch, options.volume))] if options.volume else []),
        ]
        for what, part in parts:
            try:
                rows.append(part())
            except (SoakError, AssertionError) as error:
                failed = True
                print(f"{what}: {error}", file=sys.stderr, flush=True)
            else:
                print(f"{what}: {rows[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    print(format_rows(rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
