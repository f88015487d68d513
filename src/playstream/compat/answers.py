"""What programs that replace ansible-runner say of invalid streams: clients search for its messages."""

from __future__ import annotations

from typing import Any

from playstream.pipeline.dialect import UNREAD_LINE, Dialect
from playstream.pipeline.errors import IncompleteStream, LinkError, PlaystreamError, ProtocolError, UnsafePath

_NO_TREE = "Failed to extract private data directory on worker."
"""ansible-runner's message, which controllers search for."""
_NOTHING = (
    "Unexpected empty line encountered during worker stream. Worker did not produce events or streaming was aborted, "
    "check execution node health."
)
_UNPARSED = "Failed to JSON parse a line from worker stream."
_UNREAD = "Failed to read from worker stream."


def _explain(error: PlaystreamError) -> str | None:
    if isinstance(error, UnsafePath) or (isinstance(error, ProtocolError) and "archive" in str(error)):
        return _NO_TREE
    return UNREAD_LINE if isinstance(error, ProtocolError) else None


WORKER_OPTIONS: dict[str, Any] = {"dialect": Dialect.RUNNER, "explain": _explain}
"""Options of a worker that replaces ansible-runner's."""


def explain_results(error: PlaystreamError) -> PlaystreamError:
    """Return the error of a stream of results with ansible-runner's message before playstream's."""
    text = str(error)
    if isinstance(error, ProtocolError) and ("JSON" in text or text.startswith("received no")):
        return type(error)(f"{_UNPARSED} {text}")
    if isinstance(error, IncompleteStream):
        return type(error)(f"{_NOTHING} {text}")
    if isinstance(error, LinkError) and "cannot be read" in text:
        return type(error)(f"{_UNREAD} Error: {text}")
    return error
