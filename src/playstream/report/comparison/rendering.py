"""Puts the page of a comparison together. What it shows is not trusted: Jinja2 escapes each value in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, get_args

from playstream.process.event_data import Outcome
from playstream.report.failures import clean, name_of
from playstream.report.templates import load_template, read_part, source_of

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = "comparison.html.j2"
_STYLES = "comparison.css"
_SHOWN_HOSTS = 6
"""Number of hosts that are shown without opening a list."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    name: str
    """What the user calls it."""
    end: str
    """How it has ended."""
    successful: bool
    hosts: int
    results: int
    """Number of results that were compared."""


@dataclass(frozen=True, slots=True)
class Row:
    """A difference that some hosts have."""

    task: str | None
    before: str | None
    after: str | None
    hosts: Sequence[str]


class Columns(Enum):
    """What a row of a section has, besides its hosts."""

    VALUES = "values"
    """A task, and a value before and after."""
    NAMES = "names"
    """A task, and in `after` the names of what differs."""
    HOSTS = "hosts"
    """In `after` the names of what differs."""


@dataclass(frozen=True, slots=True)
class Section:
    """The differences of a kind."""

    name: str
    """One word, which is also the fragment of its address."""
    title: str
    about: str
    """What a difference of this kind is."""
    rows: Sequence[Row]
    columns: Columns = Columns.VALUES


class Verdict(Enum):
    """Whether two runs differ; the value is for people."""

    NOTHING = "The runs do not differ."
    VALUES = "The outcomes are the same."
    OUTCOMES = "The outcomes differ."


@dataclass(frozen=True, slots=True)
class _Cells:
    """A row as it is shown."""

    task: str
    before: str
    after: str
    hosts: tuple[str, ...]
    many: bool
    """Whether the hosts are in a list that has to be opened."""


def load_page() -> Template:
    """Return the template.

    Raises:
        JobError: Jinja2 is not installed.
    """
    return load_template(__package__ or "", _TEMPLATE)


def render(
    template: Template, sides: tuple[Side, Side], sections: Sequence[Section], verdict: Verdict
) -> Iterator[str]:
    """Yield the page.

    Args:
        template: as `load_page` returns it.
        sides: the first run, and the second one.
        sections: the differences by kind; those without rows are left out.
        verdict: whether the runs differ.
    """
    styles = read_part(__package__ or "", _STYLES)
    shown = [(section, [_cells_of(row) for row in section.rows]) for section in sections if section.rows]
    yield from template.generate(
        policy=_policy_of(styles),
        styles=styles,
        sides=[
            (kind, name_of(side.name), name_of(side.end), side)
            for kind, side in zip(("Before", "After"), sides, strict=True)
        ],
        sections=shown,
        verdict=verdict.value,
        good=verdict is not Verdict.OUTCOMES,
        outcomes=get_args(Outcome),
    )


def _cells_of(row: Row) -> _Cells:
    task, before, after = (clean(text or "") for text in (row.task, row.before, row.after))
    return _Cells(task, before, after, tuple(map(name_of, row.hosts)), many=len(row.hosts) > _SHOWN_HOSTS)


def _policy_of(styles: str) -> str:
    """Return the Content-Security-Policy: these styles, and nothing else; no script at all."""
    return f"default-src 'none'; style-src {source_of(styles)}; base-uri 'none'; form-action 'none'"
