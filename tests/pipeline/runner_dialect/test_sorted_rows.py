"""Rows come out in the order of their bytes, however many were put aside."""

from __future__ import annotations

import random
import tempfile

import pytest

from playstream.pipeline.runner_dialect import sorted_rows
from playstream.pipeline.runner_dialect.sorted_rows import SortedRows


@pytest.mark.parametrize("in_memory", [0, 5_000, 1 << 24])
def test_any_number_of_pieces(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    """All in one piece, in many, and in one for each row; one is longer than what is read at once."""
    monkeypatch.setattr(sorted_rows, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(sorted_rows, "_BLOCK", 100)
    chance = random.Random(7)
    given = [chance.randbytes(chance.randrange(40)) for _ in range(500)] + [b"x" * 1000, b"", b""]
    rows = SortedRows()
    for row in given:
        rows.add(row)
    assert list(rows) == sorted(given)
    rows.close()


def test_few_need_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    rows = SortedRows()
    rows.add(b"b")
    rows.add(b"a")
    assert list(rows) == [b"a", b"b"]
    rows.close()
