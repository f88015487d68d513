"""WatchedRun: a run whose records this process receives, from its first status to the last handler."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playstream.interface.display import choose_output, make_display
from playstream.interface.handlers import CancelPoll, Handlers, as_result
from playstream.interface.observer import ObserverFrom, RunObserver
from playstream.interface.rotation import rotate
from playstream.interface.store_observer import StoreObserver, check_store
from playstream.pipeline.errors import CallbackError, IncompleteStream, LinkError, ProtocolError, UnsafePath
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.liveness import check_delivery
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.process import Detached, Observer, Processor, Result

if TYPE_CHECKING:
    from playstream.interface.runner import Runner
    from playstream.pipeline.job.options import StrPath

_logger = logging.getLogger("playstream")
INTERRUPTED_REASON = "interrupted from the keyboard"
STREAM_ERRORS = (ProtocolError, LinkError, UnsafePath)
"""Errors of the records: the run ends with the status `error`, and the other results are kept if possible."""
Poll = Callable[[], None]
MakeProcessor = Callable[..., Processor]
"""Processor, or a class that has its parameters."""
Drive = Callable[[Processor, Poll], "BaseException | None"]
"""Passes every record of a run to the processor, and polls meanwhile. Returns the error that ended the run, or None."""


@dataclass(frozen=True, slots=True)
class RecordSource:
    """The source of the records of a run, and what has to be known before the first one arrives."""

    open: Callable[[Cancellation], AbstractContextManager[Drive]]
    """Prepares the source. What it needs is kept until the context ends, and then removed."""
    limits: Limits = DEFAULT_LIMITS
    at_once: bool = True
    """Whether to replace an earlier run's artifacts before the first record arrives."""
    among_runs: bool = False
    """Whether other runs have their artifacts in the same directory; see ArtifactDir."""
    completes_config: bool = False
    """Whether the configuration takes `command`, `cwd` and `env` from the status `starting`."""
    first_event: int = 0
    """The counter of the first event that is shown and that the handlers get."""


