"""Answers of a worker to an invalid job from a sender that may be ansible-runner."""

from __future__ import annotations

from typing import Any

from playstream.pipeline.dialect import UNREAD_LINE, Dialect
from playstream.pipeline.errors import PlaystreamError, ProtocolError, UnsafePath

_NO_TREE = "Failed to extract private data directory on worker."
"""ansible-runner's message, which controllers search for."""


def _explain(error: PlaystreamError) -> str | None:
    if isinstance(error, UnsafePath) or (isinstance(error, ProtocolError) and "archive" in str(error)):
        return _NO_TREE
    return UNREAD_LINE if isinstance(error, ProtocolError) else None


WORKER_OPTIONS: dict[str, Any] = {"dialect": Dialect.RUNNER, "explain": _explain}
"""Options of a worker that replaces ansible-runner's."""
