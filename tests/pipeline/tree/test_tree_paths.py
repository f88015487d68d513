"""Which paths and symlink targets are refused, and how the messages show them."""

from __future__ import annotations

import pytest

from playstream.pipeline.errors import UnsafePath
from playstream.pipeline.tree.paths import (
    MAX_DEPTH,
    MAX_NAME,
    MAX_PATH,
    check_target,
    check_target_stays,
    printable,
    split_path,
)


@pytest.mark.parametrize(
    "path",
    [
        b"a",
        b"a/b",
        b"...",
        b"..a/b..",
        b"a\nb/\xff\xfe",
        b" ",
        b"~",
        b"n" * MAX_NAME,
        b"/".join([b"d"] * MAX_DEPTH),
        b"/".join([b"n" * 240] * 17)[:MAX_PATH],
    ],
)
def test_a_path_is_split_into_its_components(path: bytes) -> None:
    assert b"/".join(split_path(path)) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (b"", "not the name"),
        (b".", "not the name"),
        (b"..", "not the name"),
        (b"a/../b", "not the name"),
        (b"a/./b", "not the name"),
        (b"a//b", "not the name"),
        (b"a/", "not the name"),
        (b"/", "absolute"),
        (b"/etc/passwd", "absolute"),
        (b"//a", "absolute"),
        (b"a\0b", "NUL"),
        (b"n" * (MAX_NAME + 1), "256 bytes"),
        (b"a/" + b"n" * (MAX_NAME + 1), "256 bytes"),
        (b"/".join([b"d"] * (MAX_DEPTH + 1)), "256 components deep"),
        (b"/".join([b"n" * 200] * 21), "4220 bytes"),
    ],
)
def test_a_path_that_is_none_is_refused(path: bytes, reason: str) -> None:
    with pytest.raises(UnsafePath, match=reason):
        split_path(path)


def test_a_message_shows_no_control_characters_and_is_cut() -> None:
    shown = printable(b"\x1b]0;title\x07\xff\n\xe2\x80\xae" + b"x" * 5000)
    assert shown.isprintable()
    assert shown.startswith("'\\x1b]0;title\\x07\\udcff\\n\\u202e")
    assert len(shown) < 300
    shown.encode()
    assert printable("Übung/größe.yml".encode()) == "'Übung/größe.yml'"


@pytest.mark.parametrize(("target", "reason"), [(b"", "without"), (b"a\0b", "NUL"), (b"t" * 4096, "4096 bytes")])
def test_a_target_that_no_file_system_takes_is_refused(target: bytes, reason: str) -> None:
    with pytest.raises(UnsafePath, match=reason):
        check_target(b"link", target)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"link", b"file"),
        (b"link", b"."),
        (b"link", b"./a//b/"),
        (b"a/link", b".."),
        (b"a/link", b"../file"),
        (b"a/b/link", b"./../.././x/y"),
        (b"link", b"..."),
    ],
)
def test_a_target_inside_the_tree_is_kept(path: bytes, target: bytes) -> None:
    check_target_stays(path, target)


@pytest.mark.parametrize(
    ("path", "target", "reason"),
    [
        (b"link", b"/etc/passwd", "absolute"),
        (b"link", b"..", "leaves"),
        (b"link", b"./../target/x", "leaves"),
        (b"a/link", b"../..", "leaves"),
        (b"a/link", b"..//..", "leaves"),
        (b"a/link", b"x/..", "after a name"),
        (b"a/link", b"../x/../y", "after a name"),
    ],
)
def test_a_target_that_could_leave_the_tree_is_refused(path: bytes, target: bytes, reason: str) -> None:
    with pytest.raises(UnsafePath, match=reason):
        check_target_stays(path, target)
