"""A mesh under load: many jobs while nodes are killed and frozen, and one job with much to carry."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from tests.mesh.crowd import LARGE, run_checked
from tests.mesh.volume import carry
from tests.processes import wait_until
from tests.stages import Stages
from tests.stress.load.measure import MIB, Figures, Row, Sampling, figures_below, most_of

_FAKES = Path(__file__).parents[2] / "worker" / "fakes"
_PAUSE = 1.0
_END_SECONDS = 60
_SHORT = 6.0
"""The default of a mesh."""


def run_seed(scratch: Path, seed: int) -> Row:
    """Run 200 jobs on 20 nodes, of which 5 are killed and 2 frozen. Nodes count as lost after 6 or 30 seconds.

    Args:
        scratch: where all of it goes.
        seed: decides which nodes, when, and how long each job takes.

    Raises:
        AssertionError: a job has not exactly one end, or has run twice, or a process is left.
    """
    folder = scratch / f"crowd-{seed}"
    stages = Stages(folder / "tmp")
    stages.temporary.mkdir(parents=True)
    stages.path_before.append(_FAKES)
    began = time.monotonic()
    with Sampling(lambda: figures_below(stages.temporary), pause=_PAUSE) as sampling:
        crowd = replace(LARGE, seed=seed, lost_after=LARGE.lost_after if seed % 2 else _SHORT)
        outcomes = run_checked(stages, folder, crowd)
    seconds = time.monotonic() - began
    wait_until(lambda: figures_below(stages.temporary) == Figures(), _END_SECONDS)
    return Row(
        f"{LARGE.jobs} jobs on {LARGE.nodes} nodes, {LARGE.killed} killed, {LARGE.frozen} frozen, seed {seed}",
        Figures(),
        most_of(sampling.samples),
        Figures(),
        seconds,
        f"{LARGE.jobs} ends, {outcomes.lost} of them lost",
    )


def carry_volume(scratch: Path, mebibytes: int) -> Row:
    """Carry a job of so many MiB, and as many of results.

    Args:
        scratch: where all of it goes: four times as much.
        mebibytes: MiB in each direction.

    Raises:
        AssertionError: something was lost, or a process has held too much.
    """
    folder = scratch / "volume"
    stages = Stages(folder / "tmp")
    stages.temporary.mkdir(parents=True)
    with Sampling(lambda: figures_below(stages.temporary), pause=_PAUSE) as sampling:
        carried = carry(stages, folder, mebibytes * MIB)
    peaks = ", ".join(f"{name} {peak // MIB}" for name, peak in carried.peaks.items())
    return Row(
        f"{mebibytes} MiB to a node of a mesh, and as many back",
        Figures(),
        most_of(sampling.samples),
        Figures(),
        carried.seconds,
        f"nothing lost; MiB at most: {peaks}",
    )
