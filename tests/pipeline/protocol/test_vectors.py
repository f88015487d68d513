"""The golden vectors, each fed whole, byte by byte, and with noise around."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import Noise
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import BYTE_BY_BYTE, WHOLE, take

VECTORS = Path(__file__).parents[2] / "vectors"
FOLDER = VECTORS / "native-1"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
GENERATOR = runpy.run_path(str(VECTORS / "generate.py"))
item_form: Callable[[object], dict[str, Any]] = GENERATOR["item_form"]
TAIL = b"\r\nConnection to node1 closed.\r\n"
BANNER = b"Welcome\r\n"
ERRORS: dict[str | None, type[RemoteProtocolError] | None] = {
    None: None,
    "IncompleteStream": IncompleteStream,
    "RemoteProtocolError": RemoteProtocolError,
}


def _vector(name: str) -> tuple[bytes, Direction, dict[str, Any]]:
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))
    return (FOLDER / f"{name}.bin").read_bytes(), Direction(expected["direction"]), expected


@pytest.mark.parametrize("sizes", [WHOLE, BYTE_BY_BYTE, (7, 64)], ids=["whole", "byte-by-byte", "pieces"])
@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out(name: str, sizes: tuple[int, ...]) -> None:
    data, direction, expected = _vector(name)
    taken = take(data, direction, sizes)
    assert [item_form(item) for item in taken.items] == expected["items"]
    assert (type(taken.error) if taken.error else None) is ERRORS[expected["error"]]
    assert taken.receiver.closed is (expected["error"] is None)


@pytest.mark.parametrize("sizes", [WHOLE, (5,)], ids=["whole", "pieces"])
@pytest.mark.parametrize("name", NAMES)
def test_a_tail_of_noise_changes_nothing(name: str, sizes: tuple[int, ...]) -> None:
    data, direction, expected = _vector(name)
    taken = take(data + TAIL, direction, sizes)
    assert [item_form(item) for item in taken.items] == expected["items"]
    assert (taken.error is None) is (expected["error"] is None)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "noise"])
def test_a_banner_is_reported_and_changes_nothing_else(name: str) -> None:
    data, direction, expected = _vector(name)
    taken = take(BANNER + data, direction)
    banner = [] if name in {"empty", "no-stream"} else [Noise(BANNER, len(BANNER), 0)]
    assert taken.noises == banner
    assert [item_form(item) for item in taken.records] == expected["items"]
    assert (type(taken.error) if taken.error else None) is ERRORS[expected["error"]]


def test_there_is_a_vector_for_each_that_can_be_generated() -> None:
    assert sorted(GENERATOR["VECTORS"]) == NAMES
    assert sorted(path.stem for path in FOLDER.glob("*.bin")) == NAMES


def test_vectors_are_small() -> None:
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 64 * 1024


@pytest.mark.parametrize("there", ["noise.bin", "noise.json"])
def test_a_vector_is_never_written_again(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"released")
    with pytest.raises(FileExistsError, match="a vector never changes"):
        GENERATOR["write"](tmp_path, "noise")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"released"


def test_a_vector_that_is_missing_is_written(tmp_path: Path) -> None:
    GENERATOR["write"](tmp_path, "no-stream")
    assert (tmp_path / "no-stream.bin").read_bytes() == (FOLDER / "no-stream.bin").read_bytes()
    assert (tmp_path / "no-stream.json").read_bytes() == (FOLDER / "no-stream.json").read_bytes()
