"""Why a task failed on a host, and why Ansible did, in a short line of text.

The texts come from a worker that is not trusted, and from programs: they may be long and have any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from playstream.process.event_data import COLOUR, one_line, text_of

MAX_REASON = 240
"""Maximum number of characters of a reason."""
_SEARCHED = 1 << 14
"""Maximum number of characters of a text that are searched."""
_PARTS = 100
"""Maximum number of parts of a message that are read."""
_NO_ANSWER = re.compile(r"MODULE FAILURE|Module result deserialization failed|Module failed: MODULE FAILURE")
"""Messages about a module that did not return a result. What it wrote instead tells more."""
_BARE_CODE = re.compile(r"(?:The command exited with a )?non-zero return code\.?")
"""Messages about a command that failed. What it wrote tells more."""
_FAILED_WHEN = "its failed_when condition is met"
_FAILED_WHEN_MET = re.compile(r"A 'failed_when' expression evaluated to 'True'\.?")
"""The message that a task without one has from ansible-core 2.21 on."""
_ERROR = re.compile(r"(?:\[ERROR\]: |ERROR! |ansible(?:-[a-z]+)?: error: )(.*)")
_BAD_YAML = "Syntax Error while loading YAML."
_PLACE = re.compile(
    r"^Origin: (?P<new>/.{1,300}?:\d+:\d+)$"
    r"|^The error appears to be in '(?P<file>.{1,300}?)': line (?P<line>\d+), column (?P<column>\d+)",
    re.MULTILINE,
)
_TRACEBACK = "Traceback (most recent call last)"


def reason_of(res: Mapping[str, Any]) -> str:
    """Return why a task failed, or one item of its loop, from the result; '' if the result does not tell.

    Args:
        res: what the module returned. What `no_log` hides is not in it.
    """
    label = res.get("_ansible_item_label", res.get("item")) if "ansible_loop_var" in res else None
    why = _reason(res)
    return _shorten(f"item {one_line(label[:MAX_REASON])!r}: {why}" if isinstance(label, str) and why else why)


def _reason(res: Mapping[str, Any]) -> str:
    if "censored" in res:
        return "no_log hides why"
    message = res.get("msg") or res.get("reason")
    if message is None or message == "":
        return _FAILED_WHEN if res.get("failed_when_result") is True else ""
    if isinstance(message, list):  # ansible.builtin.fail and others accept one
        message = " ".join(part for part in message[:_PARTS] if isinstance(part, str))
    if not isinstance(message, str):
        return ""
    if _NO_ANSWER.match(message):
        written = _last_line(text_of(res, "module_stderr")) or _last_line(text_of(res, "module_stdout"))
        return f"the module failed: {written}" if written else message
    if _BARE_CODE.fullmatch(message):
        code = res.get("rc")
        said = _last_line(text_of(res, "stderr")) or _last_line(text_of(res, "stdout"))
        return f"{message.removesuffix('.')}{f' {code}' if type(code) is int else ''}{f': {said}' if said else ''}"
    first, _, _ = message[:_SEARCHED].replace("\r\n", "\n").strip().partition("\n\n")
    first = first.removeprefix("Task failed: ").removeprefix("Action failed: ")
    return _FAILED_WHEN if _FAILED_WHEN_MET.fullmatch(first) else first


def error_in(text: str) -> str | None:
    """Return Ansible's error message in its output, with its place in a file if it has one; None if there is none.

    Args:
        text: lines of output.
    """
    plain = COLOUR.sub("", text).replace("\r\n", "\n")
    lines = iter(plain.split("\n"))
    for line in lines:
        found = _ERROR.match(line)
        if found:
            message = [found[1], *_until_blank(lines)]
            break
    else:
        return _shorten(_last_line(plain)) if _TRACEBACK in plain else None
    if _BAD_YAML in plain:
        # Before it ansible-core, until 2.18, says at length that the file is not JSON either.
        message = [_BAD_YAML, *plain.partition(_BAD_YAML)[2].split("\n", 2)[1:2]]
    place = _PLACE.search(plain)
    where = place and (place["new"] or f"{place['file']}:{place['line']}:{place['column']}")
    return _shorten(" ".join(message)) + (f" ({one_line(where)})" if where else "")


def _until_blank(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip() or _PLACE.match(line):
            return
        yield line


def _last_line(text: str) -> str:
    """Return the last line with text, which in a traceback is the exception."""
    lines = [line for line in text[-_SEARCHED:].splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _shorten(text: str) -> str:
    """Return a text as one line of limited length, without a full stop at its end."""
    line = one_line(text)
    return line.removesuffix(".") if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"
