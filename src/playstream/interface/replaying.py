"""Calling handlers as a run did that is kept: replay()."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Unpack

from playstream.captures.artifacts import find_artifacts
from playstream.captures.finding import NamedRun, find_run
from playstream.captures.pacing import Pace, check_speed
from playstream.captures.pieces import Lack
from playstream.captures.runs import RunAtRest
from playstream.interface.config import RunnerConfig
from playstream.interface.event_handler import expand_handler
from playstream.interface.handlers import check_kept, take_handlers
from playstream.interface.logs import set_up_logging
from playstream.interface.options import HandlerOptions
from playstream.interface.parameter_names import naming_parameters
from playstream.interface.runner import Runner
from playstream.interface.watched_run import Drive, Poll, RecordSource, make_watched_run
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.io.stdio import wait_for
from playstream.pipeline.job.checks import check_options, refuse_empty
from playstream.pipeline.job.ident import check_ident
from playstream.pipeline.job.options import Name, StrPath
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import Event, Noise, Record, Status
from playstream.process import Processor
from playstream.process.event_data import moment_of, text_of

_LOGGER = logging.getLogger("playstream")


class ReplayOptions(HandlerOptions, total=False):
    """Options of replay()."""

    speed: float | Literal["max"]
    """How much faster than the run; `max` waits for nothing (default: 1)."""
    quiet: bool
    """Do not show Ansible's output."""
    from_store: Name | None
    """URL of a store that has the run with its events: `run` is then its name, unless there is such a file."""
    identity: StrPath | Sequence[StrPath] | None
    """Files with secret keys of age or SSH, for an encrypted capture."""
    max_tree_bytes: int | None
    """Maximum bytes of file content in the artifacts (default: 64 GiB)."""
    max_tree_entries: int | None
    """Maximum number of entries in the artifacts (default: 1,000,000)."""
    max_record_bytes: int | None
    """Maximum bytes in one record (default: 64 MiB)."""


def replay(run: StrPath, **options: Unpack[ReplayOptions]) -> Runner:
    """Call handlers as a run did that is kept, with the timing of its events. Nothing is run.

    Without `private_data_dir` the artifacts are rebuilt in a temporary directory, which is removed with the Runner.

    Args:
        run: a capture, a recording of the callback plugin, the directory of a run's artifacts, or with `from_store` the
            name of a run, its beginning, `last` or `last-failed`.
        options: the handlers of run(), `speed`, `quiet`, `from_store`, and for a capture `identity` and limits.

    Returns:
        The run, as run() has returned it.

    Raises:
        ConfigurationError: an option is invalid, or there is no run that can be read.
        StoreError: the store cannot be read.
        RemoteProtocolError: the beginning of the capture is damaged. Later damage ends the run with the status `error`.
        CallbackError: a handler raised an exception.

    Example:
        >>> runner = replay("incident.playstream", event_handler=print, speed="max")  # doctest: +SKIP
        >>> runner.status  # doctest: +SKIP
        'failed'
    """
    refuse_empty(options, ReplayOptions)
    given = check_options(options, ReplayOptions, "replay")
    check_kept(given, None)
    speed = check_speed(given.get("speed", 1.0))
    found = _find(run, given.get("from_store"))
    expand_handler(given)
    handlers = take_handlers(given)
    set_up_logging(given)
    with naming_parameters():
        ident = _read_ident(found, given)
        source = _replayed_records(found, given, speed)
    config = RunnerConfig(given.get("private_data_dir"), quiet=given.get("quiet", False))
    config.ident = ident or config.ident
    runner = Runner(config, work=make_watched_run(source, handlers))
    if found.path is not None:
        _refuse_to_replace(found.path, runner.artifact_path)
    runner.run()
    return runner


def _find(run: StrPath, store_url: str | None) -> NamedRun:
    """Return the run to replay.

    Raises:
        ConfigurationError: there is none.
        StoreError: the store cannot be read.
    """
    path = Path(run)
    if store_url is None and not (path.is_file() or path.is_dir()):
        raise ConfigurationError(
            f"{str(path)!r} is neither a file nor a directory: expected a capture or artifacts. For a run in a store, "
            "pass from_store too"
        )
    return find_run(os.fspath(run), store_url)


def _refuse_to_replace(path: Path, artifact_dir: Path) -> None:
    """Refuse to write artifacts to the place where they are read.

    Raises:
        ConfigurationError: it is the same.
    """
    if path.is_dir() and artifact_dir.resolve() == find_artifacts(path):
        raise ConfigurationError(
            f"{str(artifact_dir)!r} has the run that would be replayed into it. Pass another private_data_dir, or none "
            "for a temporary directory"
        )


def _read_ident(found: NamedRun, options: Mapping[str, Any]) -> str | None:
    """Return the name of the run in its first event; None if it has none that can name a directory."""
    with found.open(options, _LOGGER.warning) as run:
        first = next((record for record in run.records() if isinstance(record, Event)), None)
    event = {} if first is None else _load(first)
    try:
        return check_ident(text_of(event, "runner_ident"))
    except ConfigurationError:
        return None


def _load(record: Event) -> dict[str, Any]:
    """Return an event; empty if it is not valid, which the Processor reports."""
    try:
        event = json.loads(record.json)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _replayed_records(found: NamedRun, options: Mapping[str, Any], speed: float | None) -> RecordSource:
    """Return the source of the records of a run at rest.

    Raises:
        ConfigurationError: a limit is invalid.
    """

    @contextmanager
    def open_source(cancellation: Cancellation) -> Iterator[Drive]:
        with found.open(options, _LOGGER.warning) as run:

            def drive(processor: Processor, poll: Poll) -> BaseException | None:
                try:
                    _feed(run, processor, Pace(speed), cancellation, poll)
                except BaseException as error:  # noqa: BLE001 - raised when the artifacts have been finished
                    return error
                return None

            yield drive

    return RecordSource(open_source, limits_of(options), at_once=False, completes_config=True)


def _feed(run: RunAtRest, processor: Processor, pace: Pace, cancellation: Cancellation, poll: Poll) -> None:
    """Pass every record on when it is due, until the last one or a request to stop."""
    dated = Lack.TIMES_OF_STATUSES not in run.lacks
    for record in run.records():
        moment = None if pace.speed is None else _moment_of(record, dated=dated)
        while moment is not None and (left := pace.left(moment, time.monotonic())):
            processor.flush()
            if wait_for(cancellation.fileno(), system.POLLIN, min(left, LOOK_SECONDS)):
                cancellation.acknowledge()
            if cancellation.reason is not None:
                return
            poll()
        poll()
        if cancellation.reason is not None:
            return
        processor.receive(record)
    processor.flush()


def _moment_of(record: Record | Noise, *, dated: bool) -> float | None:
    if isinstance(record, Event):
        return moment_of(_load(record).get("created"))
    return moment_of(record.created) if dated and isinstance(record, Status) else None
