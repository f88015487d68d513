"""A summary that is written as text: the same as the one in memory, which does not hold the results."""

from __future__ import annotations

import errno
import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given

from playstream.pipeline.errors import JobError
from playstream.pipeline.io.json_text import dump_json
from playstream.process.summary import summarize
from playstream.process.summary_text import SummaryText
from tests.process.test_summary import ended
from tests.process.test_task_results import EVENTS, real_events

RUN: dict[str, Any] = {"ident": "7", "status": "failed", "rc": 4}


def text_of(events: Iterable[Mapping[str, Any]]) -> str:
    with SummaryText() as summary:
        for event in events:
            summary.add(event)
        return "".join(summary.pieces(**RUN))


def large(count: int) -> Iterable[dict[str, Any]]:
    """Many results of 4,000 characters."""
    return (ended(f"node{number % 20}", task="a", res={"stdout": f"{number:04}" * 1000}) for number in range(count))


@pytest.mark.parametrize("make", [list, real_events, lambda: list(large(500))], ids=["none", "real", "in a file"])
def test_it_is_the_summary(make: Callable[[], list[dict[str, Any]]]) -> None:
    events = make()
    assert text_of(events) == dump_json(summarize(events, **RUN), indent=2)


@given(EVENTS)
def test_it_is_the_summary_of_odd_events_too(events: list[dict[str, Any]]) -> None:
    assert text_of(events) == dump_json(summarize(events, **RUN), indent=2)


def test_what_a_plugin_has_put_there_is_written_as_text() -> None:
    assert '"x": "{1}"' in text_of([ended("node1", res={"x": {1}})])


def test_memory_does_not_grow_with_results() -> None:
    tracemalloc.start()
    try:
        with SummaryText() as summary:
            for event in large(1500):
                summary.add(event)
            size = sum(len(piece) for piece in summary.pieces(**RUN))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 6_000_000
    assert peak < 3_000_000  # of which 1 MiB is what is not written to the file at once


def test_a_full_disk_is_told_when_the_summary_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with SummaryText() as summary:
        for event in large(500):
            summary.add(event)
        with pytest.raises(JobError, match=r"No space left on device.*the artifacts are complete"):
            list(summary.pieces(**RUN))
