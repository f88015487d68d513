r"""Make the output of a job safe for the viewer's terminal.

A job's output comes from hosts and workers that are not trusted, and a terminal executes control sequences in it: they
move the cursor, set titles, fill the clipboard, or answer as if someone had typed. Therefore only text, line ends,
tabs and colours pass, and everything else is escaped, as in `\x1b[2J`. Each line is checked separately: a sequence that
the end of a line, of an event or of a write cuts in two is escaped too.

The common case, text with only Ansible's own colours, must be fast: it is searched only once.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_CONTROLS = r"\x00-\x08\x0b-\x1a\x1c-\x1f"
"""Without tab, line end and escape."""
_INVISIBLE = (
    "\x7f-\x9f"  # delete, and the controls of eight bits: U+009B is the same as ESC [
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # these change the order in which text is shown
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # these are invisible
    "\u2028\u2029"  # line separators for some programs
    "\ud800-\udfff"  # surrogates, which no encoding can represent
)
"""Joiners (U+200C, U+200D) are not included, because Persian and emoji use them."""
_STYLE = r"(?:0{0,2}[0-479]?|2[1-57-9]|[34][0-79]|9[0-7]|10[0-7]|[34]8;(?:5;[0-9]{1,3}|2(?:;[0-9]{1,3}){3}))"
"""Colours, bold, underlined and so on, but not blinking, concealed, and fonts, which some terminals use as character
sets."""
_STYLES = rf"{_STYLE}(?:;{_STYLE}){{0,15}}m"
_UNSAFE = rf"[{_CONTROLS}{_INVISIBLE}]|\x1b(?!\[{_STYLES})"
_UNSAFE_OR_STYLE = rf"{_UNSAFE}|\x1b\[[0-9;]*m"
_ANY_CONTROL = rf"[{_CONTROLS}{_INVISIBLE}\x1b]"
# It starts with a character set, so that the search skips other characters fast. A style other than 0 must be followed
# by another one on its line, which is checked in turn, so lines end without a style. The first two choices are
# Ansible's own colours.
_SUSPICIOUS = rf"{_ANY_CONTROL}(?:(?<!\x1b)|(?!\[(?:0m|[01];3[0-7]m[^\x1b\n]*\x1b|m|{_STYLES}[^\x1b\n]*\x1b)))"
# The expressions are compiled when they are first used, and cached by re, which makes startup faster.
_RESET = "\x1b[0m"
_RESETS = (_RESET, "\x1b[m")


def make_safe(text: str) -> str:
    r"""Escape terminal control sequences, except colours, which are reset at the end of each line.

    `\r\n` becomes `\n`. Other carriage returns, which could overwrite a line, are escaped.
    """
    text = text.replace("\r\n", "\n")
    if re.search(_SUSPICIOUS, text) is None:
        return text
    replace = re.compile(_UNSAFE).sub
    lines = [replace(_escape, line.rstrip("\r")) for line in text.split("\n")]
    return "\n".join(line + _RESET if _leaves_style(line) else line for line in lines)


def _leaves_style(line: str) -> bool:
    last = line.rfind("\x1b")
    return last >= 0 and not line.startswith(_RESETS, last)


def make_plain(text: str) -> str:
    """Escape terminal control sequences like make_safe(), and remove colours."""
    text = text.replace("\r\n", "\n")
    if re.search(_ANY_CONTROL, text) is None:
        return text
    replace = re.compile(_UNSAFE_OR_STYLE).sub
    return "\n".join(replace(_escape_or_drop, line.rstrip("\r")) for line in text.split("\n"))


def make_message(text: str) -> str:
    """Make a message or log record safe, like make_plain().

    Lines after the first are indented, so that they cannot be mistaken for separate messages.
    """
    return make_plain(text).replace("\n", "\n    ")


def make_safe_json(text: str) -> str:
    """Escape terminal control characters in JSON, without changing its values."""
    return re.sub(_ANY_CONTROL, _escape_as_json, text)


def make_safe_mixed(text: str) -> str:
    """Apply make_safe_json() to lines that may be events, and make_safe() to others."""
    lines = _end_lines(text).split("\n")
    return "\n".join(make_safe_json(line) if _may_be_json(line) else make_safe(line) for line in lines)


def _may_be_json(line: str) -> bool:
    return line.startswith("{") and "\x1b" not in line


def choose_form(*, raw: bool, json: bool, mixed: bool = False) -> Callable[[str], str]:
    """Return the function that converts a job's output for showing it.

    Args:
        raw: only convert line ends.
        json: the output consists of JSON lines.
        mixed: there are also lines of text.
    """
    if raw:
        return _end_lines
    if json:
        return make_safe_mixed if mixed else make_safe_json
    return make_safe


def _end_lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _escape_or_drop(found: re.Match[str]) -> str:
    return _escape(found) if len(found[0]) == 1 else ""


def _escape_as_json(found: re.Match[str]) -> str:
    if found[0] < " ":
        return " "  # between values; JSON does not allow these characters in strings
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
