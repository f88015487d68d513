"""A row on what a program that embeds playstream takes to start, before it runs anything."""

from __future__ import annotations

from benchmarks.figures import Row, faster, interleave
from benchmarks.inputs import Inputs
from benchmarks.programs import time_pipeline


def import_rows(inputs: Inputs, runs: int) -> list[Row]:
    """Python with `playstream.run` at hand, and with ansible_runner."""
    toolbox = inputs.toolbox
    own = toolbox.python("-c", "import playstream; playstream.run")
    peer = toolbox.runner_python("-c", "import ansible_runner")
    found = interleave(
        {
            "import playstream; playstream.run": lambda: time_pipeline([own]),
            "import ansible_runner": lambda: time_pipeline([peer]),
        },
        runs,
        "s",
    )
    ours, theirs = found.values()
    return [faster("Python, with run() imported", ours, theirs, at_least=1.67)]
