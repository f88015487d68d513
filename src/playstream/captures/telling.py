"""What a run at rest tells to a report: how it was started, its events, and how it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playstream.captures.runs import RunAtRest
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.protocol import Event, Status, StatusName
from playstream.process.event_data import text_of
from playstream.process.events import parse_event
from playstream.process.explanation import Explainer

_ENDED_BY_ITSELF = frozenset({StatusName.SUCCESSFUL, StatusName.FAILED})


@dataclass(frozen=True, slots=True)
class Told:
    """How a run at rest has ended."""

    ident: str
    status: str
    """Its last status; `incomplete` if it is damaged or has not ended."""
    rc: int | None
    explanation: str | None
    damage: PlaystreamError | None = None
    """Why it could not be read to its end."""


def tell(run: RunAtRest, start: Callable[[Status], object], add: Callable[[Mapping[str, Any]], object]) -> Told:
    """Read a run at rest.

    Args:
        run: the run.
        start: called with the status that says how the run was started, if it is known.
        add: called with each event.

    Returns:
        How it has ended. A run that is damaged or incomplete is told up to there.
    """
    explainer = Explainer()
    ident = ""
    last: Status | None = None
    try:
        for record in run.records():
            if isinstance(record, Event):
                event, _ = parse_event(record)
                ident = ident or text_of(event, "runner_ident")
                explainer.event(event)
                add(event)
            elif isinstance(record, Status):
                if record.command is not None:
                    explainer.command(record.command)
                    start(record)
                if record.status.terminal:
                    last = record
    except PlaystreamError as error:
        return Told(ident, "incomplete", None, str(error), error)
    if last is None:
        return Told(ident, "incomplete", None, "the run has not ended")
    explanation = last.explanation
    if explanation is None and last.status in _ENDED_BY_ITSELF:
        explanation = explainer.explain(successful=last.status is StatusName.SUCCESSFUL, rc=last.rc)
    return Told(ident, last.status.value, last.rc, explanation)
