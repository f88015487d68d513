"""`playstream check`: whether a job would run at the other end of a link."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from typing import Any

from playstream.cli.link_options import bootstrap_options, connection_options
from playstream.cli.logs import show_warnings
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.cli.signals import cancel_on_signals
from playstream.cli.tables import Column, binary_size, print_table, terminal_width
from playstream.cli.wrapping import wrap_message
from playstream.interface.terminal_text import make_message, make_safe_json
from playstream.links import find_link
from playstream.links.inquiry import Findings, Inquiry
from playstream.links.needs import PROJECT, Needs, find_problems, find_warnings, read_needs
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Canceled, Cancellation
from playstream.pipeline.io.json_text import dump_json
from playstream.pipeline.job.inputs import read_env_files

_AT_ONCE = 32
"""Maximum number of links that are asked at the same time."""
_LIVENESS_SECONDS = 6.0
"""The default of --liveness-seconds: a host that does not answer for five times as long is a problem."""
_WOULD_NOT_RUN = 1
COLUMNS = (
    Column("LINK", least=16),
    Column("OK", coloured=True),
    Column("ROUND TRIP", short="TRIP", rank=3),
    Column("RATE", rank=4),
    Column("PLAYSTREAM", short="VERSION", rank=5),
    Column("PYTHON", rank=6),
    Column("ANSIBLE-CORE", short="ANSIBLE", rank=1),
    Column("FREE", rank=2),
    Column("CLOCK", rank=7),
    Column("ENGINES", rank=8),
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s LINK … [--job DIR] [FLAGS]"
    parser.description = (
        "Open links, measure them, and look at the hosts at their other ends: versions, free space, clock, programs "
        "for isolation and, with --job, the collections that the job needs. The exit status is 0 if a job would run at "
        "the other end of each link."
    )
    parser.add_argument(
        "links", metavar="LINK", nargs="+", help="link, such as ssh://host; several are asked at the same time"
    )
    parser.add_flags("check")
    parser.set_defaults(quiet=False)


def run(flags: argparse.Namespace) -> int:
    """Ask the links; return the exit status."""
    links = []
    for url in flags.links:
        link = find_link(url, **bootstrap_options(flags))
        if link is None:
            raise ConfigurationError("local: is this host; check asks other hosts: pass a link such as ssh://host")
        links.append(link)
    show_warnings(flags)
    signals = cancel_on_signals()
    try:
        needs = _find_needs(flags, signals)
    except Canceled as canceled:
        print_message("check", canceled)
        return CANCELED_EXIT_STATUS
    if flags.liveness_seconds is None:
        flags.liveness_seconds = _LIVENESS_SECONDS
    options = connection_options(flags)
    with ExitStack() as open_ones, ThreadPoolExecutor(_AT_ONCE) as pool:
        cancellations = [open_ones.enter_context(closing(Cancellation())) for _ in links]
        inquiries = [Inquiry(link, options, collections=bool(needs.collections)) for link in links]
        answers = [pool.submit(one.run, stop) for one, stop in zip(inquiries, cancellations, strict=True)]
        _wait(answers, signals, cancellations)
        found = [answer.result() for answer in answers]
    judged = [(item, list(find_problems(item, needs)), list(find_warnings(item))) for item in found]
    _print(flags, judged)
    if signals.reason is not None:
        return CANCELED_EXIT_STATUS
    return _WOULD_NOT_RUN if any(problems for _found, problems, _warnings in judged) else 0


def _find_needs(flags: argparse.Namespace, signals: Cancellation) -> Needs:
    """Return what the job needs at the other end; with `--galaxy` what it requires is installed here first."""
    if flags.job is None:
        if flags.galaxy:
            raise ConfigurationError("--galaxy concerns a job: pass --job DIR too, or omit it")
        return Needs()
    if not flags.galaxy:
        return read_needs(flags.job)
    from playstream.galaxy.provision import provide  # noqa: PLC0415 - seldom asked for

    envvars = read_env_files(flags.job).envvars
    installed = provide(flags.job / PROJECT, envvars, refresh=flags.galaxy == "refresh", cancellation=signals)
    return read_needs(flags.job, installed)


def _wait(answers: Sequence[Future[Findings]], signals: Cancellation, cancellations: Sequence[Cancellation]) -> None:
    """Wait for all answers; after a signal they come soon."""
    while wait(answers, LOOK_SECONDS).not_done:
        if signals.reason is not None:
            for cancellation in cancellations:
                cancellation.request(signals.reason)


def _print(flags: argparse.Namespace, judged: Sequence[tuple[Findings, list[str], list[str]]]) -> None:
    """Print what was found, as JSON lines or as a table."""
    if flags.json:
        for found, problems, warnings in judged:
            print(make_safe_json(dump_json(_as_json(found, problems, warnings))))
        return
    print_table(COLUMNS, _rows(judged), terminal_width())
    for found, problems, warnings in judged:
        for text in [*problems, *(f"warning: {text}" for text in warnings)]:
            whole = text if text.startswith(found.link) else f"{found.link}: {text}"
            print(wrap_message(make_message(whole), sys.stdout))


def _rows(judged: Sequence[tuple[Findings, list[str], list[str]]]) -> Iterator[Sequence[object]]:
    for found, problems, _warnings in judged:
        hello = found.hello
        yield (
            found.link,
            "no" if problems else "yes",
            None if found.round_trip_seconds is None else f"{found.round_trip_seconds * 1000:.1f} ms",
            None if found.bytes_per_second is None else f"{found.bytes_per_second / 1e6:.0f} MB/s",
            None if hello is None else hello.version,
            None if hello is None else hello.python,
            None if hello is None else hello.ansible_core,
            None if found.free_bytes is None else binary_size(found.free_bytes),
            None if found.clock_seconds is None else f"{round(found.clock_seconds, 1) + 0.0:+.1f} s",
            ",".join(found.engines),
        )


def _as_json(found: Findings, problems: list[str], warnings: list[str]) -> dict[str, Any]:
    hello = found.hello
    return {
        "link": found.link,
        "ok": not problems,
        "problems": problems,
        "warnings": warnings,
        "round_trip_seconds": found.round_trip_seconds,
        "bytes_per_second": found.bytes_per_second,
        "playstream": None if hello is None else hello.version,
        "protocol_minor": None if hello is None else hello.minor,
        "records": None if hello is None else list(hello.records),
        "limits": None if hello is None else dict(hello.limits),
        "python": None if hello is None else hello.python,
        "ansible_core": None if hello is None else hello.ansible_core,
        "free_bytes": found.free_bytes,
        "clock_seconds": found.clock_seconds,
        "engines": found.engines,
        "collections": found.collections,
    }
