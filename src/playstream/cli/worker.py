"""`playstream worker`: serve the job on standard input."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from playstream.cli.flags import flags_of
from playstream.cli.parser import Parser
from playstream.cli.subcommand import set_up as set_up_subcommand
from playstream.pipeline.errors import ConfigurationError

_KEEPALIVE_VARIABLE = "ANSIBLE_RUNNER_KEEPALIVE_SECONDS"


def set_up(parser: Parser) -> None:
    """Add what the subcommand takes."""
    parser.description = (
        "Run the job that comes on standard input and write its results, as a stream, to standard output."
    )
    parser.usage = "%(prog)s [FLAGS]\n       %(prog)s cleanup [FLAGS]"
    parser.add_flags("worker")
    parser.forward(flags_of("worker cleanup"))
    cleanup = ("cleanup", "remove directories that jobs have left, and images", set_up_subcommand("worker cleanup"))
    parser.add_commands([cleanup], required=False)
    parser.set_defaults(for_cleanup=parser.forwarded, usage_error=parser.error)


def run(flags: argparse.Namespace) -> int:
    """Serve the job, or tell about this host; return the exit status."""
    if flags.for_cleanup:
        name = flags.for_cleanup[0].partition("=")[0]
        flags.usage_error(f"{name} is a flag of worker cleanup, and cleanup is not asked for")
    if flags.worker_info:
        return _tell()
    from playstream.cli.signals import cancel_on_signals  # noqa: PLC0415 - only what this subcommand needs is loaded
    from playstream.interface.work import work  # noqa: PLC0415
    from playstream.pipeline.links.stdio import claim_input, claim_output  # noqa: PLC0415
    from playstream.worker import WorkerOptions  # noqa: PLC0415

    keepalive = _keepalive_seconds(flags.keepalive_seconds)
    if flags.delete and flags.private_data_dir is None:
        raise ConfigurationError("--delete: expected --private-data-dir with it; a temporary directory is always "
                                 "removed")
    directory = None if flags.private_data_dir is None else Path(flags.private_data_dir)
    return work(
        claim_input(),
        claim_output(),
        options=WorkerOptions(directory, flags.delete, keepalive),
        cancellation=cancel_on_signals(),
    )


def _keepalive_seconds(given: float | None) -> float:
    from playstream.worker import DEFAULT_KEEPALIVE_SECONDS  # noqa: PLC0415

    source, seconds = "--keepalive-seconds", given
    text = os.environ.get(_KEEPALIVE_VARIABLE)
    if seconds is None and text:
        source = _KEEPALIVE_VARIABLE
        try:
            seconds = float(text)
        except ValueError:
            raise ConfigurationError(f"{source}: expected seconds from 0, got {text!r}") from None
    if seconds is None:
        return DEFAULT_KEEPALIVE_SECONDS
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ConfigurationError(f"{source}: expected seconds from 0, got {seconds:g}")
    return seconds


def _tell() -> int:
    import yaml  # noqa: PLC0415

    from playstream.worker.capacity import worker_info  # noqa: PLC0415

    print(yaml.safe_dump(worker_info(), default_flow_style=True, width=math.inf), end="")
    return 0
