"""`playstream worker`: serve the job on standard input."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from playstream.cli.subcommand import Subcommands
from playstream.pipeline.errors import ConfigurationError


def add_parser(subcommands: Subcommands) -> None:
    """Add this subcommand to the command line."""
    parser = subcommands.add_parser(
        "worker",
        help="run the job that comes on standard input",
        description="Run the job that comes on standard input and write its results, as a stream, to standard output.",
    )
    parser.add_argument("--private-data-dir", type=Path, metavar="DIR",
                        help="unpack and run here, and keep it; a private temporary directory when left out")
    parser.add_argument("--delete", action="store_true", help="empty --private-data-dir before and remove it after")
    parser.add_argument("--keepalive-seconds", type=float, metavar="N",
                        help="silence after which a heartbeat is sent, 0 for never; 15 when left out")
    parser.set_defaults(run=_run, name="worker")


def _run(options: argparse.Namespace) -> int:
    from playstream.cli.signals import cancel_on_signals  # noqa: PLC0415 - only what this subcommand needs is loaded
    from playstream.interface.work import work  # noqa: PLC0415
    from playstream.pipeline.links.stdio import claim_input, claim_output  # noqa: PLC0415
    from playstream.worker import DEFAULT_KEEPALIVE_SECONDS, WorkerOptions  # noqa: PLC0415

    keepalive = DEFAULT_KEEPALIVE_SECONDS if options.keepalive_seconds is None else options.keepalive_seconds
    if not (math.isfinite(keepalive) and keepalive >= 0):
        raise ConfigurationError(f"--keepalive-seconds: expected seconds from 0, got {keepalive:g}")
    if options.delete and options.private_data_dir is None:
        raise ConfigurationError("--delete: expected --private-data-dir with it; a temporary directory is always "
                                 "removed")
    return work(
        claim_input(),
        claim_output(),
        options=WorkerOptions(options.private_data_dir, options.delete, keepalive),
        cancellation=cancel_on_signals(),
    )
