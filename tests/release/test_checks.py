"""What `make release-check` would find wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.matrix.debian import ROOT
from tests.release import changelog, distributions

METADATA = """\
Metadata-Version: 2.4
Name: playstream
Version: 1.2.3
License-Expression: Apache-2.0
License-File: LICENSE
Classifier: Programming Language :: Python :: 3.11
Classifier: Programming Language :: Python :: 3.12
Requires-Python: >=3.11
Project-URL: Source, https://example.org/playstream
Description-Content-Type: text/markdown

# playstream
"""


def test_right_metadata() -> None:
    assert distributions.metadata_problems(METADATA.encode()) == []


def test_a_build_requires_what_the_parsers_import() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    required, project = set(settings["build-system"]["requires"]), settings["project"]
    assert set(project["dependencies"]) <= required
    tools = {item for item in required - set(project["dependencies"]) if not item.startswith("setuptools")}
    assert tools <= set(project["optional-dependencies"]["dev"]), "a checkout makes the same documents"


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("License-File: LICENSE\n", "", "no licence file"),
        ("Requires-Python: >=3.11", "Requires-Python: >=3.12", "the classifiers name 3.11, 3.12"),
        ("text/markdown", "text/plain", "README.md is not the description"),
        ("# playstream\n", "", "README.md is not the description"),
        ("https:", "http:", "'Source', or it is not https"),
        ("Source,", "Elsewhere,", "project URL 'Elsewhere'"),
        ("Version: 1.2.3", "Version: one", "version"),
    ],
)
def test_wrong_metadata(right: str, wrong: str, expected: str) -> None:
    (problem,) = distributions.metadata_problems(METADATA.replace(right, wrong).encode())
    assert expected in problem


def test_files_that_do_not_belong_in_a_distribution() -> None:
    held = ["playstream/__init__.py", "tests/conftest.py", "benchmarks/figures.py"]
    assert distributions.differences("x.whl", ["playstream/__init__.py", "playstream/py.typed"], held) == [
        "x.whl: playstream/py.typed is missing",
        "x.whl: benchmarks/figures.py does not belong there",
        "x.whl: tests/conftest.py does not belong there",
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with this one's settings, and neither changes nor releases."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    text = (ROOT / "CHANGELOG.md").read_text()
    (tmp_path / "CHANGELOG.md").write_text(text[: text.index("<!-- towncrier release notes start -->\n")])
    (tmp_path / "changes").mkdir()
    return tmp_path


def test_a_release_that_no_change_tells_of(project: Path) -> None:
    (problem,) = changelog.problems("1.2.3", project)
    assert problem.startswith("CHANGELOG.md has no section 1.2.3, and changes/ has no file")


def test_a_change_with_a_wrong_name(project: Path) -> None:
    (project / "changes" / "+good.fixed.md").write_text("It works.\n")
    assert changelog.problems("1.2.3", project) == []
    (project / "changes" / "+bad.feature.md").write_text("It is there.\n")
    name, draft = changelog.problems("1.2.3", project)
    assert "+bad.feature.md: expected the name NAME.KIND.md, of the kinds added, changed, " in name
    assert draft == "changes/+bad.feature.md is not in the draft of towncrier"


def test_changes_that_are_left_when_the_section_is_written(project: Path) -> None:
    with (project / "CHANGELOG.md").open("a") as file:
        file.write("## 1.2.3 - 2026-01-01\n")
    assert changelog.problems("1.2.3", project) == []
    (project / "changes" / "12.added.md").write_text("It is there.\n")
    assert changelog.problems("1.2.3", project) == ["CHANGELOG.md has 1.2.3, and does not tell of changes/12.added.md"]
