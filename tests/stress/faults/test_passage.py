"""A fault in bytes that come piece by piece is the one that it is in all of them together."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.process.test_processing import WHOLE, encode
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.over_links import decode
from tests.stress.faults.passage import Passage

DATA = bytes(range(1, 251))


@given(
    kind=st.sampled_from(list(Kind)),
    offset=st.integers(0, len(DATA)),
    seed=st.integers(0, 3),
    cuts=st.lists(st.integers(0, len(DATA)), max_size=6),
)
def test_pieces(kind: Kind, offset: int, seed: int, cuts: list[int]) -> None:
    fault = Fault(kind, offset, seed)
    passage = Passage(fault)
    places = [0, *sorted(cuts), len(DATA)]
    came = [passage.take(DATA[start:end]) for start, end in pairwise(places)]
    passed = b"".join(b"".join(pieces) for pieces in (*came, passage.end()))
    assert passed == b"".join(fault.apply(DATA))
    ends = kind in {Kind.CUT, Kind.ONE_WAY, Kind.STALL} and offset <= len(DATA)
    assert passage.met == (ends or passed != DATA or (kind in {Kind.DRIBBLE, Kind.REORDER} and offset < len(DATA)))
    assert passage.over == ends


def test_no_fault() -> None:
    passage = Passage(None)
    assert [passage.take(b"abc"), passage.take(b""), passage.end()] == [[b"abc"], [b""], []]
    assert (passage.met, passage.over) == (False, False)


@pytest.mark.parametrize("first", [b"", b"abc"])
def test_single_bytes(first: bytes) -> None:
    passage = Passage(Fault(Kind.DRIBBLE, len(first)))
    assert passage.take(first + b"de") == [*([first] if first else []), b"d", b"e"]
    assert passage.take(b"f") == [b"f"]


def test_what_comes_again_may_be_skipped() -> None:
    """Nothing but bytes between two frames can come again without a change to the records."""
    stream = encode(WHOLE)
    skipped = []
    for offset in range(1, len(stream)):
        records, whole = decode(b"".join(Fault(Kind.DUPLICATE, offset).apply(stream)))
        assert not whole or records == decode(stream)[0], offset
        if whole:
            skipped.append(offset)
    assert 0 < len(skipped) < len(stream) // 2
