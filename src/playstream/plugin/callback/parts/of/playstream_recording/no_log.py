# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible must hide: secrets, and messages of results that no_log hides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"


def mask(secrets: list[str]) -> bool:
    """Let ansible mask secrets as `$REDACTED$` in its output and results. Return False if this version cannot."""
    if secrets:
        try:
            from ansible.module_utils.secrets import register_secrets  # noqa: PLC0415 - ansible-core 2.22 and later
        except ImportError:
            return False
        register_secrets(secrets)
    return True


def is_hidden(message: Any, dispatched: Iterable[Any]) -> bool:
    """Return whether a warning, a deprecation or an error belongs to a result that no_log hides.

    Since ansible-core 2.19 a hidden result contains these three (CVE-2026-115622), and callbacks display them.

    Args:
        message: the message to display.
        dispatched: the arguments of the callback that displays it, which include a result.
    """
    return any(_hides(result) and message in _messages(result) for result in dispatched if hasattr(result, "task"))


def _hides(result: Any) -> bool:
    if getattr(_kept(result), "no_log", False) or result.task.no_log is True:
        return True
    return bool(getattr(result, "_return_data", {}).get("_ansible_no_log"))  # until ansible-core 2.20


def _messages(result: Any) -> list[Any]:
    return [
        *(getattr(_kept(result), "warnings", None) or ()),
        *(getattr(_kept(result), "deprecations", None) or ()),
        getattr(_kept(result), "exception", None),
    ]


def _kept(result: Any) -> Any:
    """Return the object with the messages: the result, or a part of it since ansible-core 2.21."""
    return getattr(result, "utr", result)
