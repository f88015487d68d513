"""What went wrong in a run: each failed result with what is needed to act on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from playstream.process.event_data import COLOUR
from playstream.process.task_results import TaskResult

_MAX_MESSAGE = 800
_MAX_OUTPUT = 600
"""Maximum number of characters of a message, of which the beginning is kept, and of an output, of which the end is."""
_MAX_NAME = 200
_MAX_ITEMS = 3
"""Number of failed items of a loop that are told."""
_TEXTS = ("msg", "reason", "censored")
_OUTPUTS = ("stderr", "module_stderr", "stdout", "module_stdout")
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed on a host, or did not reach it."""

    host: str
    """Its name, as it came."""
    task: str
    """Its name, with that of its role."""
    action: str
    path: str
    unreachable: bool
    details: tuple[tuple[str, str], ...]
    """Names and texts: the message, and what a command has printed."""


def make_failure(result: TaskResult) -> Failure:
    """Return what went wrong in a result that failed or did not reach its host."""
    return Failure(
        result.host,
        task_name(result),
        name_of(result.action),
        name_of(result.path),
        result.status == "unreachable",
        tuple(_details_of(result.res)),
    )


def task_name(result: TaskResult) -> str:
    """Return the name of a task as Ansible shows it, with that of its role."""
    name = name_of(result.task)
    return name if result.role is None else f"{name_of(result.role)} : {name}"


def name_of(text: str) -> str:
    """Return a name as one line of limited length."""
    name = " ".join(clean(text).split())
    return name if len(name) <= _MAX_NAME else name[:_MAX_NAME] + _CUT


def place_of(failure: Failure) -> str:
    """Return the module of a failed task and where the task is, as far as they are known."""
    return ", ".join(filter(None, (failure.action, failure.path)))


def first_of(texts: Iterable[str], most: int, most_size: int) -> list[str]:
    """Return the first of some texts.

    Args:
        texts: the texts.
        most: how many at most.
        most_size: the number of characters after which no other one is taken.
    """
    found: list[str] = []
    size = 0
    for text in islice(texts, most):
        found.append(text)
        size += len(text)
        if size > most_size:
            break
    return found


def clean(text: str) -> str:
    """Return a text without colours, and with escapes for characters that cannot be printed, except line ends."""
    text = COLOUR.sub("", text).replace("\r\n", "\n")
    if text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _details_of(res: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    failed = [item for item in _items_of(res) if item.get("failed") or item.get("unreachable")]
    if not failed:
        yield from _texts_of(res)
        return
    for item in failed[:_MAX_ITEMS]:
        label = _label_of(item)
        for name, text in _texts_of(item):
            yield (f"item {label}: {name}" if label else name), text
    if len(failed) > _MAX_ITEMS:
        yield "items", f"{len(failed) - _MAX_ITEMS} more have failed"


def _items_of(res: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    items = res.get("results")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield item


def _label_of(item: Mapping[str, Any]) -> str:
    name = item.get("ansible_loop_var")
    value = item.get(name) if isinstance(name, str) else None
    return name_of(str(value)) if isinstance(value, (str, int, float)) else ""


def _texts_of(res: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    message = next((text for name in _TEXTS if (text := _text_of(res.get(name)))), "")
    if message:
        yield "msg", message if len(message) <= _MAX_MESSAGE else message[:_MAX_MESSAGE] + _CUT
    code = res.get("rc")
    if type(code) is int:
        yield "rc", str(code)
    command = _text_of(res.get("cmd"))
    if command:
        yield "cmd", command[:_MAX_MESSAGE]
    for name in _OUTPUTS:
        output = _text_of(res.get(name))
        if output and output not in message:
            yield name, output if len(output) <= _MAX_OUTPUT else _CUT + output[-_MAX_OUTPUT:]
            return


def _text_of(value: object) -> str:
    """Return a text, or a list of words, without space around it."""
    if isinstance(value, list):
        value = " ".join(word for word in value if isinstance(word, str))
    return clean(value).strip() if isinstance(value, str) else ""
