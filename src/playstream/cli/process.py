"""`playstream process`: rebuild a run from the stream read from standard input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from playstream.cli.keepalive import liveness_seconds
from playstream.cli.output import STANDARD_OUTPUT, make_progress, print_message, print_outcome, wants_transfers
from playstream.cli.parser import Parser, check_directory, suggest_ident
from playstream.cli.signals import cancel_on_signals
from playstream.cli.stored import named_store
from playstream.interface.display import Display, write_standard_output
from playstream.interface.plugins import find_plugins
from playstream.interface.terminal_text import choose_form
from playstream.pipeline.dialect import UNREAD_LINE
from playstream.pipeline.errors import ConfigurationError, PlaystreamError
from playstream.pipeline.io.stdio import claim_input, connect
from playstream.pipeline.job.ident import ARTIFACTS, check_ident
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import LogLevel, Status
from playstream.pipeline.tree.directories import absolute_path
from playstream.process import Observer, Output
from playstream.process.receiving import process

if TYPE_CHECKING:
    from playstream.cli.formats import ReportObserver
    from playstream.cli.progress import Progress
    from playstream.cli.summary import SummaryObserver
    from playstream.interface.store_observer import StoreObserver
    from playstream.pipeline.io.cancellation import Cancellation
    from playstream.pipeline.io.stdio import Connection
    from playstream.pipeline.tree.meter import Meter

_WRONG_DIALECT = (
    "This is what ansible-runner's worker says of a stream in playstream's own protocol, which it does not know: add "
    "--dialect runner to playstream transmit"
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR [-i IDENT] [FLAGS]"
    parser.description = (
        "Show the run read from standard input and write its artifacts. The exit status is Ansible's, or 254 if the "
        "job was canceled or timed out."
    )
    parser.add_argument(
        "private_data_dir",
        metavar="DIR",
        type=Path,
        help="write the artifacts to DIR/artifacts, or to DIR/artifacts/IDENT with -i",
    )
    parser.suggest = suggest_ident
    parser.add_flags("process")


def run(flags: argparse.Namespace) -> int:
    """Rebuild the run; return the exit status."""
    if sys.stdin is not None and sys.stdin.isatty():
        raise ConfigurationError("standard input is a terminal: pipe the output of playstream worker into this command")
    check_directory("process", flags.private_data_dir)
    artifact_dir = Path(absolute_path(flags.artifact_dir or flags.private_data_dir / ARTIFACTS))
    if flags.ident is not None:
        artifact_dir /= check_ident(flags.ident)
    hidden = flags.quiet or flags.summary == STANDARD_OUTPUT
    without = hidden or flags.json or flags.debug or flags.raw_output or flags.format
    progress = None if without else make_progress()
    output = Display(None if hidden else write_standard_output, choose_form(raw=flags.raw_output, json=flags.json))

    class Viewer(Observer):
        show = staticmethod(output.show)
        idle = staticmethod(output.flush)
        if progress is not None:
            event = staticmethod(progress.event)

            def status(self, status: Status) -> None:
                if progress is not None and not status.status.terminal:
                    progress.begin()

        def log(self, level: LogLevel, message: str) -> None:
            if flags.debug or flags.logfile:
                _log(level.value, message)
            if not (flags.debug or flags.quiet):
                print_message("process", f"{level.value}: {message}")

    viewer = _with_plugins(Viewer(), flags)
    cancellation = cancel_on_signals()
    store_error = None
    with (
        _open_store_observer(flags, viewer, cancellation) as store_observer,
        _open_summary(flags, store_observer or viewer) as summary,
        _open_report(flags, summary or store_observer or viewer) as reporter,
    ):
        warn = partial(print_message, "process")
        meter, showing = _show_transfers(flags, progress)
        with (
            _copying(flags, warn) as copied,
            progress or nullcontext(),
            _shown(flags),
            showing,
            connect(vars(flags), warn, reader=claim_input()) as connection,
        ):
            result = process(
                copied(connection),
                artifact_dir,
                reporter or summary or store_observer or viewer,
                among_runs=flags.ident is None,
                link_latest=flags.ident is not None and not flags.as_ansible_runner,
                cancellation=cancellation,
                output=Output.JSON if flags.json else Output.TEXT,
                write_behind=True,
                liveness_seconds=liveness_seconds(flags),
                limits=limits_of(vars(flags)),
                meter=meter,
            )
        if store_observer is not None:
            store_error = store_observer.save(
                flags.ident, result.status.value, result.rc, result.explanation, result.artifact_dir
            )
        hint = f" {_WRONG_DIALECT}" if result.explanation and UNREAD_LINE in result.explanation else ""
        print_outcome("process", result.status.value, f"{result.explanation or ''}{hint}")
        try:
            if summary is not None:
                summary.write(flags.summary, result, flags.ident)
            if reporter is not None:
                reporter.write(flags, result)
        except PlaystreamError:
            if store_error is not None:
                print_message("process", store_error)
            raise
    if store_error is not None:
        raise store_error
    return result.exit_status


def _show_transfers(
    flags: argparse.Namespace, progress: Progress | None
) -> tuple[Meter | None, AbstractContextManager[object]]:
    """Return what counts the artifacts while they are unpacked, and a context in which that is shown."""
    if not wants_transfers(flags):
        return None, nullcontext()
    from playstream.cli.transfers import show_transfers  # noqa: PLC0415 - seldom needed
    from playstream.pipeline.tree.meter import Meter  # noqa: PLC0415

    meter = Meter("unpacking")
    return meter, show_transfers(flags, [meter], progress)


def _copying(
    flags: argparse.Namespace, warn: Callable[[str], object]
) -> AbstractContextManager[Callable[[Connection], Connection]]:
    """Return a context with a function that makes a connection whose bytes are also written to a file, if one is named.

    Raises:
        ConfigurationError: the file cannot be created, or the stream is encrypted.
    """
    if flags.tee is None and not flags.force:
        return nullcontext(lambda connection: connection)
    from playstream.captures.keeping import copying  # noqa: PLC0415 - seldom asked for
    from playstream.interface.handlers import check_kept  # noqa: PLC0415 - as above

    check_kept(vars(flags), "process")
    return copying(vars(flags), warn)


def _open_store_observer(
    flags: argparse.Namespace, inner: Observer, cancellation: Cancellation
) -> AbstractContextManager[StoreObserver | None]:
    """Return a context that collects the run for the store and closes it; None in it without a URL."""
    url = named_store(flags.store)
    if url is None and flags.label is None and not flags.store_events:
        return nullcontext()
    from playstream.interface.store_observer import StoreObserver, check_store  # noqa: PLC0415 - seldom asked for

    check_store(url, label=flags.label, store_events=flags.store_events)
    warn = partial(print_message, "process") if flags.store_events else None
    directory = flags.private_data_dir
    return closing(StoreObserver(url or "", inner, cancellation, label=flags.label, directory=directory, warn=warn))


def _open_summary(flags: argparse.Namespace, inner: Observer) -> AbstractContextManager[SummaryObserver | None]:
    """Return a context that collects the run for its summary; None in it if none is wanted.

    Raises:
        ConfigurationError: the summary cannot be written.
    """
    if not flags.summary:
        return nullcontext()
    from playstream.cli.summary import SummaryObserver, check_target  # noqa: PLC0415 - seldom asked for

    check_target(flags)
    return closing(SummaryObserver(inner))


def _open_report(flags: argparse.Namespace, inner: Observer) -> AbstractContextManager[ReportObserver | None]:
    """Return a context that collects the run for its report; None in it if none is wanted.

    Raises:
        ConfigurationError: the report cannot be written.
    """
    if not (flags.format or flags.output):
        return nullcontext()
    from playstream.cli.formats import ReportObserver, check_format, make_report  # noqa: PLC0415 - seldom asked for

    check_format(flags)
    return closing(ReportObserver(inner, make_report(flags.format)))


def _shown(flags: argparse.Namespace) -> AbstractContextManager[object]:
    """Return a context in which Ansible's output is shown on standard error, if the report takes standard output."""
    if not flags.format:
        return nullcontext()
    from playstream.cli.formats import output_on_stderr, wants_output  # noqa: PLC0415 - seldom asked for

    return output_on_stderr() if wants_output(flags) else nullcontext()


def _with_plugins(viewer: Observer, flags: argparse.Namespace) -> Observer:
    """Return an observer that notifies installed plugins as well as the viewer.

    Raises:
        ConfigurationError: the file with their settings cannot be read.
    """
    found = find_plugins()
    if not found:
        return viewer
    from playstream.cli.logs import show_warnings  # noqa: PLC0415 - only needed for plugins
    from playstream.interface.observer import PluginObserver, StreamConfig  # noqa: PLC0415
    from playstream.pipeline.job.inputs import read_settings  # noqa: PLC0415

    show_warnings(flags)
    return PluginObserver(found, StreamConfig(flags.ident or "", read_settings(flags.private_data_dir)), viewer)


def _log(level: str, message: str) -> None:
    import logging  # noqa: PLC0415 - seldom asked for

    logging.getLogger("playstream").log(logging.getLevelName(level.upper()), "%s", message)
