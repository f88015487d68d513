"""Writes docs/run.svg, the picture in README.md, from what a terminal shows of a run: python docs/generate_picture.py

The run is real: `record` starts a shell on a terminal, types the command and keeps the screen. rich draws it.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pexpect
import pyte
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "run.svg"
COMMAND = "playstream run demo -p site.yml -i first"
_COLUMNS, _LINES = 110, 48
_PROMPT = "$ "
_AT_LINE_START = r"(?:(?<=\n)|(?<=\x1b\[2K))"
"""After a line end, or after the progress line has been cleared."""
_LIMIT_SECONDS = 100
_RICH_NAMES = {"brown": "yellow"}
"""Colours that pyte and rich call by different names."""


def record(directory: Path) -> pyte.Screen:
    """Run the command in a copy of examples/, on a terminal; return its screen.

    Args:
        directory: for the copy, and for temporary files.
    """
    shutil.copytree(ROOT / "examples" / "demo", directory / "demo", ignore=shutil.ignore_patterns("artifacts"))
    env = {
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PS1": _PROMPT,
        "TERM": "xterm-256color",
        "TMPDIR": str(directory),
    }
    screen = pyte.Screen(_COLUMNS, _LINES)
    terminal = pyte.Stream(screen)
    size = (_LINES, _COLUMNS)
    shell = pexpect.spawn("sh", env=env, cwd=directory, dimensions=size, timeout=_LIMIT_SECONDS, encoding="utf-8")
    shell.expect_exact(_PROMPT)
    terminal.feed(_PROMPT)
    shell.sendline(COMMAND)
    shell.expect(_AT_LINE_START + re.escape(_PROMPT))
    terminal.feed(shell.before or "")
    shell.close()
    return screen


def lines_of(screen: pyte.Screen) -> list[str]:
    """Return the text of a screen, without empty lines at its end."""
    return "\n".join(line.rstrip() for line in screen.display).rstrip().split("\n")


def _style_of(cell: pyte.screens.Char) -> str:
    colour = "" if cell.fg == "default" else _RICH_NAMES.get(cell.fg, cell.fg)
    return f"{'bold ' if cell.bold else ''}{colour}".strip()


def draw(screen: pyte.Screen) -> str:
    """Return the screen as SVG, without the fonts that rich would load from a server."""
    text = Text()
    for number, line in enumerate(lines_of(screen)):
        cells = [screen.buffer[number][column] for column in range(len(line))]
        for style, run in itertools.groupby(cells, _style_of):
            text.append("".join(cell.data for cell in run), style)
        text.append("\n")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere, force_terminal=True, color_system="standard")
        console.print(text, end="", soft_wrap=True)
        svg = console.export_svg(title="", theme=MONOKAI, unique_id="run")
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        PICTURE.write_text(draw(record(Path(directory))), encoding="utf-8")
