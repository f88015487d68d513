"""Runner: one run, from its options to its results."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playstream.interface.config import RunnerConfig
from playstream.interface.display import choose_output, make_display
from playstream.interface.event_handler import expand_handler
from playstream.interface.event_log import EventLog
from playstream.interface.handlers import CancelPoll, Handlers, as_result, take_handlers
from playstream.interface.local import INTERRUPTED_REASON, STREAM_ERRORS, LocalRun
from playstream.interface.logs import set_up_logging
from playstream.interface.observer import RunObserver
from playstream.interface.options import RunOptions
from playstream.interface.results import Results
from playstream.interface.rotation import rotate
from playstream.interface.run_code import RunCode
from playstream.interface.store_observer import StoreObserver
from playstream.pipeline.errors import (
    CANCELED_EXIT_STATUS,
    CallbackError,
    ConfigurationError,
    IncompleteStream,
)
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.liveness import check_delivery
from playstream.pipeline.job.checks import check_options, refuse_empty, select_options
from playstream.pipeline.job.options import JobOptions
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import Status, StatusName
from playstream.process import Processor, Result
from playstream.process.event_data import STATS, data_of
from playstream.process.summary import summarize

if TYPE_CHECKING:
    from playstream.interface.options import (
        ArtifactsHandler,
        CancelCallback,
        EventFunction,
        FinishedCallback,
        StatusHandler,
    )

_logger = logging.getLogger("playstream")
_ACTIVE = (StatusName.STARTING.value, StatusName.RUNNING.value)
Drive = Callable[[Processor, CancelPoll], "BaseException | None"]


def make_runner(options: Mapping[str, Any], cancellation: Cancellation | None = None) -> Runner:
    """Make everything ready for a run, as `init_runner` does.

    Args:
        options: as those of run().
        cancellation: asks for the end of the job; None for none but the runner's own.
    """
    if options.get("streamer"):
        from playstream.interface.streaming import init_stage  # noqa: PLC0415 - a local run needs none of it

        return init_stage(options)
    job_options = select_options(options, JobOptions)  # RunnerConfig checks them
    others = {name: value for name, value in options.items() if name not in job_options}
    refuse_empty(others, RunOptions)
    given = check_options(others, RunOptions, "run")
    expand_handler(given)
    handlers = take_handlers(given)
    # The rest is logging's, or one stage's alone, and means nothing to a run on this host.
    config = RunnerConfig(given.get("private_data_dir"), **job_options)
    set_up_logging(given)
    config.prepare()
    return Runner(config, cancellation=cancellation, **handlers)


class Runner(Results):
    """Runs the job of a RunnerConfig, and provides its results. `run()` and similar functions return one.

    Args:
        config: what to run; prepared by `run` if necessary.
        cancel_callback: called at least once a second; a true result cancels the job.
        event_handler: called with each event; a false result drops the event.
        status_handler: called with each status and `runner_config=config`.
        artifacts_handler: called with the path of the artifact directory when it is complete.
        finished_callback: called with this object at the end.
        store: URL of a store to write the run to when it ends.
        cancellation: a request to cancel the job, like `cancel`; None creates one.

    Attributes:
        config: the configuration.
        status: `unstarted`, `starting`, `running`, `successful`, `failed`, `canceled`, `timeout` or `error`. The last
            five mean that the artifacts are complete.
        rc: Ansible's return code; 128 + N if it was killed by signal N, 254 if the job was canceled or timed out, None
            while it is unknown.
        explanation: a message: why the job was canceled, which limit expired, what went wrong.
        exit_status: the exit status of a command that shows this run; see docs/errors.md. 0 means that `status` is
            successful and `rc` is 0. None while the run is active.

    Example:
        >>> runner = Runner(RunnerConfig(private_data_dir="demo", playbook="site.yml"))  # doctest: +SKIP
        >>> runner.run()  # doctest: +SKIP
        ('successful', 0)
    """

    _among_runs = False
    """See ArtifactDir; the worker's part of a run on this host is trusted."""
    _begins_at_once = True
    """Whether to replace an earlier run's artifacts before the first record of this one arrives."""

    def __init__(
        self,
        config: RunnerConfig,
        cancel_callback: CancelCallback | None = None,
        *,
        event_handler: EventFunction | None = None,
        status_handler: StatusHandler | None = None,
        artifacts_handler: ArtifactsHandler | None = None,
        finished_callback: FinishedCallback | None = None,
        store: str | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self._handlers = Handlers(event_handler, status_handler, cancel_callback, artifacts_handler, finished_callback)
        self._store = store
        self.status: str = StatusName.UNSTARTED.value
        self.rc: int | None = None
        self.explanation: str | None = None
        self.exit_status: int | None = None
        self._limits = DEFAULT_LIMITS
        self._given_cancellation = cancellation
        self._cancellation = cancellation or Cancellation()
        self._active = threading.Lock()
        """Held while the run is active."""
        self._under_way = threading.Event()
        self._done = threading.Event()

    @property
    def artifact_path(self) -> Path:
        """The directory of the artifacts."""
        return Path(self.config.artifact_dir)

    @property
    def _fact_cache_dir(self) -> Path:
        if self.config.fact_cache is None:
            raise ConfigurationError(
                f"expected fact_cache_type 'jsonfile' to read and write facts, got {self.config.fact_cache_type!r}"
            )
        return Path(self.config.fact_cache)

    @property
    def errored(self) -> bool:
        """True if the job could not be run or watched to its end."""
        return self.status == StatusName.ERROR.value

    @property
    def canceled(self) -> bool:
        """True if the job was canceled."""
        return self.status == StatusName.CANCELED.value

    @property
    def timed_out(self) -> bool:
        """True if a time limit ended the job; `explanation` says which."""
        return self.status == StatusName.TIMEOUT.value

    @property
    def run_code(self) -> RunCode | None:
        """The meaning of `rc` as flags. None while the run is active.

        Example:
            >>> runner.run_code  # doctest: +SKIP
            <RunCode.FAILED_HOSTS|UNREACHABLE_HOSTS: 6>
        """
        return RunCode.of(self.rc) if self._done.is_set() else None

    def summary(self) -> dict[str, Any]:
        """Return the outcome of the run by host and by task, from the kept events, as JSON data.

        Returns:
            `ident`, `status`, `rc`, `summary` (counts by host), `task_summary` (results by host, each with task,
            action, path, duration in seconds and res), `custom_stats`, `changed_facts`. docs/results.md shows one.

        Raises:
            JobError: the file of an event was removed or damaged.

        Example:
            >>> runner.summary()["summary"]["node1"]["failures"]  # doctest: +SKIP
            0
        """
        return summarize(self.events, ident=self.config.ident, status=self.status, rc=self.rc)

    def cancel(self, reason: str = "canceled by the caller") -> None:
        """Cancel the job, from any thread. There is no effect if the job has ended.

        Args:
            reason: a message, which becomes `explanation`.
        """
        if not self._done.is_set():
            self._cancellation.request(reason)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a run in another thread to end.

        Args:
            timeout: seconds; None waits without a limit.

        Returns:
            Whether the run has ended.
        """
        return self._done.wait(timeout)

    def wait_for_start(self, timeout: float) -> bool:
        """Wait until a run in another thread has started, or has ended.

        Args:
            timeout: seconds.

        Returns:
            Whether it has started or ended.
        """
        return self._under_way.wait(timeout)

    def expect_events(self) -> None:
        """Make readers of `events` wait for the run that is about to begin in another thread."""
        if self._log.ended:  # an earlier run of this object
            self._log = EventLog()
            self._done.clear()
            self._under_way.clear()
        self._stats = None
        self._spared = False
        self._log.begin()

    def note_event(self, name: str, event: dict[str, Any]) -> None:
        """Record that an event was kept. Called by the run itself."""
        if event.get("event") == STATS:
            self._stats = data_of(event)
        self._log.add(name)

    def note_status(self, status: Status) -> None:
        """Record a new status of the job. Called by the run itself."""
        # A final status is only set when the artifacts are complete, because clients poll it and then read them.
        if not status.status.terminal:
            self.status = status.status.value
        if status.status is not StatusName.STARTING:
            self._under_way.set()

    def run(self) -> tuple[str, int | None]:
        """Run the job to its end in this thread. Handlers are called here too.

        Returns:
            `status` and `rc`.

        Raises:
            ConfigurationError: the job is invalid, or this run is already active; nothing has run.
            CallbackError: a cancel callback, artifacts handler or finished callback raised an exception. Exceptions of
                the event and status handlers are raised unchanged. The job was stopped, and earlier results are kept.
            JobError: the artifacts cannot be written.
            OutputError: the output or the log cannot be written; the artifacts are complete.
            StoreError: the run cannot be written to the store: nothing has run, or the artifacts are kept.
            IncompleteStream: events are missing, with `check_job_event_data`.
        """
        begun = False
        try:
            with self._begun() as cancellation:
                begun = True
                self.expect_events()
                self._log.write_from_here()
                self._run(cancellation)
        except BaseException as error:
            if begun and self.status in _ACTIVE:  # programs poll it
                self.fail(error)
            raise
        finally:
            if begun:
                self._log.end()
                self._done.set()
                self._under_way.set()
        return self.status, self.rc

    @contextmanager
    def _begun(self) -> Iterator[Cancellation]:
        """Reserve this object for one run while the context lasts; yield the cancellation of the run.

        Raises:
            ConfigurationError: it is already running.
        """
        if not self._active.acquire(blocking=False):
            raise ConfigurationError(
                "this run is active, so a handler or another thread cannot start it again. Wait for it to end, or "
                "create another Runner"
            )
        try:
            yield self._cancellation
        finally:
            if self._given_cancellation is None:
                self._cancellation.close()
                self._cancellation = Cancellation()  # a request for this run does not apply to the next
            self._active.release()

    def _run(self, cancellation: Cancellation) -> None:
        observer = RunObserver(self, self._handlers)
        if self._store is None:
            self._run_watched(cancellation, observer, None)
            return
        with closing(StoreObserver(self._store, observer, cancellation)) as store_observer:
            self._run_watched(cancellation, observer, store_observer)

    def _run_watched(
        self, cancellation: Cancellation, observer: RunObserver, store_observer: StoreObserver | None
    ) -> None:
        error: BaseException | None
        store_error: BaseException | None = None
        owner = os.getpid()
        try:
            self.config.make_ready()
            poll = CancelPoll(self._handlers.cancel_callback, cancellation.request)

            def look() -> None:
                poll()
                check_delivery("the reader of the output", cancellation)

            observer.show_on(make_display(self.config, look))
            drive = self._make_drive(cancellation)
            processor = Processor(
                self.artifact_path,
                store_observer or observer,
                among_runs=self._among_runs,
                output=choose_output(self.config),
                keep_stdout=not self.config.suppress_output_file,
                follow_links=self.config.follow_links,
                at_once=self._begins_at_once,
                limits=self._limits,
            )
            error = drive(processor, poll)
            if isinstance(error, CallbackError):
                observer.mute()
            try:
                self._take(_finish(processor, error, cancellation))
            except BaseException as caught:  # the caller's status handler may raise anything
                if os.getpid() != owner:
                    raise  # a child that it has forked
                self.fail(error or caught)
                error = caught if error is None or _is_reported(error, observer) else error
            if store_observer is not None:
                store_error = store_observer.save(
                    self.config.ident, self.status, self.rc, self.explanation, self.artifact_path
                )
            if not self._spared:
                rotate(self.config.artifact_base, self.config.rotate_artifacts)
        finally:
            self.config.release()
        if error is not None and _is_reported(error, observer):
            error = None
        if error is not None and store_error is not None:
            _logger.warning("run %s: %s", self.config.ident, store_error)
        self._conclude(error or store_error or observer.output_error, processor)

    def _take(self, result: Result) -> None:
        """Take over the result of the run."""
        self.rc, self.explanation, self.exit_status = result.rc, result.explanation, result.exit_status
        self._spared = result.spared
        self.status = result.status.value

    def fail(self, error: BaseException) -> None:
        """Set the status from an exception. Called by the run itself, and if the exception cannot be raised."""
        if isinstance(error, KeyboardInterrupt):
            self.explanation, self.exit_status = INTERRUPTED_REASON, CANCELED_EXIT_STATUS
            self.status = StatusName.CANCELED.value
            return
        result = as_result(error)
        self.explanation, self.exit_status = str(result), result.exit_status
        self.status = StatusName.ERROR.value

    def _make_drive(self, cancellation: Cancellation) -> Drive:
        """Return a function that passes every record of the run to the processor and returns an exception or None."""
        return LocalRun(self.config.make_execution, cancellation).run

    def _conclude(self, error: BaseException | None, processor: Processor) -> None:
        """Call the last handlers, and raise the error of the run."""
        try:
            if not self._spared:
                self._handlers.artifacts(self.config.artifact_dir)
        finally:
            self._handlers.finished(self)
        if error is not None:
            raise error
        if self.config.check_job_event_data and processor.missing_events:
            raise IncompleteStream(
                f"{processor.missing_events} events of the run are missing, although it ended with status {self.status}"
            )


def _is_reported(error: BaseException, observer: RunObserver) -> bool:
    """Return whether the status reports the error: one of the records, not one of a handler."""
    return error is not observer.error and isinstance(error, STREAM_ERRORS)


def _finish(processor: Processor, error: BaseException | None, cancellation: Cancellation) -> Result:
    if isinstance(error, KeyboardInterrupt):
        return processor.finish(interrupted=INTERRUPTED_REASON)
    if error is None:
        return processor.finish(interrupted=cancellation.reason)
    return processor.finish(as_result(error))
