"""Run one stage of a pipeline on file objects: run(streamer=…)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playstream.interface.config import RunnerConfig
from playstream.interface.event_handler import expand_handler
from playstream.interface.handlers import CancelPoll, take_handlers
from playstream.interface.options import CancelCallback, RunOptions
from playstream.interface.runner import Drive, Runner
from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.encryption import check_hold
from playstream.pipeline.io.files import reading, writing
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS, seconds_of
from playstream.pipeline.io.stdio import Connection, claim_input, claim_output, connect, fill_standard_streams
from playstream.pipeline.job.checks import check_options, refuse_empty, select_options
from playstream.pipeline.job.inputs import read_settings
from playstream.pipeline.job.options import JobOptions
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import Status, StatusName
from playstream.process import Processor
from playstream.process.receiving import feed
from playstream.transmit.sending import transmit
from playstream.worker import WorkerOptions
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
    expand_handler(given)
    handlers = take_handlers(given)
    if streamer == "transmit":
        return TransmitRunner(given, handlers.get("cancel_callback"))
    if streamer == "worker":
        return WorkRunner(given, handlers.get("cancel_callback"))
    return ProcessRunner(ProcessConfig(given), **handlers)


class _Stage(Runner):
    """A stage whose results are sent to another stage."""

    def __init__(self, options: dict[str, Any], cancel_callback: CancelCallback | None = None) -> None:
        super().__init__(_StageConfig(options))
        self._options = options
        self._cancel_callback = cancel_callback

    def _poll(self, cancellation: Cancellation) -> CancelPoll | None:
        """Return an object that polls the cancel callback, if there is one."""
        return None if self._cancel_callback is None else CancelPoll(self._cancel_callback, cancellation.request)


class TransmitRunner(_Stage):
    """Sends a job."""

    def run(self) -> tuple[str, int | None]:
        """Write the job and its tree. If it is canceled meanwhile, tell the worker, which then runs nothing.

        Raises:
            ConfigurationError: the job is invalid; nothing has been written.
            LinkError: the reader has gone, or reads nothing.
            CallbackError: the cancel callback raised an exception.
        """
        stays = bool(self._options.get("hold"))
        check_hold(self._options)
        with (
            self._begun() as cancellation,
            _connection(self._options, cancellation, writes=True) as connection,
        ):
            transmit(
                self._options,
                connection,
                only_arguments=bool(self._options.get("only_transmit_kwargs")),
                dialect=Dialect(self._options.get("dialect", Dialect.PLAYSTREAM)),
                keepalive_seconds=seconds_of(self._options, "keepalive_seconds", DEFAULT_KEEPALIVE_SECONDS),
                liveness_seconds=seconds_of(self._options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS),
                cancellation=cancellation,
                hold=stays,
                look=self._poll(cancellation),
            )
            if cancellation.reason is not None:
                self.status, self.explanation = StatusName.CANCELED.value, cancellation.reason
                self.exit_status = CANCELED_EXIT_STATUS
        return self.status, self.rc


class WorkRunner(_Stage):
    """Runs a job that it reads."""

    def _make_options(self) -> WorkerOptions:
        directory = self._options.get("private_data_dir")
        return WorkerOptions(
            None if directory is None else Path(directory),
            keepalive_seconds=seconds_of(self._options, "keepalive_seconds", DEFAULT_KEEPALIVE_SECONDS),
            liveness_seconds=seconds_of(self._options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS),
            limits=limits_of(self._options),
            max_job_seconds=self._options.get("max_job_seconds"),
        )

    def run(self) -> tuple[str, int | None]:
        """Read the job, run it, and write its results.

        Raises:
            PlaystreamError: the job could not be run, or the cancel callback raised an exception. The error has been
                reported to the other side.
        """
        worker_options = self._make_options()
        with (
            self._begun() as cancellation,
            _connection(self._options, cancellation, reads=True, writes=True) as connection,
        ):
            served = work(connection, options=worker_options, cancellation=cancellation, poll=self._poll(cancellation))
        self.status, self.rc = served.status.value, served.exit_status
        self.exit_status, self.explanation = served.exit_status, served.explanation
        return self.status, self.rc


class _StageConfig(RunnerConfig):
    """The configuration of a stage that needs no preparation."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        given = select_options(options, JobOptions)
        self._configure(options.get("private_data_dir"), given)
        self.stage_options = dict(options)

    @property
    def prepared(self) -> bool:
        return True

    def prepare(self) -> None:
        """Do nothing."""


class ProcessConfig(_StageConfig):
    """The known configuration of a run on another host; the status `starting` sets `command`, `cwd` and `env`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if self.private_data_dir is None and "artifact_dir" not in options:
            raise ConfigurationError("private_data_dir: expected a directory for the artifacts, got None")
        self.ident = str(options.get("ident", ""))
        if self.private_data_dir is not None:
            self.settings = {**read_settings(Path(self.private_data_dir)), **self.settings}

    @property
    def artifact_base(self) -> Path | None:
        """The directory that contains the artifact directories of runs; None if `artifact_dir` was given."""
        return super().artifact_base if self._given_artifact_dir is None else None

    @property
    def artifact_dir(self) -> str:
        """The directory of the artifacts: `artifact_dir` if it was given, else `artifacts/` with the run's name."""
        return super().artifact_dir if self._given_artifact_dir is None else str(self._given_artifact_dir)


class ProcessRunner(Runner):
    """Rebuilds a run from its stream."""

    _begins_at_once = False

    def __init__(self, config: ProcessConfig, **handlers: Any) -> None:
        super().__init__(config, **handlers)
        self._options = config.stage_options
        self._among_runs = not config.ident
        self._limits = limits_of(self._options)

    def note_status(self, status: Status) -> None:
        super().note_status(status)
        if status.command is not None:
            self.config.command = list(status.command)
            self.config.env = dict(status.env or {})
            self.config.cwd = status.cwd or ""

    def _make_drive(self, cancellation: Cancellation) -> Drive:
        def drive(processor: Processor, poll: CancelPoll) -> BaseException | None:
            try:
                with _connection(self._options, cancellation, reads=True) as connection:
                    feed(
                        processor,
                        connection,
                        cancellation,
                        poll,
                        liveness_seconds=seconds_of(self._options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS),
                        limits=self._limits,
                    )
            except BaseException as error:  # noqa: BLE001 - raised when the artifacts have been finished
                return error
            return None

        return drive


@contextmanager
def _connection(
    options: Mapping[str, Any], cancellation: Cancellation, *, reads: bool = False, writes: bool = False
) -> Iterator[Connection]:
    """Open the connection of a stage: the given files, or else the standard streams.

    The standard streams are claimed, so that nothing else reads or writes them.
    """
    with ExitStack() as ends:
        reader = writer = None
        if reads:
            reader = ends.enter_context(reading(options["_input"]) if "_input" in options else _closing(claim_input()))
        if writes:
            writer = ends.enter_context(
                writing(options["_output"], cancellation) if "_output" in options else _closing(claim_output())
            )
        yield ends.enter_context(
            connect(
                options,
                _LOGGER.warning,
                reader=reader,
                writer=writer,
                results=reads,
                cancellation=cancellation,
                liveness_seconds=seconds_of(options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS),
            )
        )


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
