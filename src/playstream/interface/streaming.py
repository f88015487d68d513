"""Run one stage of a pipeline on file objects: run(streamer=…)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playstream.captures.keeping import copying
from playstream.interface.config import RunnerConfig
from playstream.interface.event_handler import expand_handler
from playstream.interface.handlers import CancelPoll, check_kept, take_handlers
from playstream.interface.options import CancelCallback, RunOptions
from playstream.interface.parameter_names import name_parameters, naming_parameters
from playstream.interface.runner import Runner
from playstream.interface.watched_run import STREAM_ERRORS, Drive, Poll, RecordSource, make_watched_run
from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError, PlaystreamError
from playstream.pipeline.io.cancellation import Canceled, Cancellation
from playstream.pipeline.io.files import reading, writing
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS, seconds_of
from playstream.pipeline.io.stdio import Connection, claim_input, claim_output, connect, fill_standard_streams
from playstream.pipeline.job.checks import check_options, refuse_empty, select_options
from playstream.pipeline.job.inputs import read_settings
from playstream.pipeline.job.options import JobOptions
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import StatusName
from playstream.pipeline.tree.directories import absolute_path
from playstream.process import Processor
from playstream.process.receiving import feed
from playstream.transmit import Transmitter
from playstream.transmit.sending import JobSource, transmit
from playstream.worker import WorkerOptions
from playstream.worker.cache.defaults import DEFAULT_CACHE_BYTES, OWN_USER
from playstream.worker.cache.senders import check_sender
from playstream.worker.serving import work

_LOGGER = logging.getLogger("playstream")


def init_stage(options: Mapping[str, Any]) -> Runner:
    """Prepare one stage.

    Args:
        options: as for run(), with `streamer`. The process stage ignores unknown options.

    Raises:
        ConfigurationError: an option is invalid.
    """
    fill_standard_streams()
    streamer = options.get("streamer")
    if streamer == "process":
        options = select_options(options, RunOptions)
    refuse_empty(options, RunOptions)
    given = check_options(options, RunOptions, "run")
    check_kept(given, streamer)
    expand_handler(given)
    handlers = take_handlers(given)
    poll = handlers.get("cancel_callback")
    if streamer == "transmit":
        return Runner(make_stage_config(given), work=TransmitWork(given, poll))
    if streamer == "worker":
        return Runner(make_stage_config(given), work=ServingWork(given, make_worker_options(given), poll))
    config = make_process_config(given)
    source = stream_records(given, among_runs=not config.ident)
    return Runner(config, work=make_watched_run(source, handlers))


class TransmitWork:
    """The work of a Runner that sends a job.

    Args:
        options: options of run(), checked.
        cancel_callback: a true result cancels the job; None for none.
    """

    def __init__(self, options: Mapping[str, Any], cancel_callback: CancelCallback | None = None) -> None:
        self._options = options
        self._cancel_callback = cancel_callback

    def run(self, runner: Runner, cancellation: Cancellation) -> None:
        """Write the job and its tree. If it is canceled meanwhile, report that to the worker, which then runs nothing.

        Raises:
            ConfigurationError: the job is invalid; nothing has been written.
            LinkError: the reader has exited, or reads nothing.
            CallbackError: the cancel callback raised an exception.
        """
        dialect = Dialect(self._options.get("dialect", Dialect.PLAYSTREAM))
        with _connection(self._options, cancellation, writes=True) as connection:
            transmitter = Transmitter(
                self._options,
                exclude=self._options.get("exclude", ()),
                only_arguments=bool(self._options.get("only_transmit_kwargs")),
                awaits_galaxy=bool(self._options.get("galaxy")),
            )
            try:
                self._add_galaxy(transmitter, dialect, cancellation)
            except Canceled as canceled:
                runner.note_end(StatusName.CANCELED, explanation=str(canceled), exit_status=CANCELED_EXIT_STATUS)
                return
            source: JobSource = transmitter
            if self._options.get("since"):
                from playstream.transmit.since import with_since  # noqa: PLC0415 - seldom asked for

                source = with_since(transmitter, self._options["since"], dialect)
            transmit(
                source,
                connection,
                dialect=dialect,
                keepalive_seconds=seconds_of(self._options, "keepalive_seconds", DEFAULT_KEEPALIVE_SECONDS),
                liveness_seconds=seconds_of(self._options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS),
                cancellation=cancellation,
                hold=bool(self._options.get("hold")),
                look=_make_poll(self._cancel_callback, cancellation),
            )
            if cancellation.reason is not None:
                runner.note_end(StatusName.CANCELED, explanation=cancellation.reason, exit_status=CANCELED_EXIT_STATUS)

    def _add_galaxy(self, transmitter: Transmitter, dialect: Dialect, cancellation: Cancellation) -> None:
        if self._options.get("galaxy"):
            from playstream.interface.galaxy import add_to_transmitter  # noqa: PLC0415 - seldom asked for

            knows_galaxy = dialect is Dialect.PLAYSTREAM
            add_to_transmitter(
                transmitter, self._options["galaxy"], knows_galaxy=knows_galaxy, cancellation=cancellation
            )


class ServingWork:
    """The work of a Runner that runs a job that it reads.

    Args:
        options: options of run(), checked.
        worker_options: the options of the worker.
        cancel_callback: a true result cancels the job; None for none.
    """

    def __init__(
        self, options: Mapping[str, Any], worker_options: WorkerOptions, cancel_callback: CancelCallback | None = None
    ) -> None:
        self._options = options
        self._worker_options = worker_options
        self._cancel_callback = cancel_callback

    def run(self, runner: Runner, cancellation: Cancellation) -> None:
        """Read the job, run it, and write its results.

        Raises:
            PlaystreamError: the job could not be run, or the cancel callback raised an exception. The error has been
                reported to the other side.
        """
        with _connection(self._options, cancellation, reads=True, writes=True) as connection:
            result = work(
                connection,
                options=self._worker_options,
                cancellation=cancellation,
                poll=_make_poll(self._cancel_callback, cancellation),
            )
        explanation = None if result.explanation is None else name_parameters(result.explanation)
        runner.note_end(result.status, rc=result.exit_status, explanation=explanation, exit_status=result.exit_status)


def make_worker_options(options: Mapping[str, Any]) -> WorkerOptions:
    """Return the worker's options for the options of run().

    Raises:
        ConfigurationError: a limit, or the name of the sender, is invalid.
    """
    directory = options.get("private_data_dir")
    return WorkerOptions(
        None if directory is None else Path(directory),
        keepalive_seconds=seconds_of(options, "keepalive_seconds", DEFAULT_KEEPALIVE_SECONDS),
        liveness_seconds=seconds_of(options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS),
        limits=limits_of(options),
        max_job_seconds=options.get("max_job_seconds"),
        **_cache_options(options),
    )


def _cache_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the worker's options about its cache.

    Raises:
        ConfigurationError: there is none for the other options, or one of them is invalid.
    """
    size, sender = options.get("cache_size"), options.get("sender")
    if options.get("cache") is None:
        for name, value in (("cache_size", size), ("sender", sender)):
            if value is not None:
                raise ConfigurationError(f"{name} concerns the cache of a worker: pass cache too, or omit it")
        return {}
    if size is not None and size < 0:
        raise ConfigurationError(f"cache_size: expected a number of bytes, 0 or more, got {size}")
    return {
        "cache": Path(absolute_path(options["cache"])),
        "cache_size": DEFAULT_CACHE_BYTES if size is None else size,
        "sender": check_sender(OWN_USER if sender is None else sender),
    }


