"""Which entries are left out: gitignore's rules, `artifacts`, and errors that name the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol.records import FileEntry
from playstream.pipeline.tree.ignore import IGNORE_FILE, Ignore
from playstream.pipeline.tree.pack import pack


def sent(root: Path, *exclude: str) -> set[str]:
    """The paths that are packed, without the root and the ignore file."""
    ignore = Ignore.for_directory(root, exclude)
    paths = {record.path.decode() for record in pack(root, ignore=ignore) if isinstance(record, FileEntry)}
    return paths - {"", IGNORE_FILE}


def grow(root: Path, *paths: str) -> None:
    """Create files, and directories for paths that end in a slash."""
    for path in paths:
        if path.endswith("/"):
            (root / path).mkdir(parents=True)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("")


# The expectations of this table were compared with `git ls-files --others --exclude-from`.
@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ((), {"a", "a/x.yml", "a/b", "a/b/y.pyc", "a/b/z", "y.pyc", "z"}),
        (("*.pyc",), {"a", "a/x.yml", "a/b", "a/b/z", "z"}),
        (("*.pyc", "!a/b/y.pyc"), {"a", "a/x.yml", "a/b", "a/b/y.pyc", "a/b/z", "z"}),
        (("b/",), {"a", "a/x.yml", "y.pyc", "z"}),
        (("z/",), {"a", "a/x.yml", "a/b", "a/b/y.pyc", "a/b/z", "y.pyc", "z"}),
        (("/b",), {"a", "a/x.yml", "a/b", "a/b/y.pyc", "a/b/z", "y.pyc", "z"}),
        (("/z",), {"a", "a/x.yml", "a/b", "a/b/y.pyc", "a/b/z", "y.pyc"}),
        (("a/b", "!a/b/z"), {"a", "a/x.yml", "y.pyc", "z"}),
        (("a/b/*", "!a/b/z"), {"a", "a/x.yml", "a/b", "a/b/z", "y.pyc", "z"}),
        (("a/**", "!a/x.yml"), {"a", "a/x.yml", "y.pyc", "z"}),
        (("*", "!*/", "!*.yml"), {"a", "a/x.yml", "a/b"}),
        (("**/z", "a/**/y.pyc"), {"a", "a/x.yml", "a/b", "y.pyc"}),
        (("# a comment", "", "   ", "z  ", "\\#z"), {"a", "a/x.yml", "a/b", "a/b/y.pyc", "y.pyc"}),
        (("[x-z].*",), {"a", "a/b", "a/b/z", "z"}),
    ],
)
def test_patterns_mean_what_they_mean_to_git(tmp_path: Path, patterns: tuple[str, ...], left: set[str]) -> None:
    grow(tmp_path, "a/x.yml", "a/b/y.pyc", "a/b/z", "y.pyc", "z")
    assert sent(tmp_path, *patterns) == left
    (tmp_path / IGNORE_FILE).write_text("\r\n".join(patterns))
    assert sent(tmp_path) == left


def test_exclude_comes_after_the_file(tmp_path: Path) -> None:
    grow(tmp_path, "a.log", "b.log")
    (tmp_path / IGNORE_FILE).write_bytes(b"\xef\xbb\xbf*.log\n")
    assert sent(tmp_path) == set()
    assert sent(tmp_path, "!b.log") == {"b.log"}


def test_names_that_are_no_text_are_matched(tmp_path: Path) -> None:
    (tmp_path / "é.txt").write_text("")
    Path(str(tmp_path) + "/\udcff.log").write_text("")
    (tmp_path / "z\n").write_text("")
    (tmp_path / "a\nb.log").write_text("")
    (tmp_path / IGNORE_FILE).write_text("é.*\n*.log\nz\n", "utf-8")
    assert sent(tmp_path) == {"z\n"}


def test_artifacts_of_the_root_are_never_sent(tmp_path: Path) -> None:
    grow(tmp_path, "artifacts/1/stdout", "project/artifacts/x", "artifacts2")
    left = {"project", "project/artifacts", "project/artifacts/x", "artifacts2"}
    assert sent(tmp_path) == left
    assert sent(tmp_path, "!artifacts", "!/artifacts/**") == left


def test_a_link_called_artifacts_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "artifacts").symlink_to("/var/lib/elsewhere")
    assert sent(tmp_path) == set()


def test_without_ignore_artifacts_are_packed(tmp_path: Path) -> None:
    grow(tmp_path, "artifacts/x")
    assert b"artifacts/x" in {record.path for record in pack(tmp_path) if isinstance(record, FileEntry)}


@pytest.mark.parametrize("pattern", ["!", "/", "!/", "a\\", "[[:alpha:]]", "[z-a]"])
def test_an_invalid_pattern_is_named_with_its_line(tmp_path: Path, pattern: str) -> None:
    (tmp_path / IGNORE_FILE).write_text(f"# first\n*.pyc\n{pattern}\n")
    with pytest.raises(ConfigurationError, match=r"\.playstreamignore, line 3: .* is not a valid pattern"):
        Ignore.for_directory(tmp_path, [])
    (tmp_path / IGNORE_FILE).unlink()
    with pytest.raises(ConfigurationError, match=r"--exclude .* is not a valid pattern"):
        Ignore.for_directory(tmp_path, ["*.pyc", pattern])


def test_an_undecodable_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / IGNORE_FILE).write_bytes(b"*.pyc\ncaf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"line 2: expected UTF-8, found b'caf\\xe9'"):
        Ignore.for_directory(tmp_path, [])


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / IGNORE_FILE).write_text("")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        Ignore.for_directory(tmp_path, [])
