"""Runner: one run, from its options to its results."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from playstream.interface.config import RunnerConfig
from playstream.interface.describing import make_html, quote
from playstream.interface.event_handler import expand_handler
from playstream.interface.handlers import Handlers, as_result, check_kept, take_handlers
from playstream.interface.local import local_records
from playstream.interface.logs import set_up_logging
from playstream.interface.mesh_terms import OF_MESH, ask_mesh
from playstream.interface.options import RunOptions
from playstream.interface.results import Results
from playstream.interface.run_code import RunCode
from playstream.interface.watched_run import INTERRUPTED_REASON, WatchedRun
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError, JobError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.job.checks import check_options, refuse_empty, select_options
from playstream.pipeline.job.options import JobOptions
from playstream.pipeline.protocol import Status, StatusName
from playstream.process.event_data import STATS
from playstream.process.summary import Summary, summarize

if TYPE_CHECKING:
    from playstream.interface.options import (
        ArtifactsHandler,
        CancelCallback,
        EventFunction,
        FinishedCallback,
        StatusHandler,
    )
    from playstream.pipeline.job.options import StrPath
    from playstream.pipeline.tree.meter import Meters
    from playstream.worker.user_terminal import UserTerminal

_ACTIVE = (StatusName.STARTING.value, StatusName.RUNNING.value)


DETACHED_EXIT_STATUS = 130
"""As of a program that Ctrl-C has ended, although the job goes on."""
_OF_LINK = ("on", "bootstrap", "wheels")
"""Options that choose the link to another host."""


class Work(Protocol):
    """What a Runner runs: a job with its results, or one stage."""

    def run(self, runner: Runner, cancellation: Cancellation) -> None:
        """Do the work in this thread, and report the state to the runner.

        Args:
            runner: its `note_…` methods receive the state.
            cancellation: a request to cancel the work.
        """


def make_runner(
    options: Mapping[str, Any],
    cancellation: Cancellation | None = None,
    user_terminal: UserTerminal | None = None,
    meters: Meters | None = None,
) -> Runner:
    """Prepare a run, as `init_runner` does.

    Args:
        options: as for run().
        cancellation: requests the end of the job; None for only the runner's own.
        user_terminal: the terminal whose keys go to the job, and whose size the job's has; None for none.
        meters: count what is installed, sent and unpacked; None for nothing.

    Raises:
        PlaystreamError: the run cannot be prepared; nothing has run.
        Canceled: the cancellation was requested while collections and roles were installed.
    """
    of_link = check_options({name: options.get(name) for name in _OF_LINK}, RunOptions, "run")
    of_mesh = check_options({name: options.get(name) for name in OF_MESH}, RunOptions, "run")
    refuse_empty({**of_link, **of_mesh}, RunOptions)
    on = of_link.pop("on", None)
    if options.get("streamer"):
        for name, value in {"on": on, **of_link, **of_mesh}.items():
            if value:
                raise ConfigurationError(f"{name}: cannot be combined with streamer, which runs a single stage here")
        from playstream.interface.streaming import init_stage  # noqa: PLC0415 - a local run needs none of it

        return init_stage(options)
    options = {name: value for name, value in options.items() if name not in (*_OF_LINK, *OF_MESH)}
    if on is not None:
        from playstream.links import find_link  # noqa: PLC0415 - as above

        link = find_link(on, **of_link)
        ask_mesh(link, of_mesh)
        if link is not None:
            from playstream.interface.remote import make_remote_runner  # noqa: PLC0415

            return make_remote_runner(options, link, cancellation, meters, user_terminal)
    elif any(of_link.values()):
        raise ConfigurationError(f"{next(iter(of_link))}: concerns another host: pass on too, or omit it")
    else:
        ask_mesh(None, of_mesh)
    job_options = select_options(options, JobOptions)  # RunnerConfig checks them
    others = {name: value for name, value in options.items() if name not in job_options}
    refuse_empty(others, RunOptions)
    given = check_options(others, RunOptions, "run")
    check_kept(given, None)
    expand_handler(given)
    handlers = take_handlers(given)
    # The other options are for logging or for single stages, and do not apply to a run on this host.
    config = RunnerConfig(given.get("private_data_dir"), **job_options)
    set_up_logging(given)
    config.user_terminal = user_terminal
    config.galaxy, config.galaxy_cancellation = given.get("galaxy"), cancellation
    config.galaxy_meter = None if meters is None else meters.installing
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
        label: the label of the run in the store.
        store_events: keep the events in the store too.
        capture: a new file for a capture of the results; None for none.
        force: replace that file if it exists.
        cancellation: a request to cancel the job, like `cancel`; None creates one.
        work: what to run instead of the job on this host; the handlers, the store and the capture are then its own.

    Attributes:
        config: the configuration.
        status: `unstarted`, `starting`, `running`, `successful`, `failed`, `canceled`, `timeout` or `error`. The last
            five mean that the artifacts are complete.
        rc: Ansible's return code; 128 + N if it was killed by signal N, 254 if the job was canceled or timed out, None
            while it is unknown.
        explanation: a message: which hosts failed at which task and why, why the job was canceled, which limit expired,
            what went wrong; None if there is nothing to explain.
        exit_status: the exit status of a command that shows this run; see docs/errors.md. 0 means that `status` is
            successful and `rc` is 0. None while the run is active.

    Example:
        >>> runner = Runner(RunnerConfig(private_data_dir="demo", playbook="site.yml"))  # doctest: +SKIP
        >>> runner.run()  # doctest: +SKIP
        ('successful', 0)
    """

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
        label: str | None = None,
        store_events: bool = False,
        capture: StrPath | None = None,
        force: bool = False,
        cancellation: Cancellation | None = None,
        work: Work | None = None,
    ) -> None:
        super().__init__(config)
        handlers = Handlers(event_handler, status_handler, cancel_callback, artifacts_handler, finished_callback)
        self._work = work or WatchedRun(
            local_records(config),
            handlers,
            store,
            label=label,
            store_events=store_events,
            capture=capture,
            force=force,
        )
        self.status: str = StatusName.UNSTARTED.value
        self.rc: int | None = None
        self.explanation: str | None = None
        self.exit_status: int | None = None
        self._given_cancellation = cancellation
        self._cancellation = cancellation or Cancellation()
        self._active = threading.Lock()
        """Held while the run is active."""
        self._under_way = threading.Event()
        self._done = threading.Event()

    def __repr__(self) -> str:
        """Say what was run and how it ended. The repr contains no arguments, variables or passwords."""
        what = f" ({job})" if (job := self.config.describe()) else ""
        rc = "" if self.rc is None else f", rc {self.rc}"
        return f"<{type(self).__name__} {quote(self.config.ident)}{what}: {self.status}{rc}>"

    def _repr_html_(self) -> str:
        """Return the status, the counts of the hosts and the explanation as a table, which notebooks show."""
        title = f"{type(self).__name__} {quote(self.config.ident)}"
        rows = {"runs": self.config.describe() or None, "status": self.status, "rc": self.rc}
        return make_html(title, [*rows.items(), ("explanation", self.explanation)], self._host_counts())

    def _host_counts(self) -> dict[str, dict[str, int]] | None:
        """Return the counts of each host; None during the run, or if its events are gone."""
        if not self._done.is_set():
            return None
        summary = Summary(keep=lambda *_: None)
        stats = self.stats
        try:
            for event in self.events if stats is None else [{"event": STATS, "event_data": stats}]:
                summary.add(event)
        except JobError:
            return None
        return summary.counts

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
    def run_code(self) -> RunCode:
        """The meaning of `rc` as flags: UNKNOWN_ERROR before the end of the run, and if `rc` is unknown.

        Example:
            >>> runner.run_code  # doctest: +SKIP
            <RunCode.FAILED_HOSTS|UNREACHABLE_HOSTS: 6>
        """
        return RunCode.of(self.rc if self._done.is_set() else None)

    def summary(self) -> dict[str, Any]:
        """Return the outcome of the run by host and by task, from the kept events, as JSON data.

        Returns:
            `ident`, `status`, `rc`, `explanation`, `summary` (counts by host), `task_summary` (results by host, each
            with task, action, path, duration in seconds and res), `custom_stats`, `changed_facts`. docs/results.md
            shows one.

        Raises:
            JobError: the file of an event was removed or damaged.

        Example:
            >>> runner.summary()["summary"]["node1"]["failures"]  # doctest: +SKIP
            0
        """
        return summarize(
            self.events, ident=self.config.ident, status=self.status, rc=self.rc, explanation=self.explanation
        )

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
        if self._done.is_set():  # an earlier run of this object
            self._done.clear()
            self._under_way.clear()
        super().expect_events()

    def note_status(self, status: Status) -> None:
        """Record a new status of the job. Called by the run itself."""
        # A final status is only set when the artifacts are complete, because clients poll it and then read them.
        if not status.status.terminal:
            self.status = status.status.value
        if status.status is not StatusName.STARTING:
            self._under_way.set()

    def note_end(
        self,
        status: StatusName,
        *,
        rc: int | None = None,
        explanation: str | None = None,
        exit_status: int | None = None,
        spared: bool = False,
    ) -> None:
        """Record the end of the run. Called by the run itself.

        Args:
            status: the final status.
            rc: Ansible's return code.
            explanation: the reason for the status.
            exit_status: the exit status of a command that shows this run.
            spared: whether the artifacts are those of an earlier run, because this one never began.
        """
        self.rc, self.explanation, self.exit_status = rc, explanation, exit_status
        self.note_spared(spared)
        self.status = status.value  # last, because clients poll it

    def note_detached(self, explanation: str) -> None:
        """Record that this side reads no more, while the run goes on elsewhere. Called by the run itself."""
        self.explanation, self.exit_status = explanation, DETACHED_EXIT_STATUS

    def fail(self, error: BaseException) -> None:
        """Set the status from an exception. Called by the run itself, and if the exception cannot be raised."""
        if isinstance(error, KeyboardInterrupt):
            self.explanation, self.exit_status = INTERRUPTED_REASON, CANCELED_EXIT_STATUS
            self.status = StatusName.CANCELED.value
            return
        result = as_result(error)
        self.explanation, self.exit_status = str(result), result.exit_status
        self.status = StatusName.ERROR.value

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
                self.begin_events()
                self._work.run(self, cancellation)
        except BaseException as error:
            if begun and self.status in _ACTIVE:  # programs poll it
                self.fail(error)
            raise
        finally:
            if begun:
                self.end_events()
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
