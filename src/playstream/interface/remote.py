"""A run on another host: the stages transmit and process in this program, and a worker at the end of a link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playstream.interface.config import RunnerConfig
from playstream.interface.event_handler import expand_handler
from playstream.interface.execution_drive import Execution, ExecutionDrive
from playstream.interface.handlers import check_kept, take_handlers
from playstream.interface.lent_terminal import LentTerminal
from playstream.interface.logs import set_up_logging
from playstream.interface.mesh_terms import fit_to_mesh, is_mesh, need_engine
from playstream.interface.options import RunOptions
from playstream.interface.runner import Runner
from playstream.interface.watched_run import Drive, Poll, RecordSource, make_watched_run
from playstream.links.exchange import Exchange
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.liveness import seconds_of
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.job.checks import check_options, refuse_empty, select_options
from playstream.pipeline.job.options import JobOptions
from playstream.pipeline.limits import limits_of
from playstream.process import Processor
from playstream.transmit import Transmitter

if TYPE_CHECKING:
    from playstream.links import Link
    from playstream.pipeline.tree.meter import Meters
    from playstream.worker.user_terminal import UserTerminal

_OF_STAGES = ("_input", "_output", "since", "hold", "max_job_seconds", "cache", "cache_size", "sender")
"""Options of single stages that make no sense for a run over a link."""


def make_remote_runner(
    options: Mapping[str, Any],
    link: Link,
    cancellation: Cancellation | None = None,
    meters: Meters | None = None,
    user_terminal: UserTerminal | None = None,
) -> Runner:
    """Prepare a run over a link.

    Args:
        options: as for run(), without `on`.
        link: the way to the worker.
        cancellation: requests the end of the job; None for only the runner's own.
        meters: count what is installed, sent and unpacked; None for nothing.
        user_terminal: the terminal whose keys go to the job, and whose size the job's has; None for none.

    Raises:
        ConfigurationError: an option is invalid, or the job cannot run as requested. Nothing was sent.
        Canceled: the cancellation was requested while collections and roles were installed.
    """
    prepared = prepare_remote(options, link, cancellation, meters)
    prepared.config.user_terminal = user_terminal
    source = remote_records(prepared.transmitter, link, prepared.options, meters, user_terminal)
    return Runner(prepared.config, cancellation=cancellation, work=make_watched_run(source, prepared.handlers))


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run over a link consists of."""

    options: dict[str, Any]
    """The options, checked, without the handlers."""
    handlers: dict[str, Any]
    config: RunnerConfig
    transmitter: Transmitter


def prepare_remote(
    options: Mapping[str, Any], link: Link, cancellation: Cancellation | None, meters: Meters | None
) -> Prepared:
    """Prepare what is sent over a link; arguments and errors as for `make_remote_runner`."""
    refuse_empty(options, RunOptions)
    given = check_options(options, RunOptions, "run")
    for name in _OF_STAGES:
        if given.get(name):
            raise ConfigurationError(f"{name}: cannot be combined with on: it applies to a single stage")
    if given.get("dialect", "playstream") != "playstream":
        raise ConfigurationError("dialect: cannot be combined with on: a link uses playstream's own protocol")
    if is_mesh(link):
        fit_to_mesh(given, link)
    check_kept(given, None)
    expand_handler(given)
    handlers = take_handlers(given)
    set_up_logging(given)
    for name in ("keepalive_seconds", "liveness_seconds"):
        seconds_of(given, name, 0.0)
    config = RunnerConfig(given.get("private_data_dir"), **select_options(given, JobOptions))
    transmitter = Transmitter(
        {**given, **config.job_options},
        exclude=given.get("exclude", ()),
        only_arguments=bool(given.get("only_transmit_kwargs")),
        awaits_galaxy=bool(given.get("galaxy")),
    )
    if given.get("galaxy"):
        from playstream.interface.galaxy import add_to_transmitter  # noqa: PLC0415 - seldom asked for

        meter = None if meters is None else meters.installing
        add_to_transmitter(transmitter, given["galaxy"], cancellation=cancellation, meter=meter)
    if is_mesh(link):
        need_engine(link, transmitter.job.settings)
    config.take_settings(transmitter.job.settings)
    return Prepared(given, handlers, config, transmitter)


def remote_records(
    transmitter: Transmitter,
    link: Link,
    options: Mapping[str, Any],
    meters: Meters | None = None,
    user_terminal: UserTerminal | None = None,
) -> RecordSource:
    """Return the source of the records of a run over a link.

    Args:
        transmitter: the job and its tree.
        link: the way to the worker.
        options: options of run(), checked.
        meters: count what is sent and unpacked; None for nothing.
        user_terminal: the terminal on which the worker may ask; None for none.

    Raises:
        ConfigurationError: a limit is invalid.
    """

    @contextmanager
    def open_source(cancellation: Cancellation) -> Iterator[Drive]:
        user = None if user_terminal is None else LentTerminal(user_terminal, link.name)

        def make_execution(mailbox: Mailbox[Any], cancellation: Cancellation) -> Execution:
            return Exchange(transmitter, link, options, mailbox, cancellation, meters, user).run

        def drive(processor: Processor, poll: Poll) -> BaseException | None:
            def look() -> None:
                poll()
                if user is not None:
                    user.show_again()

            try:
                return ExecutionDrive(make_execution, cancellation).run(processor, look)
            finally:
                if user is not None:
                    user.close()

        yield drive

    return RecordSource(open_source, limits_of(options), at_once=False, completes_config=True)
