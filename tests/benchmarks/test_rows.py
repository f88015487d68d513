"""Rows of a benchmark: ratios, targets, and what the command line takes."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import LONG_ROWS, ROWS, make_parser
from benchmarks.cache_runs import rsync_options
from benchmarks.changes import CHANGES
from benchmarks.figures import Samples, below, within

PEER = Samples("rsync", "s", [2.0, 1.0, 4.0])


def test_within_a_limit() -> None:
    row = within("a stage", Samples("own", "s", [2.0, 3.0, 4.4]), PEER, 1.2)
    assert (row.ratio, row.met, row.target) == (1.1, True, "within 1.2 times")
    assert row.ratio_text == "1.10 times its time"


def test_over_a_limit() -> None:
    assert within("a stage", Samples("own", "s", [3.0, 3.0, 5.0]), PEER, 1.2, "bytes").met is False


def test_without_a_limit() -> None:
    row = within("a stage", Samples("own", "s", [20.0, 30.0, 40.0]), PEER, None, "bytes")
    assert (row.met, row.target, row.ratio_text) == (None, "", "10.00 times its bytes")


@pytest.mark.parametrize(("largest", "met"), [(59.9, True), (60.0, False)])
def test_below_a_limit(largest: float, met: bool) -> None:
    row = below("a stage", Samples("own", "kB", [largest, 10.0]), 60)
    assert (row.met, row.target, row.peer) == (met, "under 60 kB", None)


def test_long_rows_are_measured_when_they_are_named() -> None:
    assert set(make_parser().parse_args([]).rows) == set(ROWS) - set(LONG_ROWS)
    options = make_parser().parse_args(["--rows", "cache", "--round-trips", "0", "2.5", "--changes", "modes only"])
    assert (options.rows, options.round_trips, options.changes) == (["cache"], [0.0, 2.5], ["modes only"])
    assert make_parser().parse_args([]).changes == [change.name for change in CHANGES]


def test_rsync_compresses_as_playstream_does_if_it_can() -> None:
    said = "rsync  version 3.2.7  protocol version 31\nChecksum list:\n    md5\nCompress list:\n    {}\n"
    assert rsync_options(said.format("zstd lz4 zlibx zlib none"))[2:] == [
        "--compress-choice=zstd",
        "--compress-level=1",
    ]
    for lists in (said.format("zlibx zlib none"), "rsync  version 3.1.3  protocol version 31\n"):
        assert rsync_options(lists) == ["--archive", "--compress"]
