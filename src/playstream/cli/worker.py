"""`playstream worker`: serve the job on standard input."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from playstream import interface
from playstream.cli.signals import cancel_on_signals
from playstream.cli.subcommand import Subcommands
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.links.stdio import claim_input, claim_output
from playstream.worker import DEFAULT_KEEPALIVE_SECONDS, WorkerOptions


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
    parser.add_argument("--keepalive-seconds", type=float, default=DEFAULT_KEEPALIVE_SECONDS, metavar="N",
                        help="silence after which a heartbeat is sent, 0 for never (%(default)g)")
    parser.set_defaults(run=_run, name="worker")


def _run(options: argparse.Namespace) -> int:
    if not (math.isfinite(options.keepalive_seconds) and options.keepalive_seconds >= 0):
        raise ConfigurationError(f"--keepalive-seconds: expected seconds from 0, got {options.keepalive_seconds:g}")
    if options.delete and options.private_data_dir is None:
        raise ConfigurationError("--delete: expected --private-data-dir with it; a temporary directory is always "
                                 "removed")
    return interface.work(
        claim_input(),
        claim_output(),
        options=WorkerOptions(options.private_data_dir, options.delete, options.keepalive_seconds),
        cancellation=cancel_on_signals(),
    )
