"""The user's own store: its name in place of a URL, and its file."""

from __future__ import annotations

from pathlib import Path

from playstream.pipeline.tree.user_cache import state_place

OWN = "user"
"""The URL of the user's own store. A file of this name is `./user`."""


def own_store() -> Path:
    """Return the file of the user's own store, `$XDG_STATE_HOME/playstream/runs.db`; it may be missing."""
    return state_place() / "runs.db"
