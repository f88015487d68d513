"""`playstream worker`: run the job read from standard input."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from playstream.cli.flags import flags_of
from playstream.cli.keepalive import keepalive_seconds, liveness_seconds
from playstream.cli.main import set_up as set_up_subcommand
from playstream.cli.output import print_message, print_outcome, wants_transfers
from playstream.cli.parser import Parser
from playstream.cli.signals import cancel_on_signals
from playstream.cli.worker_flags import ALIVE, CACHE_SENDER, LISTENING, START
from playstream.pipeline.dialect import REFUSAL
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import claim_input, claim_output, connect, silence_beside
from playstream.pipeline.limits import check_seconds, limits_of
from playstream.pipeline.tree.directories import absolute_path
from playstream.pipeline.tree.meter import Meter
from playstream.worker import WorkerOptions
from playstream.worker.serving import work


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.description = (
        "Run the job read from standard input and write its results as a stream to standard output, or with --listen "
        "serve the jobs of many connections."
    )
    parser.usage = "%(prog)s [FLAGS]\n       %(prog)s cleanup [FLAGS]"
    parser.add_flags("worker")
    parser.add_internal_flags((*START, *ALIVE, *CACHE_SENDER))
    parser.forward(flags_of("worker cleanup"))
    cleanup = ("cleanup", "remove directories left by jobs, and container images", set_up_subcommand("worker cleanup"))
    parser.add_commands([cleanup], required=False)
    parser.set_defaults(
        for_cleanup=parser.forwarded, usage_error=parser.error, worker_options={}, allows_terminal=False
    )


def run(flags: argparse.Namespace) -> int:
    """Run the job, or print information about this host; return the exit status."""
    if flags.for_cleanup:
        name = flags.for_cleanup[0].partition("=")[0]
        flags.usage_error(f"{name} is a flag of worker cleanup: add the word cleanup, or omit the flag")
    if flags.worker_info:
        return _print_worker_info()
    if flags.cache is None and flags.cache_size is not None:
        raise ConfigurationError("--cache-size is the size of a cache: pass --cache too, or omit it")
    if is_listening(flags):
        from playstream.cli.listen import run_listener  # noqa: PLC0415 - loaded only if needed

        return run_listener(flags)
    return _serve_one(flags)


def _serve_one(flags: argparse.Namespace) -> int:
    """Run the job of standard input; return the exit status."""
    if not flags.allows_terminal:
        _refuse_terminal()
    directory = Path(absolute_path(flags.private_data_dir)) if flags.private_data_dir else None
    options = WorkerOptions(
        directory,
        flags.delete,
        keepalive_seconds(flags),
        liveness_seconds(flags),
        limits_of(vars(flags)),
        None if flags.max_job_seconds is None else check_seconds("--max-job-seconds", flags.max_job_seconds),
        start_on=flags.start_on,
        **_cache_options(flags),
        **flags.worker_options,
    )
    showing: AbstractContextManager[object] = nullcontext()
    if wants_transfers(flags):
        from playstream.cli.transfers import show_transfers  # noqa: PLC0415 - seldom needed

        meter = Meter("unpacking")
        options, showing = replace(options, meter=meter), show_transfers(flags, [meter])
    warn = partial(print_message, "worker")
    output, cancellation = claim_output(), cancel_on_signals()
    if flags.wait_on is not None and not _wait(flags, cancellation):
        return 0
    with (
        silence_beside(output),
        showing,
        connect(vars(flags), warn, reader=claim_input(), writer=output) as connection,
    ):
        served = work(connection, options=options, cancellation=cancellation, poll=_clock(flags, cancellation))
        print_outcome("worker", served.status.value, served.explanation)
    return served.exit_status


def _wait(flags: argparse.Namespace, cancellation: Cancellation) -> bool:
    """Wait until the node of a mesh, which has started this worker, has a job for it; return whether it has one."""
    from playstream.worker.readiness import Call, load_encryption, wait_for_job  # noqa: PLC0415 - only on a node

    load_encryption()
    call = wait_for_job(flags.wait_on, cancellation)
    if call is Call.PLAIN:
        flags.identity = flags.encrypt_to = None
    return call is not None


def _clock(flags: argparse.Namespace, cancellation: Cancellation) -> Callable[[], None] | None:
    """Return what watches the node of a mesh that has started this worker; None for nothing."""
    if flags.alive_on is None:
        return None
    from playstream.worker.clock import DeadMansClock  # noqa: PLC0415 - only on a node

    return partial(DeadMansClock(flags.alive_on, flags.alive_seconds).check, cancellation)


def _cache_options(flags: argparse.Namespace) -> dict[str, Any]:
    if flags.cache is None:
        return {}
    from playstream.cli.worker_cache import cache_options  # noqa: PLC0415 - only with a cache

    return cache_options(flags)


def is_listening(flags: argparse.Namespace) -> bool:
    """Return whether the worker listens.

    Raises:
        ConfigurationError: it does not, and a flag of listening workers is given.
    """
    if flags.listen is not None:
        return True
    for definition in LISTENING:
        name = definition.names[0]
        if getattr(flags, name.removeprefix("--").replace("-", "_")) is not None:
            raise ConfigurationError(f"{name} concerns a listening worker: pass --listen ADDRESS too, or omit it")
    return False


def _refuse_terminal() -> None:
    """Check that neither end is a terminal, which would change the bytes of a stream.

    On another host the message is part of what `process` receives. It shows the first bytes only, so `-t` comes early.

    Raises:
        ConfigurationError: one is.
    """
    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        if stream is not None and stream.isatty():
            raise ConfigurationError(
                f"{REFUSAL}: standard {name} is a terminal, which changes streams. On this "
                "host use pipes: playstream transmit … | playstream worker | playstream process …"
            )


def _print_worker_info() -> int:
    import yaml  # noqa: PLC0415 - seldom asked for

    from playstream.worker.capacity import worker_info  # noqa: PLC0415

    print(yaml.safe_dump(worker_info(), default_flow_style=True, width=math.inf), end="")
    return 0
