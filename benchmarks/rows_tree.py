"""Rows on the generated tree: transmit, the whole worker, unpacking alone."""

from __future__ import annotations

from benchmarks.figures import Row, Samples, faster, interleave, within
from benchmarks.inputs import Inputs
from benchmarks.programs import Program, time_pipeline

_S = "s"


def transmit_rows(inputs: Inputs, runs: int) -> list[Row]:
    """A tree to a stream in a file, beside ansible-runner, and beside tar and zstd."""
    tree = inputs.tree

    def measure(programs: list[Program], sink_name: str) -> float:
        inputs.scratch()
        sink = getattr(tree, sink_name)
        sink.unlink(missing_ok=True)
        return time_pipeline(programs, sink=sink)

    found = interleave(
        {
            "playstream transmit": lambda: measure([tree.transmit()], "capture"),
            "ansible-runner transmit": lambda: measure([tree.runner_transmit()], "runner_capture"),
            "tar c | zstd -T0": lambda: measure(tree.pack(), "archive"),
        },
        runs,
        _S,
    )
    own = found["playstream transmit"]
    return [
        faster("transmit", own, found["ansible-runner transmit"], at_least=6),
        within("transmit", own, found["tar c | zstd -T0"], at_most=2),
    ]


def worker_rows(inputs: Inputs, runs: int) -> list[Row]:
    """The whole worker, its run of Ansible (one debug task on localhost) included."""
    tree = inputs.tree
    tree.require_captures()
    toolbox = inputs.toolbox

    def own() -> float:
        inputs.scratch()
        return time_pipeline([toolbox.playstream("worker")], source=tree.capture, sink=tree.results)

    def peer() -> float:
        inputs.scratch()
        return time_pipeline([toolbox.runner("worker")], source=tree.runner_capture, sink=tree.runner_results)

    found = interleave({"playstream worker": own, "ansible-runner worker": peer}, runs, _S)
    return [faster("worker, with its ansible run", *_pair(found), at_least=2.5)]


def unpack_rows(inputs: Inputs, runs: int) -> list[Row]:
    """A capture to a directory and nothing else, beside zstd and tar."""
    tree = inputs.tree
    tree.require_captures()
    if not tree.archive.exists():
        time_pipeline(tree.pack(), sink=tree.archive)

    def own() -> float:
        return time_pipeline([inputs.toolbox.unpack_capture(tree.capture, inputs.scratch())])

    def peer() -> float:
        target = inputs.scratch()
        target.mkdir()
        zstd = inputs.toolbox.system("zstd", "-d", "-q", "-c", tree.archive)
        return time_pipeline([zstd, inputs.toolbox.system("tar", "-x", "-C", target)])

    found = interleave({"playstream, unpacking alone": own, "zstd -d | tar x": peer}, runs, _S)
    inputs.scratch()
    return [within("unpacking alone", *_pair(found), at_most=2)]


def _pair(found: dict[str, Samples]) -> tuple[Samples, Samples]:
    own, peer = found.values()
    return own, peer
