"""What is compared of a run, from its records or from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playstream.captures.comparison import Outline
from playstream.captures.runs import RunAtRest
from playstream.pipeline.protocol import Event, Status
from playstream.process import store as stores  # each name is loaded when it is used
from playstream.process.events import parse_event
from playstream.process.task_results import make_result, result_outcome

if TYPE_CHECKING:
    from playstream.process.store.engine import Store
    from playstream.process.store.runs import RunDetail


def outline_of(run: RunAtRest) -> Outline:
    """Read a run at rest.

    Raises:
        PlaystreamError: it is damaged or incomplete.
    """
    outline = Outline()
    for record in run.records():
        if isinstance(record, Event):
            event, _ = parse_event(record)
            result = make_result(event)
            if result is not None:
                outline.add(
                    result.host,
                    result.role,
                    result.task,
                    result.action,
                    outcome=result_outcome(result),
                    seconds=result.duration,
                    res=None if result.truncated else result.res,
                )
        elif isinstance(record, Status) and record.status.terminal:
            outline.status, outline.rc = record.status.value, record.rc
    return outline


def stored_outline(store: Store, found: RunDetail) -> Outline:
    """Read a run in a store.

    Raises:
        StoreError: the store cannot be read.
    """
    outline = Outline()
    outline.status, outline.rc = found.run.status, found.run.rc
    for result in stores.iter_results(store, found.run.id):
        outline.add(
            result.host,
            result.role,
            result.task,
            result.action,
            outcome=result.outcome,
            seconds=result.duration,
            res=result.res if isinstance(result.res, dict) and not result.truncated else None,
        )
    return outline
