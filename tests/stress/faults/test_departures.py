"""The reader of the results goes away after any byte: the worker ends with the right error, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from playstream.pipeline.dialect import Dialect
from playstream.worker import WorkResult
from tests.stress.faults.departures import SCRIPTS, check, host, serve

SAMPLES = 40


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_reader_that_goes_away_after_some_bytes(dialect: Dialect, script: str, tmp_path: Path) -> None:
    """At offsets in equal distances; `make faults` does all of them."""
    (tmp_path / "whole").mkdir()
    with host(tmp_path / "whole", "short"):
        size, ended, _ = serve(dialect, None)
    assert isinstance(ended, WorkResult)
    (tmp_path / "cut").mkdir()
    with host(tmp_path / "cut", script):
        for offset in range(0, size, size // SAMPLES):
            try:
                check(dialect, script, offset)
            except Exception as error:
                raise AssertionError(f"after {offset} of {size} bytes") from error
