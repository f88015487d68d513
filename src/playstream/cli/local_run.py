"""Run a job in this process: show its output, stop it on signals, and return an exit status."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playstream.cli.active_runs import noted
from playstream.cli.job_options import asks
from playstream.cli.logs import show_warnings
from playstream.cli.output import (
    STANDARD_OUTPUT,
    PlainOutput,
    StandardStream,
    make_progress,
    print_message,
    print_outcome,
    shows_colours,
    waits_for_reader,
    wants_transfers,
)
from playstream.cli.signals import cancel_on_signals
from playstream.interface.runner import Runner, make_runner
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, JobError, OutputError, StoreError
from playstream.pipeline.io.cancellation import Canceled, Cancellation
from playstream.pipeline.protocol import StatusName
from playstream.pipeline.tree.directories import current_directory
from playstream.pipeline.tree.meter import Meters, make_meters
from playstream.worker.user_terminal import UserTerminal, find_user_terminal

if TYPE_CHECKING:
    from playstream.cli.progress import Progress

_logger = logging.getLogger("playstream")
Make = Callable[[dict[str, Any], Cancellation, UserTerminal | None, Meters | None], Runner]


def run_here(
    flags: argparse.Namespace,
    options: dict[str, Any],
    places: Sequence[Path] = (),
    report: Callable[[str], None] = lambda _ident: None,
    make: Make = make_runner,
) -> int:
    """Run a job to its end.

    Args:
        flags: control what is shown and logged.
        options: as for `playstream.run`.
        places: directories for a note of the run while it is active, as returned by `active_runs.note_directories`.
        report: called with the run's name when the job has been checked and the run starts.
        make: prepares the run; another function may prepare to follow one that is under way elsewhere.

    Returns:
        Ansible's exit status; 254 if the job was canceled or timed out; 71 if it could not be run to its end.

    Raises:
        PlaystreamError: nothing has run, or the artifacts cannot be written.
    """

    def note_status(data: dict[str, Any], *, runner_config: Any) -> None:
        _log_status(data)
        if progress is not None and not StatusName(data["status"]).terminal:
            progress.begin()
        if data["status"] == "starting":
            report(runner_config.ident)

    _check_targets(flags)
    terminal = find_user_terminal() if make is make_runner else None
    cancellation = cancel_on_signals(terminal)
    show_warnings(flags)
    hidden = flags.quiet or flags.summary == STANDARD_OUTPUT
    if terminal is not None:
        terminal.hides_output = hidden
        if asks(flags) and not hasattr(flags, "answers"):
            from playstream.cli.ask import asked_prompts  # noqa: PLC0415 - most commands ask nothing

            for prompt in asked_prompts(flags):
                terminal.note_prompt(prompt)
    without = hidden or flags.json or flags.debug or flags.raw_output or flags.format
    progress = None if without else make_progress()
    options |= {"json_mode": flags.json, "raw_output": flags.raw_output, "status_handler": note_status}
    if hidden:
        options |= {"quiet": True, "suppress_ansible_output": True}
    if terminal is not None:
        StandardStream.before_output = terminal.make_room
    if progress is not None and terminal is not None:
        terminal.before_write = progress.remove_line
    if progress is not None:
        options["event_handler"] = progress.event
    has_any = bool(options.get("on") or options.get("galaxy"))
    meters = make_meters() if has_any and wants_transfers(flags) else None
    try:
        with _showing_transfers(flags, meters, progress):
            runner = make(options, cancellation, terminal, meters)
            runner.config.link_latest = not flags.as_ansible_runner
            with noted(places, runner.config.ident):
                try:
                    # `settle` reports output and logs that cannot be written, after all other messages.
                    ignored = suppress(OutputError) if waits_for_reader(sys.stdout) else nullcontext()
                    with _shown(flags, progress), ignored:
                        runner.run()
                except StoreError:
                    _explain(flags, runner)  # first report how the run itself ended
                    raise
    except Canceled as canceled:
        print_message(flags.name, canceled)
        return CANCELED_EXIT_STATUS
    _explain(flags, runner)
    _write_results(flags, runner)
    if not (flags.quiet or flags.json or flags.as_ansible_runner) and options.get("ident") is None:
        _name_artifacts(flags, options, runner)
    return _exit_status(runner)


def _check_targets(flags: argparse.Namespace) -> None:
    """Check before a run that what the flags name can be written when it has ended.

    Raises:
        ConfigurationError: it cannot.
    """
    if flags.summary:
        from playstream.cli.summary import check_target  # noqa: PLC0415 - seldom asked for

        check_target(flags)
    if flags.format or flags.output:
        from playstream.cli.formats import check_format  # noqa: PLC0415 - seldom asked for

        check_format(flags)


def _write_results(flags: argparse.Namespace, runner: Runner) -> None:
    """Write what the flags ask for after a run."""
    if flags.summary:
        from playstream.cli.summary import write_summary  # noqa: PLC0415 - seldom asked for

        write_summary(flags.summary, runner)
    if flags.format:
        from playstream.cli.formats import write_report  # noqa: PLC0415 - seldom asked for

        write_report(flags, runner)


def _showing_transfers(
    flags: argparse.Namespace, meters: Meters | None, progress: Progress | None
) -> AbstractContextManager[object]:
    """Return a context in which it is shown how far packing, sending and unpacking are."""
    if meters is None:
        return nullcontext()
    from playstream.cli.transfers import show_transfers  # noqa: PLC0415 - seldom needed

    return show_transfers(flags, meters, progress)


def _explain(flags: argparse.Namespace, runner: Runner) -> None:
    print_outcome(flags.name, runner.status, runner.explanation)


def _name_artifacts(flags: argparse.Namespace, options: dict[str, Any], runner: Runner) -> None:
    """Print where the artifacts are, unless they are removed with the run."""
    if "private_data_dir" in options or "artifact_dir" in options:
        print_message(flags.name, f"artifacts: {shlex.quote(_shortest(runner.artifact_path))}")


def _shortest(path: Path) -> str:
    """Return a path as it is seen from the current directory, if it is in there."""
    here = current_directory()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _shown(flags: argparse.Namespace, progress: Progress | None) -> AbstractContextManager[object]:
    """Return a context in which standard output is replaced for the duration of the run."""
    if progress is not None:
        return progress
    if flags.format:
        from playstream.cli.formats import output_on_stderr, wants_output  # noqa: PLC0415 - seldom asked for

        if wants_output(flags):
            return output_on_stderr()
    if not (flags.json or flags.raw_output) and not shows_colours(sys.stdout):
        return redirect_stdout(PlainOutput(sys.stdout))
    return nullcontext()


def _log_status(data: dict[str, Any]) -> None:
    _logger.info("run %s: %s", data["runner_ident"], data["status"])
    if "command" in data:
        _logger.debug("in %s: %s", data["cwd"], data["command"])


def _exit_status(runner: Runner) -> int:
    return JobError.exit_status if runner.exit_status is None else runner.exit_status
