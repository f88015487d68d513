"""Which versions of nats-server are supported by its makers."""

from __future__ import annotations

import re

OLDEST: tuple[int, int] = (2, 9)
"""The oldest line with what the mesh needs."""
SUPPORTED: tuple[int, int] = (2, 14)
"""The oldest line that got fixes of security when this version of playstream was released."""
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})\.")


def explain_version(text: str) -> str | None:
    """Return what to do about the version of a server; None if it is good.

    Args:
        text: the version, as the server says it.
    """
    found = _VERSION.match(text)
    if found is None:
        return f"the server has the version {text!r}, which is not understood: expected {SUPPORTED[0]}.{SUPPORTED[1]}.N"
    line = int(found[1]), int(found[2])
    supported = ".".join(map(str, SUPPORTED))
    if line < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"nats-server {text} is too old: expected {oldest} at least, and {supported} for fixes of security"
    if line < SUPPORTED:
        return (
            f"nats-server {text} is of a line that gets no more fixes of security. Before others can reach it, install "
            f"{supported} or later"
        )
    return None
