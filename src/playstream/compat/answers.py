"""What a worker says to a sender that may be ansible-runner's, of a stream that is no job."""

from __future__ import annotations

from typing import Any

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import PlaystreamError, ProtocolError, UnsafePath

_NO_TREE = "Failed to extract private data directory on worker."
_NO_LINE = "Failed to JSON parse a line from transmit stream."
"""ansible-runner's words, which controllers look for."""


def _explain(error: PlaystreamError) -> str | None:
    if isinstance(error, UnsafePath) or (isinstance(error, ProtocolError) and "archive" in str(error)):
        return _NO_TREE
    return _NO_LINE if isinstance(error, ProtocolError) else None


WORKER_OPTIONS: dict[str, Any] = {"dialect": Dialect.RUNNER, "explain": _explain}
"""For a worker that is reached as ansible-runner's."""
