"""The prompts that a configuration waits for, as ansible-runner's has them: compiled expressions and their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from playstream.pipeline.job.passwords import check_passwords, sort_passwords

_FLAGS = {re.IGNORECASE: "i", re.DOTALL: "s", re.VERBOSE: "x"}
"""What is kept of an expression's flags. MULTILINE is set in any case, and bytes are always ASCII."""


def compile_prompts(passwords: Mapping[str, str]) -> dict[Any, str | None]:
    """The expressions among `passwords`, compiled, with their answers. A password with a name has none."""
    prompts = sort_passwords(passwords).prompts
    return {re.compile(pattern, re.MULTILINE): answer for pattern, answer in prompts.items()}


def with_prompts(passwords: Mapping[str, str], expected: Mapping[Any, Any]) -> dict[str, str]:
    """The passwords that have a name, and the prompts in `expected` that have an answer.

    Keys that are no expressions, such as pexpect.EOF, stand for what ends the wait for a prompt there.

    Raises:
        ConfigurationError: an expression or an answer cannot be used.
    """
    named = sort_passwords(passwords).prompts.keys() ^ passwords.keys()
    prompts = {
        _text(pattern): answer for pattern, answer in expected.items()
        if answer is not None and isinstance(pattern, (str, re.Pattern))
    }
    return {name: passwords[name] for name in named} | check_passwords("expect_passwords", prompts)


def _text(pattern: str | re.Pattern[Any]) -> str:
    """An expression as a text, which has its flags within."""
    if isinstance(pattern, str):
        return pattern
    text = pattern.pattern.decode() if isinstance(pattern.pattern, bytes) else str(pattern.pattern)
    letters = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
    return f"(?{letters}){text}" if letters else text
