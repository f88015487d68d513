"""What the documents call playstream's can be imported from `playstream`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import playstream
from playstream.pipeline import errors
from playstream.process import task_results

DOCS = Path(__file__).resolve().parents[2] / "docs"
PYTHON, ERRORS, RESULTS = (
    (DOCS / name).read_text(encoding="utf-8") for name in ("python.md", "errors.md", "results.md")
)


def names_in(text: str) -> set[str]:
    """The names of classes in code: capital letters inside and no path before them."""
    return set(re.findall(r"`(?:playstream\.)?([A-Z][a-z]+(?:[A-Z][a-z]+)+)\b", text))


def test_errors() -> None:
    classes = {cls.__name__: cls for cls in errors.error_classes()}
    of_table = set(re.findall(r"^\| \d+ \| `(\w+)`", ERRORS, re.MULTILINE))
    assert of_table == classes.keys()
    named = names_in(PYTHON) & classes.keys()
    assert {"JobError", "StoreError", "ExecutableNotFound", "IncompleteStream", "OutputError"} <= named
    for name in named | of_table:
        assert getattr(playstream, name) is classes[name]
        assert name in playstream.__all__


def test_results() -> None:
    named = names_in(RESULTS) | names_in(PYTHON)
    assert {"TaskResult", "TaskResults", "ItemResult", "EventHandler", "RunCode", "RunnerConfig"} <= named
    ansibles_and_pythons = {"ValueError", "OSError"}
    assert [name for name in sorted(named - ansibles_and_pythons) if not hasattr(playstream, name)] == []
    for name in ("TaskResult", "TaskResults", "ItemResult"):
        assert getattr(playstream, name) is getattr(task_results, name)


@pytest.mark.parametrize("name", playstream.__all__)
def test_every_name_is_one_of_the_interface_too(name: str) -> None:
    if name not in {"interface", "__version__"}:
        assert getattr(playstream.interface, name) is getattr(playstream, name)
