"""Every tree of the corpus, in both dialects, through the worker and the process stage."""

from __future__ import annotations

import stat

import pytest

from playstream.pipeline.protocol.order import Direction
from tests.stress.hostile.place import SIDES, call_process, call_worker, open_place
from tests.stress.hostile.streams import file, native_tree, runner_entries, zipped
from tests.stress.hostile.trees import TREES, Tree

OWN = {"stdout", "rc", "status", "stderr", "command", "job_events", "artifacts"}
"""What the stages write themselves, and what is below it."""


def build(tree: Tree, dialect: str, side: str) -> bytes:
    direction = Direction.RESULT if side == "process" else Direction.JOB
    return native_tree(tree.native, direction) if dialect == "native" else runner_entries(tree.zipped, direction)


CASES = [
    pytest.param(tree, dialect, side, id=f"{name}, {dialect}, {side}")
    for name, tree in TREES.items()
    for dialect, there in (("native", tree.native), ("runner", tree.zipped))
    if there
    for side in SIDES
]


@pytest.mark.parametrize(("tree", "dialect", "side"), CASES)
def test_a_hostile_tree(tree: Tree, dialect: str, side: str) -> None:
    expected = tree.expect(side, dialect)
    with open_place() as place:
        answer = SIDES[side](place, build(tree, dialect, side))
        kept = {path for path in answer.kept if path.split("/")[0] not in OWN}
        if isinstance(expected, frozenset):
            assert answer.error is None, answer.message
            # A spool is gone with its job.
            assert kept == (set() if side == "worker" else expected)
        else:
            assert answer.error is expected, answer.message
            assert answer.message.isprintable()
        if side == "process":
            for path in place.target.rglob("*"):
                assert path.is_symlink() or not path.stat().st_mode & 0o7077, path


@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_setuid_is_the_trusted_senders_right_and_nobody_elses(dialect: str) -> None:
    tree = Tree([file(b"s", mode=0o6755)], frozenset({"s"}), [zipped("s", b"", 0o6755)])
    with open_place() as place:
        assert call_worker(place, build(tree, dialect, "worker"), own_directory=True).error is None
        assert stat.S_IMODE((place.target / "s").stat().st_mode) == 0o6755
    with open_place() as place:
        assert call_process(place, build(tree, dialect, "process")).error is None
        assert stat.S_IMODE((place.target / "s").stat().st_mode) == 0o700
