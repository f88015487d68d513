"""`playstream transmit`: write a job and its private data directory as a stream to standard output."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from playstream.cli.job_options import job_options, roles_path_in
from playstream.cli.keepalive import keepalive_seconds, liveness_seconds
from playstream.cli.logs import show_warnings
from playstream.cli.output import print_message, wants_transfers
from playstream.cli.parser import Parser
from playstream.cli.signals import cancel_on_signals
from playstream.cli.suggestions import suggest_what
from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError
from playstream.pipeline.io.cancellation import Canceled, Cancellation
from playstream.pipeline.io.stdio import Connection, claim_output, connect
from playstream.pipeline.tree.meter import Meter, make_meters
from playstream.transmit import Transmitter
from playstream.transmit.sending import JobSource, transmit

_OF_PROCESS = frozenset({"--artifact-dir", "--rotate-artifacts", "--quiet", "--json"})
"""Flags that concern the results."""


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR (-p FILE | -m NAME | -r NAME) [FLAGS]"
    parser.description = (
        "Write a job and its private data directory as a stream to standard output, for a worker. Isolation flags are "
        "sent with the job: their paths, images and programs are those of the worker's host."
    )
    parser.epilog = (
        f"{', '.join(sorted(_OF_PROCESS))} are accepted for compatibility with ansible-runner and have no effect: they "
        "concern the results, so pass them to process."
    )
    parser.add_argument(
        "private_data_dir", metavar="DIR", type=Path, help="directory with project/, inventory/ and env/"
    )
    parser.suggest = suggest_what
    parser.add_flags("transmit", shown=_AllBut(_OF_PROCESS))


class _AllBut:
    """A container of everything that is not in `names`."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def __contains__(self, name: object) -> bool:
        return name not in self._names


def run(flags: argparse.Namespace) -> int:
    """Send the job; return the exit status."""
    if sys.stdout is not None and sys.stdout.isatty():
        raise ConfigurationError(
            "standard output is a terminal, and the stream is not text. Redirect it to a file, or pipe it into a "
            "worker: playstream transmit … | ssh host playstream worker | playstream process …"
        )
    show_warnings(flags)
    cancellation = cancel_on_signals() if flags.hold or flags.galaxy else None  # ansible-galaxy ends with this process
    options = job_options(flags)
    if "roles_path" not in options:
        # On this host Ansible would read it from the environment, which is not sent.
        options["roles_path"] = roles_path_in(flags.private_data_dir, os.environ.get("ANSIBLE_ROLES_PATH"))
    warn = partial(print_message, "transmit")
    with connect(vars(flags), warn, writer=claim_output()) as connection:
        try:
            _transmit(flags, options, connection, cancellation)
        except Canceled as canceled:
            print_message("transmit", canceled)
            return CANCELED_EXIT_STATUS
    if cancellation is None or cancellation.reason is None:
        return 0
    print_message("transmit", cancellation.reason)
    return CANCELED_EXIT_STATUS


def _transmit(
    flags: argparse.Namespace, options: dict[str, Any], connection: Connection, cancellation: Cancellation | None
) -> None:
    """Prepare the job and send it.

    Raises:
        Canceled: a stop was requested before anything was sent.
    """
    dialect = Dialect(flags.dialect)
    native = dialect is Dialect.PLAYSTREAM
    transmitter = Transmitter(
        options, exclude=flags.exclude, only_arguments=flags.only_transmit_kwargs, awaits_galaxy=bool(flags.galaxy)
    )
    meters = packing = None
    showing: AbstractContextManager[object] = nullcontext()
    if wants_transfers(flags):
        from playstream.cli.transfers import show_transfers  # noqa: PLC0415 - seldom needed

        meters = make_meters()
        packing = meters.sending if native else Meter("packing")
        showing = show_transfers(flags, [meters.installing, packing, meters.sending])
    with showing:
        if flags.galaxy:
            from playstream.interface.galaxy import add_to_transmitter  # noqa: PLC0415 - seldom asked for

            meter = None if meters is None else meters.installing
            add_to_transmitter(transmitter, flags.galaxy, knows_galaxy=native, cancellation=cancellation, meter=meter)
        source: JobSource = transmitter
        if flags.since is not None:
            from playstream.transmit.since import with_since  # noqa: PLC0415 - seldom asked for

            source = with_since(transmitter, flags.since, dialect)
        transmit(
            source,
            connection,
            dialect=dialect,
            keepalive_seconds=keepalive_seconds(flags),
            liveness_seconds=liveness_seconds(flags),
            cancellation=cancellation,
            hold=flags.hold,
            meter=packing,
            archive_meter=None if meters is None else meters.sending,
        )
