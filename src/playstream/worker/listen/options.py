"""The options of a listening worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playstream.pipeline.limits import Limits

if TYPE_CHECKING:
    from playstream.pipeline.io.age_keys import Identity


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """The options of a listening worker."""

    slots: int
    """Jobs that run at the same time."""
    queue: int
    """Jobs that wait for a slot."""
    arrival_seconds: float
    """Time for a connection to send its job; 0 for no limit."""
    liveness_seconds: float
    limits: Limits
    identities: Sequence[Identity]
    """The keys of the workers, if jobs are encrypted."""
    worker_flags: Sequence[str]
    has_cache: bool
    """Whether the workers have a cache."""
    max_connections: int
    """Connections that are not served, at most."""
    open_files: tuple[int, int]
    """Limits of open files for the workers."""
    shows_messages: bool = False
