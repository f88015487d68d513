"""The streams captured from released versions of ansible-runner, read without our code."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "vectors" / "runner"
VERSIONS = ("2.0.4", "2.1.4", "2.2.2", "2.3.6", "2.4.3")


def stream(version: str, name: str) -> bytes:
    """The bytes of one."""
    return (FOLDER / version / f"{name}.stream").read_bytes()


def objects(data: bytes) -> list[dict[str, Any]]:
    """The JSON objects of a stream that is whole, an archive's place taken by `{"archive": its bytes}`."""
    found = []
    while data:
        line, _, data = data.partition(b"\n")
        values = json.loads(line)
        if "zipfile" in values:
            size = (values["zipfile"] + 2) // 3 * 4
            values = {"archive": base64.b64decode(data[:size])}
            data = data[size:]
        found.append(values)
    return found


def events(data: bytes) -> list[dict[str, Any]]:
    """The events of a worker's stream."""
    return [values for values in objects(data) if values.get("counter")]


def files(data: bytes) -> dict[str, bytes]:
    """The files of a stream's archive."""
    [packed] = [values["archive"] for values in objects(data) if "archive" in values]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def line_ends(data: bytes) -> list[int]:
    """Where each line ends, the archive's bytes being a part of the line after it."""
    return [offset + 1 for offset, byte in enumerate(data) if byte == ord("\n")]
