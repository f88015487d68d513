"""`playstream diff --html`: the differences of two runs for the page of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from playstream.captures.comparison import OF_OUTCOMES, Change, Difference, Outline, end_of, grouped
from playstream.pipeline.protocol import StatusName
from playstream.report.comparison.rendering import Columns, Row, Section, Side, Verdict, load_page, render

_SECTIONS = (
    ("outcomes", "Outcomes", "How a task ended on a host.", {Change.OUTCOME}, Columns.VALUES),
    (
        "tasks",
        "Tasks that came or went",
        "Tasks that ended on a host in one of the runs only.",
        {Change.GONE, Change.NEW},
        Columns.VALUES,
    ),
    (
        "durations",
        "Durations",
        "The time of a task on a host, if it differs by more than a second and by more than half.",
        {Change.DURATION},
        Columns.VALUES,
    ),
    (
        "results",
        "Results",
        "The names of the values that differ in what a task returned, though its outcome is the same.",
        {Change.RESULT},
        Columns.NAMES,
    ),
    ("facts", "Facts", "The names of the facts that differ.", {Change.FACTS}, Columns.HOSTS),
)


def make_page(
    names: tuple[str, str], outlines: tuple[Outline, Outline], differences: Sequence[Difference]
) -> Iterator[str]:
    """Yield the page of a comparison.

    Args:
        names: what the user calls the runs.
        outlines: the runs.
        differences: the differences between them.

    Raises:
        JobError: when iterating: Jinja2 is not installed.
    """
    template = load_page()
    before, after = (_side_of(name, outline) for name, outline in zip(names, outlines, strict=True))
    sections = [
        Section(name, title, about, _rows_of([each for each in differences if each.change in kinds]), columns)
        for name, title, about, kinds, columns in _SECTIONS
    ]
    verdict = Verdict.VALUES if differences else Verdict.NOTHING
    if any(each.change in OF_OUTCOMES for each in differences):
        verdict = Verdict.OUTCOMES
    yield from render(template, (before, after), sections, verdict)


def _side_of(name: str, outline: Outline) -> Side:
    return Side(
        name,
        end_of(outline),
        outline.status == StatusName.SUCCESSFUL.value,
        len({key.host for key in outline.results}),
        len(outline.results),
    )


def _rows_of(differences: Sequence[Difference]) -> list[Row]:
    return [Row(each.task, each.before, each.after, hosts) for each, hosts in grouped(differences)]
