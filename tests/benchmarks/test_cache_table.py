"""Figures of the rows on a worker's cache, kept and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cache_table import (
    BYTES,
    COPY,
    HERE,
    OWN,
    RSYNC,
    SECONDS,
    far_section,
    format_markdown,
    main,
    size_text,
    time_text,
)
from benchmarks.kept_figures import KeptFigures

NEAR = far_section(0)


@pytest.fixture
def figures(tmp_path: Path) -> KeptFigures:
    """Figures of one change at two distances, of which one was interrupted."""
    found = KeptFigures(tmp_path / "figures.json", {"cores": 2})
    for section in (HERE, NEAR, far_section(80)):
        found.begin(section, tree="small")
    for own, peer in ((1.0, 2.0), (3.0, 1.0), (2.0, 2.0)):
        found.add(NEAR, "a byte", OWN, own)
        found.add(NEAR, "a byte", RSYNC, peer)
        found.add(NEAR, "a byte", OWN, 1000 * own, BYTES)
        found.add(NEAR, "a byte", RSYNC, 2_000_000 * peer, BYTES)
    found.add(far_section(80), "a byte", OWN, 1.0)
    return found


def test_a_table(figures: KeptFigures) -> None:
    heading, _, *lines = format_markdown(figures.sections).splitlines()
    assert heading == "| Change | Round trip | Bytes | rsync | Ratio | Time | rsync | Ratio |"
    times = "2.00 s (1.00 to 3.00) | 2.00 s (1.00 to 2.00) | 1.00"
    assert lines == [f"| a byte | 0 ms | 2.0 kB | 4.0 MB | 0.00 | {times} |"]


def test_the_table_beside_a_copy(figures: KeptFigures) -> None:
    figures.add(HERE, "unchanged", OWN, 3.0)
    assert HERE not in format_markdown(figures.sections)
    figures.add(HERE, "unchanged", COPY, 2.0)
    assert "Unchanged, without a network: 3.00 s, and cp -a 2.00 s: 1.50 times" in format_markdown(figures.sections)


def test_figures_are_kept_as_they_are_taken(figures: KeptFigures, tmp_path: Path) -> None:
    kept = json.loads((tmp_path / "figures.json").read_text())["sections"]
    assert kept[NEAR]["machine"] == {"cores": 2}
    assert kept[NEAR]["tree"] == "small"
    assert kept[NEAR][SECONDS]["a byte"][OWN] == [1.0, 3.0, 2.0]
    assert figures.sections == kept


def test_a_section_that_is_begun_again_is_empty(figures: KeptFigures, tmp_path: Path) -> None:
    again = KeptFigures(tmp_path / "figures.json", {"cores": 4})
    again.begin(NEAR)
    assert again.sections[NEAR] == {"machine": {"cores": 4}}
    assert again.sections[far_section(80)] == figures.sections[far_section(80)]
    assert format_markdown(again.sections).count("\n") == 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"sections": 1}', '{"sections": {"round trip 0 ms": []}}'])
def test_a_file_without_figures(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    path.write_text(text)
    assert main([str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"{path}: expected the figures of `make bench-cache`")


def test_the_command(figures: KeptFigures, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "figures.json")]) == 0
    assert capsys.readouterr().out == format_markdown(figures.sections) + "\n"


def test_numbers() -> None:
    assert size_text([1, 12_345, 99_999_999]) == "12.3 kB"
    assert size_text([999_999]) == "1000.0 kB"
    assert size_text([134_217_728]) == "134.2 MB"
    assert time_text([0.123]) == "0.12 s"
