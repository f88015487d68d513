"""Every text that people may read is kept in messages.txt, so that a change of one is looked at, and follows rules."""

from __future__ import annotations

import re

import pytest

from playstream.pipeline.errors import error_classes
from playstream.pipeline.job.options import JobOptions
from tests.messages.collect import KEPT, Text, collect, render

TEXTS = collect()
ERRORS = {cls.__name__ for cls in error_classes()} | {"ArgumentError"}
MESSAGES = [text for text in TEXTS if (text.kind in ERRORS or text.kind == "log") and len(text.text.split()) > 2]
"""Texts that are messages for sure; `text` may be part of one."""
OF_COMMANDS = [
    text for text in TEXTS if text.module.startswith("playstream/cli/") and text.kind != "log" and " " in text.text
]
OF_BOTH = [text for text in TEXTS if text.module.split("/")[1] in {"pipeline", "transmit", "worker", "process"}]
"""Those that users of the command line and of Python read."""
OWN_WORDS = re.compile(r"\. or \.\.|\{[^}]*\}|'[^']*'|`[^`]*`|\"[^\"]*\"|%\(\w+\)s|…")
"""What is not ours in a text: values, quotations."""


def ours(text: Text) -> str:
    return OWN_WORDS.sub("x", text.text)


def breaking(rule: str, texts: list[Text]) -> list[Text]:
    """The texts whose own words a rule finds something in."""
    return [text for text in texts if re.search(rule, ours(text))]


def test_each_text_was_looked_at() -> None:
    assert render(TEXTS) == KEPT.read_text(encoding="utf-8"), (
        "texts that people read have changed: run python -m tests.messages, and read the difference as somebody who "
        "knows only the message"
    )


def test_the_collection_has_what_is_known() -> None:
    """Of each kind, so that the rules below are about something."""
    by_kind = {kind: [text.text for text in TEXTS if text.kind == kind] for kind in {text.kind for text in TEXTS}}
    assert "forks: expected an integer of 1 or more, got {forks}" in by_kind["ConfigurationError"]
    assert "show the version and exit" in by_kind["help"]
    assert "make Ansible more verbose; may be repeated" in by_kind["help -v"]
    assert any("did not respond" in text for text in by_kind["text"])
    assert any(text.startswith("cannot remove old artifacts in %s") for text in by_kind["log"])
    assert set(by_kind) >= {"ArgumentError", "JobError", "RemoteProtocolError", "StoreError", "UnsafePath"}
    assert len(MESSAGES) > 350
    assert len(OF_COMMANDS) > 100
    assert len(OF_BOTH) > 400


@pytest.mark.parametrize(
    "rule",
    [
        r"!(?=\s|$)",
        r"(?<!\.)\.\.(?!\.|/)|,,|;;|[,;:]\s*[.,;]|\.\s*[,;]|\?\.",
        r"(?i)\b(please|sorry|oops|left out|kindly|illegal|fatal error)\b",
    ],
)
def test_no_text_has(rule: str) -> None:
    assert breaking(rule, TEXTS) == []


def test_other_characters_than_an_ellipsis_are_in_ascii() -> None:
    """An ellipsis is shown as three dots where the encoding has none."""
    assert [text for text in TEXTS if re.sub(r"[\x20-\x7e\n\t…]", "", text.text)] == []


@pytest.mark.parametrize("rule", [r"[.,; ]$", r"\S {2,}\S", r"^(?:Error|Invalid|Failed)\b", r"Traceback"])
def test_no_message_has(rule: str) -> None:
    assert breaking(rule, [text for text in MESSAGES if text.kind != "log"]) == []


def test_a_command_line_is_never_told_a_python_parameter() -> None:
    named = {name for name in JobOptions.__annotations__ if "_" in name}
    assert len(named) > 25
    assert breaking(rf"\b(?:{'|'.join(named)})\b", OF_COMMANDS) == []
    assert breaking(r"(?<!-)\b(?!name=)[a-z][a-z_]*=|\bNone\b|\w\(\)", OF_COMMANDS) == []


def test_what_both_faces_read_has_no_keyword_arguments() -> None:
    assert [text for text in OF_BOTH if re.search(r"\b[a-z_]+=[\[{'(\"]", text.text.replace("{{", "{"))] == []
