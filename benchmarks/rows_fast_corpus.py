"""Rows on `--fast`: each playbook of its tests' corpus with and without it. None may take longer with it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, interleave, within
from benchmarks.inputs import Inputs
from benchmarks.kept_figures import KeptFigures
from benchmarks.report import describe_machine
from benchmarks.rows_fast import close_connections
from tests.e2e.fast.cases import CASES, may_run, prepare, run
from tests.e2e.fast.fleet import Fleet

SECTION = "corpus"
FAST, PLAIN = "with --fast", "without"
_AT_MOST = 1.05
_COUNTS_FROM = 10.0
"""Seconds without `--fast` from which the target counts."""
_S = "s"
_FEW = 4
"""Cases of a benchmark that is tried out with a scale below 1."""


def fast_corpus_rows(inputs: Inputs, runs: int) -> list[Row]:
    """Every case in turns."""
    cases = [case for case in CASES if may_run(case)]
    if inputs.scale < 1:
        cases = cases[:_FEW]
    figures = KeptFigures(inputs.fast_figures, describe_machine())
    figures.begin(SECTION, hosts=3)
    folder = inputs.toolbox.scratch / "corpus"
    folder.mkdir()
    folder.chmod(0o755)
    inputs.toolbox.scratch.chmod(0o711)  # hosts have another user too
    rows = []
    with closing(Fleet(folder / "hosts")) as hosts:
        for case in cases:
            ways: dict[str, Callable[[], float]] = {
                PLAIN: partial(_measure, case, False, folder, hosts, figures),
                FAST: partial(_measure, case, True, folder, hosts, figures),
            }
            plain, fast = interleave(ways, runs, _S, warm_up=False).values()
            counts = plain.median > _COUNTS_FROM
            row = within(f"--fast, corpus: {case}", fast, plain, _AT_MOST)
            rows.append(row if counts else Row(row.stage, fast, plain, row.ratio, row.ratio_text))
    return rows


def _measure(case: str, fast: bool, folder: Path, hosts: Fleet, figures: KeptFigures) -> float:
    """Return the seconds of a run that finds no connection of another."""
    place, home = folder / "run", folder / "home"
    prepare(place)
    home.mkdir(mode=0o700, exist_ok=True)
    started = time.perf_counter()
    done = run(place, hosts, case, fast=fast, envvars={"HOME": str(home)})
    seconds = time.perf_counter() - started
    close_connections(home)
    if done.status not in ("successful", "failed"):
        raise BenchmarkError(f"{case}: ended as {done.status}: {done.explanation or 'without an explanation'}")
    how = FAST if fast else PLAIN
    print(f"{case} {how}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return figures.add(SECTION, case, how, seconds)
