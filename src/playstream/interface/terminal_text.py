"""What a job shows, made safe for the viewer's terminal.

A job's output comes from hosts and workers that are not trusted, and a terminal obeys what is written to it: it moves
its cursor, sets titles, fills the clipboard, answers as if somebody had typed. So text, line ends, tabs and colours
pass, and everything else is written out, as in `\\x1b[2J`. A line is judged by itself: what the end of a line, of an
event or of a write cuts in two is no colour any more, and is written out too.

The common case must cost next to nothing: text with nothing but Ansible's own colours is searched once, at 5 to 10 ns a
character.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_CONTROLS = r"\x00-\x08\x0b-\x1a\x1c-\x1f"
"""Without tab, line end and escape."""
_UNSEEN = (
    "\x7f-\x9f"  # delete, and the controls of eight bits: U+009B is the same as ESC [
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # these change the order in which text is seen
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # these are not seen at all
    "\u2028\u2029"  # ends of a line to some
    "\ud800-\udfff"  # halves of a character, which no encoding can say
)
"""Joiners (U+200C, U+200D) are not here: Persian and emoji are written with them."""
_STYLE = (
    r"(?:0{0,2}[0-479]?|2[1-57-9]|[34][0-79]|9[0-7]|10[0-7]|[34]8;(?:5;[0-9]{1,3}|2(?:;[0-9]{1,3}){3}))"
)
"""Colours, bold, underlined and the like. Not: blinking, concealed, and the fonts, which are character sets to some."""
_STYLES = rf"{_STYLE}(?:;{_STYLE}){{0,15}}m"
_UNSAFE = rf"[{_CONTROLS}{_UNSEEN}]|\x1b(?!\[{_STYLES})"
_UNSAFE_OR_STYLE = rf"{_UNSAFE}|\x1b\[[0-9;]*m"
_ANY_ORDER = rf"[{_CONTROLS}{_UNSEEN}\x1b]"
# Begins with a set of characters, which the search skips the rest with. A style other than 0 is followed on its line by
# another, which is looked at in its turn: hence lines end without one. The first two choices are Ansible's own colours.
_SUSPICIOUS = (
    rf"{_ANY_ORDER}(?:(?<!\x1b)|(?!\[(?:0m|[01];3[0-7]m[^\x1b\n]*\x1b|m|{_STYLES}[^\x1b\n]*\x1b)))"
)
# These are compiled when they are first used, and kept by re: a start costs 1 ms less.
_RESET = "\x1b[0m"
_RESETS = (_RESET, "\x1b[m")


def make_safe(text: str) -> str:
    """Text with its colours, which end with each line; the rest of what a terminal would obey is written out.

    `\\r\\n` becomes `\\n`. Other carriage returns, which would let a line be overwritten, are written out.
    """
    text = text.replace("\r\n", "\n")
    if re.search(_SUSPICIOUS, text) is None:
        return text
    replace = re.compile(_UNSAFE).sub
    lines = [replace(_write_out, line.rstrip("\r")) for line in text.split("\n")]
    return "\n".join(line + _RESET if _leaves_style(line) else line for line in lines)


def _leaves_style(line: str) -> bool:
    last = line.rfind("\x1b")
    return last >= 0 and not line.startswith(_RESETS, last)


def make_plain(text: str) -> str:
    """As make_safe(), without colours."""
    text = text.replace("\r\n", "\n")
    if re.search(_ANY_ORDER, text) is None:
        return text
    replace = re.compile(_UNSAFE_OR_STYLE).sub
    return "\n".join(replace(_write_out_or_drop, line.rstrip("\r")) for line in text.split("\n"))


def make_message(text: str) -> str:
    """As make_plain(), for a message or a line of a log: lines after the first are indented, so that none passes for a
    message of its own."""
    return make_plain(text).replace("\n", "\n    ")


def make_safe_json(text: str) -> str:
    """Valid JSON, with the same values, whose texts hold nothing that a terminal would obey."""
    return re.sub(_ANY_ORDER, _write_out_as_json, text)


def make_safe_mixed(text: str) -> str:
    """As make_safe_json() for lines that may be an event, as make_safe() for others."""
    lines = _end_lines(text).split("\n")
    return "\n".join(make_safe_json(line) if _may_be_json(line) else make_safe(line) for line in lines)


def _may_be_json(line: str) -> bool:
    return line.startswith("{") and "\x1b" not in line


def choose_form(*, raw: bool, json: bool, mixed: bool = False) -> Callable[[str], str]:
    """What makes a job's output ready to be shown.

    Args:
        raw: leave it as it came, but for line ends.
        json: it is JSON lines.
        mixed: there are lines of text among those.
    """
    if raw:
        return _end_lines
    if json:
        return make_safe_mixed if mixed else make_safe_json
    return make_safe


def _end_lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def _write_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _write_out_or_drop(found: re.Match[str]) -> str:
    return _write_out(found) if len(found[0]) == 1 else ""


def _write_out_as_json(found: re.Match[str]) -> str:
    if found[0] < " ":
        return " "  # between values; within texts JSON allows none of these
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
