"""The libraries in the page are those that VENDOR lists."""

from __future__ import annotations

from playstream.report.page.rendering import SCRIPTS, STYLES
from tests.report.page.vendor import PLACE, TABLE, digest_of, listed


def test_each_file_is_listed_as_it_is() -> None:
    files = {file.name: file for file in listed()}
    assert set(files) | {TABLE.name} == {path.name for path in PLACE.iterdir()}
    for name, file in files.items():
        assert file.sha256 == digest_of(name)
        assert file.licence == "MIT"


def test_each_one_that_the_page_has_comes_with_its_licence() -> None:
    used = [name.removeprefix("vendor/") for name in (*SCRIPTS, *STYLES) if name.startswith("vendor/")]
    assert used
    for name in used:
        assert (PLACE / f"{name.split('.')[0]}.LICENSE").is_file()


def test_no_script_ends_its_element() -> None:
    for name in (*SCRIPTS, *STYLES):
        text = (PLACE.parent / name).read_text(encoding="utf-8").casefold()
        assert "</script" not in text
        assert "</style" not in text
        assert "<!--" not in text
