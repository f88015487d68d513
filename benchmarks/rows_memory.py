"""Rows of peak memory: each stage's own process, on the tree and on larger ones to show that it does not grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Row, Samples, interleave, memory
from benchmarks.inputs import IDENT, Inputs, Tree
from benchmarks.programs import Program, peak_memory

_UNIT = "MiB"


def memory_rows(inputs: Inputs, runs: int) -> list[Row]:
    """The tree beside ansible-runner, and one of twice the size."""
    tree = inputs.tree
    return [*_compared(inputs, tree, runs), *_alone(inputs, inputs.double_tree, "twice the tree", runs)]


def large_memory_rows(inputs: Inputs, runs: int) -> list[Row]:
    """A tree with a GiB more."""
    return _alone(inputs, inputs.large_tree, "a tree with 1 GiB more", runs)


def _compared(inputs: Inputs, tree: Tree, runs: int) -> list[Row]:
    tree.require_results()
    rows = []
    for stage, own, peer in zip(
        ("transmit", "worker", "process"), _own_stages(inputs, tree), _runner_stages(inputs, tree), strict=True
    ):
        names = f"playstream {stage}", f"ansible-runner {stage}"
        found = interleave({names[0]: own, names[1]: peer}, runs, _UNIT, warm_up=False)
        rows.append(memory(f"peak memory of {stage}", *found.values()))
    return rows


def _alone(inputs: Inputs, tree: Tree, what: str, runs: int) -> list[Row]:
    rows = []
    for stage, own in zip(("transmit", "worker", "process"), _own_stages(inputs, tree), strict=True):
        found: dict[str, Samples] = interleave({f"playstream {stage}": own}, runs, _UNIT, warm_up=False)
        rows.append(memory(f"peak memory of {stage}, {what}", found[f"playstream {stage}"], None))
    return rows


def _own_stages(inputs: Inputs, tree: Tree) -> list[Callable[[], float]]:
    """In the order of the pipeline: each writes what the next one reads."""
    toolbox = inputs.toolbox
    return [
        lambda: _peak(tree.transmit(), None, tree.capture),
        lambda: _peak(toolbox.playstream("worker"), tree.capture, tree.results),
        lambda: _peak(toolbox.playstream("process", _made(inputs), *IDENT), tree.results, None),
    ]


def _runner_stages(inputs: Inputs, tree: Tree) -> list[Callable[[], float]]:
    toolbox = inputs.toolbox
    return [
        lambda: _peak(tree.runner_transmit(), None, tree.runner_capture),
        lambda: _peak(toolbox.runner("worker"), tree.runner_capture, tree.runner_results),
        lambda: _peak(toolbox.runner("process", _made(inputs), *IDENT), tree.runner_results, None),
    ]


def _made(inputs: Inputs) -> Path:
    folder = inputs.scratch()
    folder.mkdir()
    return folder


def _peak(program: Program, source: Path | None, sink: Path | None) -> float:
    if sink is not None:
        sink.unlink(missing_ok=True)
    return peak_memory(program, source=source, sink=sink)
