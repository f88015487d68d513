"""A worker's text on the line of a question: it stays behind the name of the link, whatever it is."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.interface.asked_line import AskedLine

LINK = "ssh://host"
NAME = f"({LINK}) "
PIECES = st.lists(
    st.sampled_from(
        [
            "[sudo] password for me: ",
            "\b" * 30,
            "\b",
            "\r",
            "\n",
            "\x1b[K",
            "\x1b[2K",
            "\x1b[A",
            "\x1b[1;1H",
            "\x1b[2J",
            "\x1b[31m",
            "\x1b[8m",
            "\x1b]0;title\a",
            "\x9b2J",
            "\x1bc",
            "\x0b\x0c\x85\u2028",
            "\u202e",
            "e" + "\u0301" * 20,
            "\u200d" * 20,
            "\U0001f600\ufe0f",
            "\u6f22\u5b57",
            "\u1112\u1161\u11ab",
            "\u115f\u1160" * 20,
            "\U0001f469\u200d\U0001f469\u200d\U0001f467",
            "\t",
            " " * 70,
            "\a",
            "\x07",
        ]
    )
    | st.text(max_size=8),
    max_size=12,
)


def show(*texts: str, columns: int = 80) -> list[str]:
    """The rows of a terminal that shows what a worker says, and then a line of the output."""
    screen = pyte.HistoryScreen(columns, 60, history=2000)
    terminal = pyte.Stream(screen)
    line = AskedLine(LINK)
    for text in texts:
        # The terminal's driver makes a line end of \n.
        for character in line.add(text, columns).replace("\n", "\r\n"):
            terminal.feed(character)  # pyte drops what follows a character without width in the same text
    terminal.feed(line.end().replace("\n", "\r\n") + "output")
    below = [screen.buffer[number] for number in range(screen.lines)]
    rows = ["".join(row[column].data for column in range(columns)).rstrip() for row in [*screen.history.top, *below]]
    return rows[: max(number for number, row in enumerate(rows, 1) if row)]


@given(st.lists(PIECES, min_size=1, max_size=3))
def test_every_row_begins_with_the_name(pieces: list[list[str]]) -> None:
    *rows, last = show(*("".join(piece)[:80] for piece in pieces))
    assert last == "output"
    assert all(row.startswith(NAME.rstrip()) for row in rows), rows


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        (("Name: ",), [f"{NAME}Name:"]),
        (("", "Name: ", "A", "d", "\b\x1b[K"), [f"{NAME}Name: A"]),
        (("", "", "\r\x1b[K> x"), [f"{NAME}> x"]),
        (("Name: ", "\n"), [f"{NAME}Name:"]),
        (("Wait here:\n", ""), [f"{NAME}Wait here:"]),
        (("4", "2", "\r\x1b[K"), []),
        (("",), []),
        (("a\nb",), [f"{NAME}a", f"{NAME}b"]),
        (("\x1b[2Jx\u202ey",), [rf"{NAME}\x1b[2Jx\u202ey"]),
    ],
)
def test_what_is_shown(texts: tuple[str, ...], rows: list[str]) -> None:
    assert show(*texts) == [*rows, "output"]


@pytest.mark.parametrize("columns", [10, 20, 40, 80, 200])
def test_long_lines(columns: int) -> None:
    """A row that the terminal would begin by itself begins with the name too, shortened if it is narrow."""
    *rows, last = show("x" * 100, " " * 100 + "\r\x1b[K[sudo] password: ", "\b" * 100 + "!", columns=columns)
    start = NAME.rstrip() if len(LINK) <= columns // 2 - 3 else f"({LINK[: columns // 2 - 4]}\u2026)"
    assert last == "output"
    assert all(row.startswith(start) for row in rows), rows
    assert "".join(row.removeprefix(start).strip() for row in rows).startswith("x" * 100)


@pytest.mark.parametrize(
    "character",
    [
        "\u1160",
        "\u1161",
        "\u11ff",
        "\u115f",
        "\ud7b0",
        "\ud7fb",
        "\u3164",
        "\uffa0",
        "\U0001f469",
        "\u0301",
        "\U0001f3fd",
    ],
)
def test_a_character_that_may_have_no_width(character: str) -> None:
    """The cursor cannot go back behind it, because it may be where the name is."""
    line = AskedLine(LINK)
    line.add("", 80)
    assert "\b" not in line.add(character * 20 + "\b" * 20, 80)


@pytest.mark.parametrize("character", ["a", "\u00e9", "\u00c9", "\u6f22", "\ud55c", "\u1112"])
def test_a_character_that_has_a_width(character: str) -> None:
    line = AskedLine(LINK)
    line.add("", 80)
    assert line.add(f"{character}\b\b", 80) == f"{character}\b"


@pytest.mark.parametrize(
    ("text", "more", "rows"),
    [
        ("Name: ", "x" * 20, [f"{NAME}Name: {'t' * 70}", f"{NAME}{'x' * 20}"]),
        ("Name: ", "\b" * 30 + "x", [f"{NAME}Name: {'t' * 70}", f"{NAME}x"]),
        ("", "Name: ", [f"{NAME}Name:"]),
        ("Name:\n", "x" * 70, [f"{NAME}Name:", f"{NAME}{'x' * 70}"]),
    ],
)
def test_after_the_user_has_typed(text: str, more: str, rows: list[str]) -> None:
    """What the terminal shows of the keys is not counted, so nothing follows it in its row."""
    screen = pyte.Screen(100, 10)
    terminal = pyte.Stream(screen)
    line = AskedLine(LINK)
    terminal.feed(line.add(text, 100).replace("\n", "\r\n") + "t" * 70)
    line.fill()
    terminal.feed(line.add(more, 100).replace("\n", "\r\n"))
    assert [row.rstrip() for row in screen.display if row.strip()] == rows


def test_again_below_other_output() -> None:
    screen = pyte.Screen(80, 10)
    terminal = pyte.Stream(screen)
    line = AskedLine(LINK)
    terminal.feed(line.add("a\nNamed\b\x1b[K: ", 80).replace("\n", "\r\n"))
    terminal.feed(line.end().replace("\n", "\r\n"))
    line.leave()
    terminal.feed("output\r\n" + line.again(80))
    rows = [row.rstrip() for row in screen.display if row.strip()]
    assert rows == [f"{NAME}a", f"{NAME}Name:", "output", f"{NAME}Name:"]
