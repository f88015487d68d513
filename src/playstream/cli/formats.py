"""`--format`: write a report of a run that has ended to a file or standard output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO, cast

from playstream.cli.output import STANDARD_OUTPUT, PlainOutput, shows_colours
from playstream.cli.summary import check_writable
from playstream.cli.written import write_pieces
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Status
from playstream.process import ForwardingObserver, Observer, Result
from playstream.process.event_data import text_of
from playstream.report.collecting import Report, RunEnd

if TYPE_CHECKING:
    from playstream.interface.runner import Runner


def wants_output(flags: argparse.Namespace) -> bool:
    """Return whether a report is to be written to standard output, which then shows nothing else."""
    return flags.format is not None and flags.output in {None, STANDARD_OUTPUT}


def check_format(flags: argparse.Namespace) -> None:
    """Check before a run that its report can be written.

    Raises:
        ConfigurationError: it cannot, or the flags contradict each other.
        JobError: what it requires is not installed.
    """
    if flags.format is None:
        if flags.output is not None:
            raise ConfigurationError("--output: concerns the report of --format: pass --format WORD too, or omit it")
        return
    if flags.format == "html":
        from playstream.report.page.rendering import load_page  # noqa: PLC0415 - seldom asked for

        load_page()
    if wants_output(flags):
        for name in ("json", "summary"):
            if getattr(flags, name, None) in {True, STANDARD_OUTPUT}:
                raise ConfigurationError(
                    f"--format: cannot be combined with --{name}, which writes to standard output too. Name a file "
                    "with --output FILE"
                )
    else:
        check_writable(flags, "--output", flags.output)


def make_report(word: str) -> Report:
    """Return an empty report in a format.

    Raises:
        JobError: what it requires is not installed.
    """
    # Each is loaded only if it is asked for.
    if word == "junit":
        from playstream.report.junit import JunitReport  # noqa: PLC0415

        return JunitReport()
    if word == "markdown":
        from playstream.report.markdown import MarkdownReport  # noqa: PLC0415

        return MarkdownReport()
    if word == "trace":
        from playstream.report.trace import TraceReport  # noqa: PLC0415

        return TraceReport()
    if word == "html":
        from playstream.report.page.collecting import PageReport  # noqa: PLC0415

        return PageReport()
    from playstream.report.agent import AgentReport  # noqa: PLC0415

    return AgentReport()


def output_on_stderr() -> AbstractContextManager[object]:
    """Return a context in which what is shown of the run goes to standard error, because the report is the output."""
    plain = cast("TextIO", PlainOutput(sys.stderr))
    return redirect_stdout(sys.stderr if shows_colours(sys.stderr) else plain)


class ReportObserver(ForwardingObserver):
    """Collects the kept events of a run for its report, and forwards everything to another observer.

    Args:
        inner: the other observer.
        report: takes the events.
    """

    def __init__(self, inner: Observer, report: Report) -> None:
        super().__init__(inner)
        self._report = report
        self._ident = ""

    def status(self, record: Status) -> None:
        if record.command is not None:
            self._report.start(record.cwd or "", record.env or {})
        super().status(record)

    def kept(self, name: str, event: dict[str, Any]) -> None:
        self._ident = self._ident or text_of(event, "runner_ident")
        self._report.add(event)
        super().kept(name, event)

    def write(self, flags: argparse.Namespace, result: Result) -> None:
        """Write the report after the run has ended.

        Raises:
            JobError: it cannot be written.
        """
        end = RunEnd(flags.ident or self._ident, result.status.value, result.rc, result.explanation)
        write_pieces("the report", flags.output, self._report.pieces(end))

    def close(self) -> None:
        """Discard the results."""
        self._report.close()


def write_report(flags: argparse.Namespace, runner: Runner) -> None:
    """Write the report of a run on this host that has ended.

    Raises:
        JobError: it cannot be written, or an event's file was removed or damaged.
    """
    report = make_report(flags.format)
    try:
        report.start(str(runner.config.cwd or ""), runner.config.env or {})
        events: Iterable[Mapping[str, Any]] = runner.events
        for event in events:
            report.add(event)
        end = RunEnd(str(runner.config.ident), runner.status, runner.rc, runner.explanation)
        write_pieces("the report", flags.output, report.pieces(end))
    finally:
        report.close()