def make_stage_config(options: Mapping[str, Any]) -> RunnerConfig:
    """Return the configuration of a stage: its options, without preparing anything.

    Args:
        options: options of run(), checked.
    """
    return RunnerConfig(options.get("private_data_dir"), **select_options(options, JobOptions))


def make_process_config(options: Mapping[str, Any]) -> RunnerConfig:
    """Return the known configuration of a run on another host; the status `starting` completes it.

    Args:
        options: options of run(), checked.

    Raises:
        ConfigurationError: there is no directory for the artifacts.
    """
    config = make_stage_config(options)
    if config.private_data_dir is None and "artifact_dir" not in options:
        raise ConfigurationError("private_data_dir: expected a directory for the artifacts, got None")
    config.ident = str(options.get("ident", ""))
    if config.private_data_dir is not None:
        config.settings = {**read_settings(Path(config.private_data_dir)), **config.settings}
    if "artifact_dir" in options:
        config.artifact_dir = options["artifact_dir"]
        config.rotate_artifacts = 0  # the directories next to it may belong to others
    return config


def stream_records(
    options: Mapping[str, Any],
    *,
    among_runs: bool,
    explain: Callable[[PlaystreamError], PlaystreamError] = lambda error: error,
) -> RecordSource:
    """Return the source of the records of a stream.

    Args:
        options: options of run(), checked.
        among_runs: whether other runs have their artifacts in the same directory.
        explain: returns the error to report instead of one of the stream.

    Raises:
        ConfigurationError: a limit is invalid.
    """
    limits = limits_of(options)

    @contextmanager
    def open_source(cancellation: Cancellation) -> Iterator[Drive]:
        def drive(processor: Processor, poll: Poll) -> BaseException | None:
            try:
                with _connection(options, cancellation, reads=True) as connection:
                    feed(
                        processor,
                        copied(connection),
                        cancellation,
                        poll,
                        liveness_seconds=seconds_of(options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS),
                        limits=limits,
                    )
            except BaseException as error:  # noqa: BLE001 - raised when the artifacts have been finished
                return explain(error) if isinstance(error, STREAM_ERRORS) else error
            return None

        with copying(options, _LOGGER.warning) as copied:
            yield drive

    return RecordSource(open_source, limits, at_once=False, among_runs=among_runs, completes_config=True)


def _make_poll(cancel_callback: CancelCallback | None, cancellation: Cancellation) -> CancelPoll | None:
    """Return an object that polls the cancel callback, if there is one."""
    return None if cancel_callback is None else CancelPoll(cancel_callback, cancellation.request)


@contextmanager
def _connection(
    options: Mapping[str, Any], cancellation: Cancellation, *, reads: bool = False, writes: bool = False
) -> Iterator[Connection]:
    """Open the connection of a stage: the given files, or else the standard streams.

    The standard streams are claimed, so that nothing else reads or writes them. Errors in the context name parameters.
    """
    with naming_parameters(), ExitStack() as ends:
        reader = writer = None
        if reads:
            reader = ends.enter_context(reading(options["_input"]) if "_input" in options else _closing(claim_input()))
        if writes:
            writer = ends.enter_context(
                writing(options["_output"], cancellation) if "_output" in options else _closing(claim_output())
            )
        yield ends.enter_context(connect(options, _LOGGER.warning, reader=reader, writer=writer))


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
