"""The times by which deaths are noticed, all from one value of the mesh. docs/mesh-design.md says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ENDING_SECONDS: Final = 2.0
"""What a worker needs to end its job: to look at its clock, TERM, the grace, and KILL."""
_BEATS = 12
_QUESTIONS = 6
_PATIENCE = 5


@dataclass(frozen=True, slots=True)
class Times:
    """The times of a mesh.

    Args:
        lost_after: seconds after which a node counts as lost.
    """

    lost_after: float

    @property
    def beat(self) -> float:
        """Seconds between two signs of life."""
        return self.lost_after / _BEATS

    @property
    def question(self) -> float:
        """Seconds between two questions of a submitter."""
        return self.lost_after / _QUESTIONS

    @property
    def patience(self) -> float:
        """Seconds without a question after which a job ends with its submitter, whose host may be busy."""
        return self.lost_after * _PATIENCE

    @property
    def silence(self) -> float:
        """Seconds without an answer of the node after which its submitter says that it is lost."""
        return self.lost_after - self.beat

    @property
    def clock(self) -> float:
        """Seconds after which the clock of a worker ends its job, so that it has ended when the node counts as lost."""
        return max(self.lost_after - ENDING_SECONDS, self.lost_after / 3)
