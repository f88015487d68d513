"""What a submitter asks of the mesh for one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playstream.mesh.features import PLAIN, check_needs
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.limits import check_seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """What a submitter asks for."""

    start_within: float | None = None
    """Seconds after which the job is not started any more; None for no limit."""
    needs: tuple[str, ...] = ()
    """What the node must have."""
    encrypted: bool = True
    """Whether the job and its results are encrypted."""


def make_terms(*, start_within: float | None = None, need: Sequence[str] = (), no_encryption: bool = False) -> Terms:
    """Return what the options of a run ask for.

    Raises:
        ConfigurationError: one has no valid value.
    """
    if start_within is not None and not check_seconds("start_within", start_within):
        raise ConfigurationError("start_within: expected more than 0 seconds")
    needs = check_needs([*need, PLAIN] if no_encryption else need)
    return Terms(start_within, needs, not no_encryption)
