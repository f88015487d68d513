"""`playstream run`: run a job on this host and wait for it to end."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from playstream.cli.active_runs import note_directories
from playstream.cli.answers import read_answers
from playstream.cli.flags import REPORT
from playstream.cli.job_options import job_options
from playstream.cli.link_options import link_options
from playstream.cli.local_run import run_here
from playstream.cli.output import STANDARD_OUTPUT
from playstream.cli.parser import Parser
from playstream.cli.stored import named_store
from playstream.cli.suggestions import suggest_what
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.tree.directories import absolute_path, make_private

DESCRIPTION = (
    "Run a playbook, a module or a role, show Ansible's output, and keep the results in DIR/artifacts/IDENT. "
    "The exit status is Ansible's, or 254 if the job was canceled or timed out."
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR (-p FILE | -m NAME | -r NAME) [FLAGS]"
    parser.description = DESCRIPTION
    parser.add_argument(
        "private_data_dir",
        metavar="DIR",
        type=Path,
        help="directory with project/, inventory/ and env/; only artifacts/ is written",
    )
    parser.suggest = suggest_what
    parser.add_flags("run")
    parser.add_internal_flags(REPORT)


def run(flags: argparse.Namespace) -> int:
    """Run the job; return the exit status."""
    report_to: int | None = flags.report_to
    if report_to is not None:
        flags.name = "start"
        os.set_inheritable(report_to, False)  # `start` waits until it is closed, and the guard would keep it open
        flags.answers = read_answers(flags.answers_from)

    def report(ident: str) -> None:
        """Report to `start` that the run has started, and release it."""
        if report_to is not None:
            os.write(report_to, ident.encode() + b"\n")
            os.close(report_to)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stderr.fileno())
            os.close(null)

    if flags.detach:
        from playstream.cli.detached import ask_before  # noqa: PLC0415 - an extra

        ask_before(flags)
    elif flags.max_job_bytes is not None:
        raise ConfigurationError("--max-job-bytes concerns a job that is left to a mesh: pass --detach too, or omit it")
    if report_to is not None and flags.summary == STANDARD_OUTPUT:
        raise ConfigurationError("--summary -: start shows no output. Name a file")
    if flags.rotate_artifacts is not None and flags.rotate_artifacts < 0:
        raise ConfigurationError(f"--rotate-artifacts: expected 0 or more, got {flags.rotate_artifacts}")
    options = job_options(flags) | link_options(flags)
    if "module" in options or "role" in options:
        # A module or role does not need any file of the directory.
        make_private(Path(absolute_path(flags.private_data_dir)))
    if flags.galaxy is not None:
        options["galaxy"] = flags.galaxy
    if flags.detach:
        from playstream.cli.detached import run_detached  # noqa: PLC0415 - an extra

        return run_detached(flags, options)
    options |= {
        name: value
        for name, value in (
            ("artifact_dir", flags.artifact_dir),
            ("rotate_artifacts", flags.rotate_artifacts),
            ("store", named_store(flags.store)),
            ("label", flags.label),
            ("store_events", flags.store_events or None),
            ("capture", flags.capture),
            ("force", flags.force or None),
        )
        if value is not None
    }
    return run_here(flags, options, note_directories(flags.private_data_dir, flags.artifact_dir), report)
