"""The Python examples of the documents, as programs whose lines have the numbers of the page."""

from __future__ import annotations

import re
from pathlib import Path

_GIVEN = {
    "docs/python.md": (
        "from typing import Any, BinaryIO",
        "to_worker: BinaryIO",
        "from_transmit: BinaryIO",
        "to_process: BinaryIO",
        "from_worker: BinaryIO",
    ),
    "docs/results.md": ("from typing import Any", "runner: playstream.Runner"),
}
"""What the examples of a page use from the text around them, or from an example before."""
_FENCE = re.compile(r"( *)```python\n")


def as_program(root: Path, page: str) -> str | None:
    """Return the examples of a page, each as a function because some of them await; None if the page has none."""
    lines = (root / page).read_text(encoding="utf-8").splitlines(keepends=True)
    program, margin = [], None
    for number, line in enumerate(lines, 1):
        fence = _FENCE.fullmatch(line)
        if fence is not None:
            margin = fence[1]
            program.append(f"async def example_{number}() -> None:\n")
        elif margin is None or line == f"{margin}```\n":
            margin = None
            program.append("\n")
        else:
            program.append(f"    {line.removeprefix(margin)}" if line.strip() else "\n")
    if "async def" not in "".join(program):
        return None
    assert program[0] == "\n", f"{page} begins with an example: there is no line for what it uses"
    program[0] = "; ".join(["import playstream", *_GIVEN.get(page, ())]) + "\n"
    return "".join(program)
