"""What the jobs of dead workers have left on this host."""

from __future__ import annotations

from playstream.worker.guard import kill_marked
from playstream.worker.spool import sweep


def remove_leftovers() -> None:
    """Remove the spools of this user's dead workers, and end what still runs of their jobs."""
    sweep(kill_marked)
