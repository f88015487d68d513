"""The words by which runs, and the results of tasks and hosts in them, are chosen."""

from __future__ import annotations

from collections.abc import Sequence

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import StatusName

OUTCOMES = ("ok", "changed", "failed", "unreachable", "skipped", "ignored")
"""Outcomes of a task on a host. `failed` includes failures handled by a `rescue`; `ignored` failed with
ignore_errors."""
STATUSES = tuple(name.value for name in StatusName)


def check_word(what: str, word: str, words: Sequence[str]) -> None:
    """Check that a word is one of several.

    Args:
        what: what the word names, for the error.
        word: the word.
        words: those that are valid.

    Raises:
        ConfigurationError: it is none of them.
    """
    if word not in words:
        raise ConfigurationError(f"{word!r} is not a valid {what}: expected one of {', '.join(dict.fromkeys(words))}")
