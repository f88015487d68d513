"""Rows on idle nodes: what a server of a mesh takes for 1 to 1,000 nodes that wait for jobs."""

from __future__ import annotations

import json
import os
import subprocess

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, Samples
from benchmarks.idle_mesh import ALONE
from benchmarks.inputs import Inputs
from benchmarks.kept_figures import KeptFigures
from benchmarks.report import describe_machine
from tests.mesh.servers import CURRENT, find_server

SECTION = "idle nodes"
NODES = (0, 1, 10, 100, 1000)
SETTLE_SECONDS, SECONDS = 20.0, 60.0
_WHOLE_TIME = 10
"""Up to a tenth of the nodes are measured for the whole time."""
QUANTITIES = {"memory": "MiB", "processor": "%", "bytes": "B/s", "packets": "packets/s"}
"""Each quantity, and its unit."""


def mesh_idle_rows(inputs: Inputs, runs: int) -> list[Row]:
    """A server without nodes, with 1, and up to 1,000."""
    if os.geteuid() != 0:
        raise BenchmarkError("idle nodes are measured in a network of their own, which only root can make here")
    version = subprocess.run([find_server(CURRENT), "--version"], check=True, capture_output=True, text=True).stdout
    figures = KeptFigures(inputs.mesh_figures, {**describe_machine(), "nats-server": version.split()[-1]})
    figures.begin(SECTION, seconds=SECONDS)
    found: dict[tuple[int, str], list[float]] = {}
    for run in range(runs):
        for number in (each for each in NODES if each <= NODES[-1] * inputs.scale):
            load = _measure(inputs, run, number)
            for quantity in QUANTITIES:
                found.setdefault((number, quantity), []).append(load[quantity])
                figures.add(SECTION, str(number), quantity, load[quantity], "figures")
    return [
        Row(
            f"{number} idle nodes, {quantity} of the server",
            Samples("mesh", QUANTITIES[quantity], values),
            None,
            None,
            "",
        )
        for (number, quantity), values in found.items()
    ]


def _measure(inputs: Inputs, run: int, number: int) -> dict[str, float]:
    shorter = min(1.0, inputs.scale * _WHOLE_TIME)
    settle, seconds = (max(1.0, each * shorter) for each in (SETTLE_SECONDS, SECONDS))
    directory = inputs.work / f"idle-{run}-{number}"
    python = inputs.toolbox.python("-m", "benchmarks.idle_mesh", directory, str(number), str(settle), str(seconds))
    words = [*ALONE, *python.argv]
    done = subprocess.run(words, env=python.env, cwd=python.cwd, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise BenchmarkError(f"the mesh of {number} idle nodes has failed")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