class WatchedRun:
    """The work of a Runner that receives the records of a run: artifacts, display, handlers and store.

    Args:
        source: the source of the records.
        handlers: the caller's functions.
        store: URL of a store to write the run to when it ends; None for none.
        label: the label of the run in the store.
        store_events: keep the events in the store too.
        capture: a new file for a capture of the results; None for none.
        force: replace that file if it exists.

    Raises:
        ConfigurationError: there is no store for the label or the events.
    """

    def __init__(
        self,
        source: RecordSource,
        handlers: Handlers,
        store: str | None = None,
        *,
        label: str | None = None,
        store_events: bool = False,
        capture: StrPath | None = None,
        force: bool = False,
    ) -> None:
        self._source = source
        self._handlers = handlers
        self._store = store
        self._label = label
        self._store_events = store_events
        check_store(store, label=label, store_events=store_events)
        self._capture = capture
        self._force = force

    def run(self, runner: Runner, cancellation: Cancellation) -> None:
        """Receive every record in this thread, and call the handlers here; see Runner.run."""
        if self._capture is None:
            self._run(runner, cancellation, Processor)
            return
        from playstream.captures.keeping import CapturedProcessor, KeptFile, RecordCapture  # noqa: PLC0415 - optional

        with KeptFile(Path(self._capture), "capture", force=self._force, warn=_logger.warning) as file:
            self._run(runner, cancellation, partial(CapturedProcessor, RecordCapture(file)))

    def _run(self, runner: Runner, cancellation: Cancellation, make_processor: MakeProcessor) -> None:
        observer = RunObserver(runner, self._handlers, completes_config=self._source.completes_config)
        first = self._source.first_event
        taker = ObserverFrom(first, observer) if first else observer
        if self._store is None:
            self._receive(runner, cancellation, observer, taker, None, make_processor)
            return
        directory = runner.config.private_data_dir
        warn = _logger.warning if self._store_events else None
        with closing(
            StoreObserver(self._store, taker, cancellation, label=self._label, directory=directory, warn=warn)
        ) as store_observer:
            self._receive(runner, cancellation, observer, store_observer, store_observer, make_processor)

    def _receive(
        self,
        runner: Runner,
        cancellation: Cancellation,
        observer: RunObserver,
        taker: Observer,
        store_observer: StoreObserver | None,
        make_processor: MakeProcessor,
    ) -> None:
        error: BaseException | None
        store_error: BaseException | None = None
        spared = False
        owner = os.getpid()
        config = runner.config
        with self._source.open(cancellation) as drive:
            poll = CancelPoll(self._handlers.cancel_callback, cancellation.request)

            def look() -> None:
                poll()
                check_delivery("the reader of the output", cancellation)

            observer.show_on(make_display(config, look))
            processor = self._make_processor(make_processor, runner, taker)
            error = drive(processor, poll)
            if isinstance(error, Detached):
                processor.leave()
                runner.note_detached(str(error))
                self._handlers.finished(runner)
                if error.__cause__ is not None:
                    raise error.__cause__
                return
            if isinstance(error, CallbackError):
                observer.mute()
            try:
                result = _finish(processor, error, cancellation)
                spared = result.spared
                runner.note_end(
                    result.status,
                    rc=result.rc,
                    explanation=result.explanation,
                    exit_status=result.exit_status,
                    spared=spared,
                )
            except BaseException as caught:  # the caller's status handler may raise anything
                if os.getpid() != owner:
                    raise  # a child that it has forked
                runner.fail(error or caught)
                error = caught if error is None or _is_reported(error, observer) else error
            if store_observer is not None:
                store_error = store_observer.save(
                    config.ident, runner.status, runner.rc, runner.explanation, runner.artifact_path
                )
            if not spared:
                rotate(config.artifact_base, config.rotate_artifacts)
        if error is not None and _is_reported(error, observer):
            error = None
        if error is not None and store_error is not None:
            _logger.warning("run %s: %s", config.ident, store_error)
        try:
            if not spared:
                self._handlers.artifacts(config.artifact_dir)
        finally:
            self._handlers.finished(runner)
        _raise_error(error or store_error or observer.output_error, runner, processor)

    def _make_processor(self, make: MakeProcessor, runner: Runner, observer: Observer) -> Processor:
        config = runner.config
        return make(
            runner.artifact_path,
            observer,
            among_runs=self._source.among_runs,
            output=choose_output(config),
            keep_stdout=not config.suppress_output_file,
            follow_links=config.follow_links,
            at_once=self._source.at_once,
            link_latest=config.links_latest,
            limits=self._source.limits,
        )


def make_watched_run(source: RecordSource, options: Mapping[str, Any]) -> WatchedRun:
    """Return a WatchedRun with the options of a Runner that are not part of its configuration.

    Args:
        source: the source of the records.
        options: as returned by `take_handlers`.
    """
    handlers = dict(options)
    kept = {
        name: handlers.pop(name) for name in ("store", "label", "store_events", "capture", "force") if name in handlers
    }
    return WatchedRun(source, Handlers(**handlers), **kept)


def _is_reported(error: BaseException, observer: RunObserver) -> bool:
    """Return whether the status reports the error: one of the records, not one of a handler."""
    return error is not observer.error and isinstance(error, STREAM_ERRORS)


def _finish(processor: Processor, error: BaseException | None, cancellation: Cancellation) -> Result:
    if isinstance(error, KeyboardInterrupt):
        return processor.finish(interrupted=INTERRUPTED_REASON)
    if error is None:
        return processor.finish(interrupted=cancellation.reason)
    return processor.finish(as_result(error))


def _raise_error(error: BaseException | None, runner: Runner, processor: Processor) -> None:
    """Raise the error of the run, if there is one.

    Raises:
        IncompleteStream: events are missing, with `check_job_event_data`.
    """
    if error is not None:
        raise error
    if runner.config.check_job_event_data and processor.missing_events:
        raise IncompleteStream(
            f"{processor.missing_events} events of the run are missing, although it ended with status {runner.status}"
        )
