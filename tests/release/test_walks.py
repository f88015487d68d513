"""The walks in docs/architecture.md: at most twelve files each, and what is said to be on the way is on the way."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.matrix.debian import ROOT
from tests.stages import LIMIT_SECONDS

SOURCE = ROOT / "src" / "playstream"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w/]+\.py)` \| `(\w+)` \|", re.MULTILINE)
MOST = 12
TRACED = """
import io, json, sys, threading
source, demo, result = sys.argv[1:]
called = set()
def note(frame, event, argument):
    if event == "call" and frame.f_code.co_filename.startswith(source):
        called.add((frame.f_code.co_filename[len(source) + 1:], frame.f_code.co_name))
threading.setprofile(note)
sys.setprofile(note)
import playstream
from playstream.cli.entry import main
job, results = io.BytesIO(), open(result + ".results", "w+b")
sys.stdout.flush()
sys.argv = ["playstream", "transmit", demo, "-p", "site.yml"]
assert main() == 0
with open(result + ".job", "rb") as job:
    playstream.run(streamer="worker", _input=job, _output=results)
results.seek(0)
events = []
playstream.run(streamer="process", private_data_dir=demo, _input=results, event_handler=events.append, quiet=True)
sys.setprofile(None)
assert events
with open(result, "w") as file:
    json.dump(sorted(called), file)
"""


def walks() -> dict[str, list[tuple[str, str]]]:
    """The rows of each walk: file and function."""
    section = PAGE[PAGE.index("## Three walks") : PAGE.index("## Two protocols")]
    titles = re.split(r"^### (.*)$", section, flags=re.MULTILINE)[1:]
    return {title: ROW.findall(text) for title, text in zip(titles[::2], titles[1::2], strict=True)}


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_walk_is_short_and_its_functions_are_there() -> None:
    assert len(walks()) == 3
    for title, rows in walks().items():
        assert 8 <= len(rows) <= MOST, title
        assert len({file for file, _ in rows}) == len(rows), title
        for file, function in rows:
            assert function in functions_in(SOURCE / file), f"{title}: {file}: {function}"


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """What runs while a job is transmitted, run and processed in one process."""
    directory = tmp_path_factory.mktemp("walks")
    demo = directory / "demo"
    (demo / "project").mkdir(parents=True)
    (demo / "inventory").mkdir()
    (demo / "inventory" / "hosts").write_text("localhost ansible_connection=local\n")
    (demo / "project" / "site.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: hello}}]\n"
    )
    result = directory / "called"
    with (directory / "called.job").open("wb") as job:
        subprocess.run(
            [sys.executable, "-c", TRACED, str(SOURCE), str(demo), str(result)],
            stdout=job,
            check=True,
            timeout=LIMIT_SECONDS,
        )
    return {(file, function) for file, function in json.loads(result.read_text())}


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_on_the_way(called: set[tuple[str, str]], number: int) -> None:
    title, rows = list(walks().items())[number]
    inside_ansible = [row for row in rows if row[0].startswith("plugin/")]
    assert len(inside_ansible) == 2 * number
    assert [row for row in rows if row not in called and row not in inside_ansible] == [], title
