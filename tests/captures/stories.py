"""The stories of docs/captures.md: their files, the commands in their order, and what each prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SECTION = re.compile(r"^## Three stories\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"(?:^(?:    .*)?\n)+", re.MULTILINE)
_PROMPT = "$ "
_ANYTHING = "…"


@dataclass
class Step:
    """A command that is typed."""

    command: str
    lines: list[str] = field(default_factory=list)
    """What it prints; `…` stands for any text in a line, and alone for any number of lines."""

    def prints(self, output: str) -> bool:
        """Return whether an output is what the page shows."""
        # On a page no line ends with a space.
        shown = re.sub(" +$", "", output, flags=re.MULTILINE)
        return re.fullmatch("".join(map(_pattern_of, self.lines)), shown) is not None


def _pattern_of(line: str) -> str:
    if line == _ANYTHING:
        return "(?:.*\n)*?"
    return ".*".join(map(re.escape, line.split(_ANYTHING))) + "\n"


def files_of(page: str) -> Iterator[tuple[Path, str]]:
    """Yield the paths and the contents of the files that the stories use."""
    for path, text in _FILE.findall(_section(page)):
        yield Path(path), text


def steps_of(page: str) -> list[Step]:
    """Return the commands of the stories."""
    steps: list[Step] = []
    for block in _BLOCK.findall(_section(page)):
        lines = [line.removeprefix("    ") for line in block.strip("\n").splitlines()]
        if not lines or not lines[0].startswith(_PROMPT):
            continue
        for line in lines:
            if line.startswith(_PROMPT):
                steps.append(Step(line.removeprefix(_PROMPT)))
            else:
                steps[-1].lines.append(line)
    return steps


def without_stories(page: str) -> str:
    """Return the rest of the page."""
    return page.replace(_section(page), "")


def _section(page: str) -> str:
    found = _SECTION.search(page)
    assert found is not None
    return found[1]
