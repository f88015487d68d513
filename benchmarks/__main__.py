"""The command line of the benchmark: python -m benchmarks --help."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cache_table import DEFAULT as CACHE_FIGURES
from benchmarks.changes import CHANGES
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row
from benchmarks.inputs import CacheOptions, Inputs
from benchmarks.report import describe_machine, format_table, write_json
from benchmarks.rows_cache import cache_rows
from benchmarks.rows_captures import capture_rows
from benchmarks.rows_events import process_rows, run_rows
from benchmarks.rows_fast import fast_rows
from benchmarks.rows_fast_corpus import fast_corpus_rows
from benchmarks.rows_history import history_rows
from benchmarks.rows_import import import_rows
from benchmarks.rows_links import link_rows
from benchmarks.rows_memory import large_memory_rows, memory_rows
from benchmarks.rows_mesh import mesh_jobs_rows, mesh_rows
from benchmarks.rows_mesh_idle import mesh_idle_rows
from benchmarks.rows_report import report_rows
from benchmarks.rows_store import store_rows
from benchmarks.rows_tree import transmit_rows, unpack_rows, worker_rows
from benchmarks.storage import default_scratch, file_system_of
from benchmarks.toolbox import CACHE, make_toolbox
from benchmarks.turns import find_parent

_INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C has ended."""
_DEFAULT_RUNS = 5
_MORE_RUNS = 20
"""Of rows whose runs take a tenth of a second."""
_FEWER_RUNS = 3
"""Of rows whose runs take minutes or whose figures hardly differ between runs."""

ROWS: dict[str, tuple[Callable[[Inputs, int], list[Row]], int]] = {
    "import": (import_rows, _MORE_RUNS),
    "transmit": (transmit_rows, _DEFAULT_RUNS),
    "worker": (worker_rows, _DEFAULT_RUNS),
    "unpack": (unpack_rows, _DEFAULT_RUNS),
    "memory": (memory_rows, _FEWER_RUNS),
    "process": (process_rows, _DEFAULT_RUNS),
    "run": (run_rows, _FEWER_RUNS),
    "store": (store_rows, _DEFAULT_RUNS),
    "report": (report_rows, _FEWER_RUNS),
    "history": (history_rows, _DEFAULT_RUNS),
    "captures": (capture_rows, _FEWER_RUNS),
    "links": (link_rows, _DEFAULT_RUNS),
    "mesh": (mesh_rows, _DEFAULT_RUNS),
    "mesh-jobs": (mesh_jobs_rows, _FEWER_RUNS),
    "mesh-idle": (mesh_idle_rows, _FEWER_RUNS),
    "cache": (cache_rows, _FEWER_RUNS),
    "fast": (fast_rows, _DEFAULT_RUNS),
    "fast-corpus": (fast_corpus_rows, _FEWER_RUNS),
}
LONG_ROWS = ("history", "captures", "mesh", "mesh-jobs", "mesh-idle", "cache", "fast", "fast-corpus")
"""Rows that take the better part of an hour, or other programs: they are only measured when they are named."""
ROUND_TRIPS = (0.0, 80.0)
"""Milliseconds to the host of a worker with a cache and back."""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="playstream beside ansible-runner, tar and zstd, in the same run."
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=list(ROWS),
        default=[name for name in ROWS if name not in LONG_ROWS],
        metavar="ROW",
        help=f"only these: {', '.join(ROWS)}; when left out all but {', '.join(LONG_ROWS)}",
    )
    parser.add_argument(
        "--runs",
        type=int,
        metavar="N",
        help=f"runs of each row; when left out {_DEFAULT_RUNS}, {_MORE_RUNS} of import, "
        f"{_FEWER_RUNS} of memory, run, report, mesh-jobs, mesh-idle, cache and fast-corpus",
    )
    parser.add_argument("--large", action="store_true", help="peak memory on a tree with 1 GiB more, too")
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        metavar="X",
        help="all inputs X times as large, to try the benchmark out; targets are not looked at",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures, too")
    parser.add_argument(
        "--fast-figures",
        type=Path,
        default=CACHE / "fast.json",
        metavar="FILE",
        help="where the rows fast and fast-corpus keep each figure as soon as it is taken (%(default)s)",
    )
    parser.add_argument(
        "--cache-figures",
        type=Path,
        default=CACHE_FIGURES,
        metavar="FILE",
        help="where the row cache keeps each figure as soon as it is taken (%(default)s)",
    )
    parser.add_argument(
        "--mesh-figures",
        type=Path,
        default=CACHE / "mesh.json",
        metavar="FILE",
        help="where the row mesh-idle keeps each figure as soon as it is taken (%(default)s)",
    )
    names = [change.name for change in CHANGES]
    parser.add_argument(
        "--changes",
        nargs="+",
        choices=names,
        default=names,
        metavar="CHANGE",
        help=f"of the row cache only these: {'; '.join(names)}",
    )
    parser.add_argument(
        "--round-trips",
        nargs="+",
        type=float,
        default=ROUND_TRIPS,
        metavar="MS",
        help="milliseconds to the host of the row cache and back (0 and 80)",
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        default=default_scratch(),
        metavar="DIR",
        help="where both sides unpack, in a directory that is removed afterwards (%(default)s)",
    )
    parser.add_argument(
        "--runner-venv",
        type=Path,
        metavar="DIR",
        help="an environment with ansible-runner; made in .cache/bench when left out",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status, which says nothing of the targets."""
    options = make_parser().parse_args(argv)
    try:
        for folder in (CACHE, options.scratch):
            folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="work-", dir=CACHE) as work,
            tempfile.TemporaryDirectory(prefix="playstream-bench-", dir=options.scratch.absolute()) as scratch,
        ):
            rows = _measure(options, Path(work), Path(scratch))
            machine = {**describe_machine(), "unpacked to": file_system_of(Path(scratch))}
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return _INTERRUPTED
    print(format_table(rows, targets=options.scale == 1))
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    if options.json is not None:
        write_json(options.json, machine, rows)
    return 0


def _measure(options: argparse.Namespace, work: Path, scratch: Path) -> list[Row]:
    if "run" in options.rows:
        find_parent()  # it may be missing, which is said before anything is measured
    cache = CacheOptions(options.cache_figures, options.changes, options.round_trips)
    inputs = Inputs(
        make_toolbox(scratch, options.runner_venv),
        work,
        options.scale,
        options.fast_figures,
        cache,
        options.mesh_figures,
    )
    rows: list[Row] = []
    for name in options.rows:
        measure, runs = ROWS[name]
        print(f"measuring {name}", file=sys.stderr, flush=True)
        found = measure(inputs, options.runs or runs)
        print(format_table(found, targets=options.scale == 1), file=sys.stderr, flush=True)
        rows += found
    if options.large:
        rows += large_memory_rows(inputs, 1)
    return rows


if __name__ == "__main__":
    sys.exit(main())
