"""`playstream report`: a report of a run that is kept, as a page or in another format."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from playstream.captures.finding import NamedRun, find_run
from playstream.captures.stored_events import stored_events
from playstream.captures.telling import Told, tell
from playstream.cli.formats import make_report
from playstream.cli.output import STANDARD_OUTPUT, print_message
from playstream.cli.parser import Parser
from playstream.cli.stored import readable_store
from playstream.cli.summary import check_writable
from playstream.cli.written import write_pieces
from playstream.pipeline.errors import ConfigurationError, StoreError
from playstream.pipeline.protocol import Status
from playstream.process import store as stores  # each name is loaded when it is used
from playstream.report.collecting import Report, RunEnd

_ENDINGS = {".html": "html", ".htm": "html", ".xml": "junit", ".md": "markdown", ".json": "trace"}
"""By the end of the name of the file, the format."""
_HIDING = frozenset({"html", "trace"})
"""The formats that can hide the names of hosts."""
_Reading = Callable[[Callable[[Status], object], Callable[[Mapping[str, Any]], object]], Told]
"""Reads the run: takes what to call with its start and with each event. It can be called again."""


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s (FILE | DIR | IDENT) [-o FILE] [FLAGS]"
    parser.description = (
        "Write a report of a run that is kept in a capture, a recording, a directory of artifacts, or a store: IDENT "
        "is its name, the beginning of it, last or last-failed; a file or directory of that name wins. With -o "
        "FILE.html the report is one page that a browser opens without a network. A run that is damaged is reported up "
        "to the damage; the exit status is then that of the error, else 0."
    )
    parser.add_argument("run_at_rest", metavar="RUN", help="the run")
    parser.add_flags("report")
    parser.set_defaults(artifact_dir=None)  # no run will create a directory for the file


def run(flags: argparse.Namespace) -> int:
    """Write the report; return the exit status."""
    word = _format_of(flags)
    if flags.hide_hosts and word not in _HIDING:
        raise ConfigurationError(f"--hide-hosts: concerns the formats html and trace, and this one is {word}: omit it")
    if flags.output not in {None, STANDARD_OUTPUT}:
        check_writable(flags, "--output", flags.output)
    read = partial(_read, find_run(flags.run_at_rest, readable_store(flags.store)), flags)
    with closing(_make(word, read if flags.hide_hosts else None)) as report:
        told = read(partial(_start, report), report.add)
        end = RunEnd(told.ident, told.status, told.rc, told.explanation)
        write_pieces("the report", flags.output, report.pieces(end))
    if told.damage is not None:
        raise told.damage
    return 0


def _format_of(flags: argparse.Namespace) -> str:
    if flags.format is not None:
        return str(flags.format)
    word = _ENDINGS.get(os.path.splitext(flags.output or "")[1].lower())
    if word is None:
        raise ConfigurationError(
            "expected --format, or -o with a file whose name ends as one of run.html, run.xml, run.md and run.json"
        )
    return word


def _make(word: str, read: _Reading | None) -> Report:
    """Return an empty report.

    Args:
        word: its format.
        read: reads the run, to hide the names of its hosts; None to show them.
    """
    if read is None:
        return make_report(word)
    from playstream.report.page.hiding import Names  # noqa: PLC0415 - seldom asked for

    names = Names()
    read(lambda _: None, names.add)
    if word == "trace":
        from playstream.report.trace import TraceReport  # noqa: PLC0415 - as above

        return TraceReport(names.hide())
    from playstream.report.page.collecting import PageReport  # noqa: PLC0415 - loads Jinja2

    return PageReport(names.hide())


def _start(report: Report, status: Status) -> None:
    """Tell the report how the run was started."""
    report.start(status.cwd or "", status.env or {})


def _read(
    found: NamedRun,
    flags: argparse.Namespace,
    start: Callable[[Status], object],
    add: Callable[[Mapping[str, Any]], object],
) -> Told:
    """Read the run: from its events, or in a store without them from its results.

    Raises:
        PlaystreamError: it cannot be read.
    """
    if found.path is None:
        with stores.open_store(found.store_url, writable=False) as store:
            detail = stores.show_run(store, found.ident, run_id=found.run_id)
            if detail is None:
                raise StoreError(f"the run {found.ident!r} was removed from the store {store.shown}")
            if detail.run.kept_events is None:
                for event in stored_events(store, detail):
                    add(event)
                return Told(detail.run.ident, detail.run.status, detail.run.rc, detail.run.explanation)
    with found.open(vars(flags), partial(print_message, "report")) as run_at_rest:
        return tell(run_at_rest, start, add)
