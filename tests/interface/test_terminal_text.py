"""What a job shows gives a terminal no orders but for colours, and these end with their line."""

from __future__ import annotations

import json
import re
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.interface.terminal_text import choose_form, make_message, make_plain, make_safe, make_safe_json

ALLOWED = {"draw", "linefeed", "carriage_return", "tab", "select_graphic_rendition"}
HOSTILE = (
    "\x1b[2J",
    "\x1b[H",
    "\x1b[5A",
    "\x1b[1;1H",
    "\x1b[3;7r",
    "\x1b[?1049h",
    "\x1b[?25l",
    "\x1b[4h",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[s",
    "\x1b[u",
    "\x1b[K",
    "\x1b[>4;1m",
    "\x1b[?4m",
    "\x1b[0;8m",
    "\x1b[8m",
    "\x1b[5m",
    "\x1b[11m",
    "\x1b[38;8m",
    "\x1b[38;5;\u0663m",
    "\x1b[1:8m",
    "\x1b[1\x1b[2J",
    "\x1b[0;3",
    "\x1b[",
    "\x1b",
    "\x1bc",
    "\x1bM",
    "\x1b7",
    "\x1b8",
    "\x1b#8",
    "\x1b(0",
    "\x1b%@",
    "\x1bN",
    "\x1b=",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b]52;c;eA==\x07",
    "\x1b]8;;http://x\x1b\\",
    "\x1b]",
    "\x1bPq\x1b\\",
    "\x1b_x\x1b\\",
    "\x1b^x\x1b\\",
    "\x1bXx\x1b\\",
    "\x9b2J",
    "\x9b5A",
    "\x9d0;title\x9c",
    "\x90q\x9c",
    "\x84",
    "\x85",
    "\x8d",
    "\r",
    "\r\r",
    "\b",
    "\a",
    "\v",
    "\f",
    "\0",
    "\x7f",
    "\x0e",
    "\x0f",
    "\x18",
    "\x1a",
    "\x05",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u200f",
    "\u200b",
    "\u2028",
    "\ufeff",
    "\U000e0041",
    "\ud800",
)
STYLES = ("0;32", "0;31", "1;35", "0;36", "1;30", "38;5;208", "0;38;5;8", "38;2;1;2;3", "01;34", "4", "7", "")
COLOURED = st.builds("\x1b[{}m{}\x1b[0m".format, st.sampled_from(STYLES), st.text("ok: [node]é漢", max_size=8))
WORDS = st.one_of(
    st.sampled_from(HOSTILE),
    COLOURED,
    st.text(max_size=5),
    st.sampled_from(("\n", "\r\n", "\t", "word", "[31m", "m", ";")),
    st.builds("\x1b[{}m".format, st.text("0123456789;:?>", max_size=8)),
)
TEXTS = st.lists(WORDS, max_size=20).map("".join)


class Watched(pyte.Screen):
    """A screen that notes what it is told to do, and that its cursor never goes up."""

    def __init__(self) -> None:
        super().__init__(40, 2000)
        self.orders: list[str] = []
        self._busy = False
        self.fresh = self.state()
        for name in pyte.Stream.events:
            setattr(self, name, self._noting(name, getattr(self, name)))

    def _noting(self, name: str, order: Any) -> Any:
        def note(*args: Any, **kwargs: Any) -> None:
            if self._busy:  # one order that is done by means of another
                order(*args, **kwargs)
                return
            line, self._busy = self.cursor.y, True
            self.orders.append(name)
            order(*args, **kwargs)
            self._busy = False
            assert self.cursor.y >= line, name

        return note

    def state(self) -> tuple[object, ...]:
        """What text leaves alone."""
        return (
            self.title,
            self.icon_name,
            set(self.mode),
            self.margins,
            self.charset,
            self.g0_charset,
            self.g1_charset,
            set(self.tabstops),
            list(self.savepoints),
            self.cursor.hidden,
        )


def show(text: str) -> Watched:
    """What a terminal makes of the text, whose line ends the system turns into two characters."""
    screen = Watched()
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return screen


