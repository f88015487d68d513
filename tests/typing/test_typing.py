"""The types are there for users: their programs, and the examples of the documents, are checked as they would check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import playstream
from tests.matrix.debian import ROOT
from tests.typing.documents import as_program

USER = Path(__file__).with_name("user.py")
PAGES = sorted(
    str(path.relative_to(ROOT)) for folder in ("", "docs", "examples") for path in (ROOT / folder).glob("*.md")
)
CONFIG = """\
[mypy]
strict = True
warn_unused_ignores = True
error_summary = False
# ansible-runner has no types.
[mypy-ansible_runner]
ignore_missing_imports = True
"""


def test_a_users_program_and_the_examples(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(CONFIG)
    texts = {page: text for page in PAGES if (text := as_program(ROOT, page)) is not None}
    assert {"README.md", "docs/python.md", "docs/results.md", "docs/protocol.md", "docs/compat.md"} <= texts.keys()
    for page, text in texts.items():
        (tmp_path / f"{page.replace('/', '_').removesuffix('.md')}.py").write_text(text)
    programs = sorted(path.name for path in tmp_path.glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", ".cache", *programs, str(USER)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_every_example_is_checked_on_its_line() -> None:
    for page in PAGES:
        lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
        numbers = [number for number, line in enumerate(lines, 1) if line.strip() == "```python"]
        program = (as_program(ROOT, page) or "").splitlines()
        assert [number for number, line in enumerate(program, 1) if line.startswith("async def ")] == numbers, page
        for number in numbers:
            assert program[number].strip() == lines[number].strip(), page


def test_the_marker_is_shipped() -> None:
    assert (Path(playstream.__file__).parent / "py.typed").exists()
