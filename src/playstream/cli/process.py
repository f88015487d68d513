"""`playstream process`: rebuild a run from the stream on standard input."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playstream.cli.subcommand import Subcommands
from playstream.pipeline.errors import ConfigurationError


def add_parser(subcommands: Subcommands) -> None:
    """Add this subcommand to the command line."""
    parser = subcommands.add_parser(
        "process",
        help="rebuild a run from the stream on standard input",
        description="Show the run that comes on standard input and write its artifacts. Ends with Ansible's exit "
        "status; with 254 when the job was canceled or timed out.",
    )
    parser.add_argument("private_data_dir", metavar="DIR", type=Path, help="the artifacts go to DIR/artifacts")
    parser.add_argument("-i", "--ident", help="the artifacts go to DIR/artifacts/IDENT")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not show Ansible's output")
    parser.set_defaults(run=_run, name="process")


def _run(options: argparse.Namespace) -> int:
    from playstream.cli.signals import cancel_on_signals  # noqa: PLC0415 - only what this subcommand needs is loaded
    from playstream.interface.process import process  # noqa: PLC0415
    from playstream.pipeline.ident import check_ident  # noqa: PLC0415
    from playstream.pipeline.links.stdio import claim_input  # noqa: PLC0415
    from playstream.pipeline.protocol import LogLevel  # noqa: PLC0415

    if sys.stdin.isatty():
        raise ConfigurationError("standard input is a terminal; pipe the output of playstream worker into it")
    artifact_dir: Path = options.private_data_dir / "artifacts"
    if options.ident is not None:
        artifact_dir /= check_ident(options.ident)
    output = sys.stdout

    def show(text: str) -> None:
        if not options.quiet:
            output.write(text.replace("\r\n", "\n") + "\n")

    def log(level: LogLevel, message: str) -> None:
        print(f"playstream process: {level.value}: {message}", file=sys.stderr)

    output.reconfigure(errors="replace")  # type: ignore[union-attr]
    result = process(
        claim_input(), artifact_dir, show=show, log=log, idle=output.flush, cancellation=cancel_on_signals()
    )
    if result.explanation:
        print(f"playstream process: {result.status.value}: {result.explanation}", file=sys.stderr)
    return result.exit_status