def check_harmless(text: str) -> Watched:
    screen = show(text)
    assert set(screen.orders) <= ALLOWED
    assert screen.state() == screen.fresh
    assert not re.search(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not re.search(r"\x1b(?!\[[0-9;]*m)", text)
    return screen


@given(TEXTS)
def test_a_terminal_gets_text_and_colours_alone(text: str) -> None:
    safe = make_safe(text)
    screen = check_harmless(safe)
    assert screen.orders.count("linefeed") == text.count("\n")
    ended = show(safe + "\n|")
    assert ended.buffer[ended.cursor.y][0] == ended.default_char._replace(data="|"), "colours have ended"
    assert make_safe(safe) == safe


@given(TEXTS)
def test_without_colours_there_is_nothing_but_text(text: str) -> None:
    plain = make_plain(text)
    check_harmless(plain)
    assert "\x1b" not in plain
    assert make_plain(plain) == plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", make_safe(text)) == plain


@given(st.lists(TEXTS, max_size=6))
def test_it_makes_no_difference_which_lines_are_written_at_once(texts: list[str]) -> None:
    lines = [f"{text}\n" for text in texts]
    assert "".join(map(make_safe, lines)) == make_safe("".join(lines))


@given(TEXTS, st.data())
def test_what_is_cut_anywhere_does_not_slip_through(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    check_harmless("".join(map(make_safe, pieces)))


@given(st.lists(COLOURED | st.text("plain words é漢🎉\t.[]{}", max_size=20), max_size=20))
def test_colours_and_text_stay_as_they_are(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert make_safe(text) == text
    assert make_safe(text.replace("\n", "\r\n")) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("ok\rfailed", r"ok\rfailed"),
        ("twice\r\r\n", "twice\n"),
        ("user\u202etxt.exe\U000e0041\ud800", r"user\u202etxt.exe\U000e0041\ud800"),
        ("\x1b[31mred\nstill\x1b[0m", "\x1b[31mred\x1b[0m\nstill\x1b[0m"),
        ("\x1b[0;32mok\x1b[8mhidden\x1b[0m", "\x1b[0;32mok\\x1b[8mhidden\x1b[0m"),
        ("\x1b\x1b[0m[2J", "\\x1b\x1b[0m[2J"),
        ("\u0645\u06cc\u200c\u062f 👩\u200d🚀", "\u0645\u06cc\u200c\u062f 👩\u200d🚀"),
    ],
)
def test_what_is_written_out(text: str, shown: str) -> None:
    assert make_safe(text) == shown


def test_colours_that_are_taken_away_leave_no_order_behind() -> None:
    assert make_plain("\x1b\x1b[0m[2J\x1b[1m\x1b[0m") == r"\x1b[2J"


def test_a_message_cannot_pretend_to_be_two() -> None:
    assert make_message("lost\r\nplaystream process: successful\x1b[A") == (
        "lost\n    playstream process: successful\\x1b[A"
    )


@given(st.recursive(st.none() | st.integers() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_json_keeps_its_values(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    safe = make_safe_json(text)
    assert json.loads(safe) == value
    assert not set(safe) & set("\x1b\x7f\x9b\u202e\ud800\U000e0041")
    assert make_safe_json(text.replace(", ", ",\r")) == safe or ", " in text


def test_raw_output_is_as_it_came() -> None:
    hostile = "".join(HOSTILE)
    for is_json in (False, True):
        assert choose_form(raw=True, json=is_json)(f"{hostile}\r\n") == f"{hostile}\n"


@pytest.mark.parametrize(
    "piece",
    [
        "\r",
        "\x1b",
        "\x1b[31m",
        "\x1b[",
        "\x1b[31m\n",
        "\x1b[1;",
        "\x9b",
        "\x1b]",
        "a\x1b[m",
    ],
)
def test_a_flood_takes_time_in_proportion(piece: str) -> None:
    """What grew with the square of the size would not end within the time limit of tests."""
    assert "\r" not in make_safe(piece * (1 << 18))
    assert "\x1b" not in make_plain(piece * (1 << 18))
