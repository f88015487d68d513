"""Much to send and many results: nothing is lost, and no process holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mesh.volume import carry
from tests.stages import Stages
from tests.stress.load.measure import MIB


@pytest.mark.timeout(600)
def test_no_process_holds_what_it_carries(stages: Stages, tmp_path: Path) -> None:
    """`make soak` does the same with 1 GiB."""
    carried = carry(stages, tmp_path, 128 * MIB)
    print({name: f"{peak / MIB:.0f} MiB" for name, peak in carried.peaks.items()}, f"{carried.seconds:.0f} s")
