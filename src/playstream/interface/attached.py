"""A run that is under way on a node of a mesh, or has ended there: its records, from the mesh."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from playstream.interface.config import RunnerConfig
from playstream.interface.event_handler import expand_handler
from playstream.interface.handlers import check_kept, take_handlers
from playstream.interface.logs import set_up_logging
from playstream.interface.options import HandlerOptions
from playstream.interface.runner import Runner
from playstream.interface.watched_run import (
    INTERRUPTED_REASON,
    STREAM_ERRORS,
    Drive,
    Poll,
    RecordSource,
    make_watched_run,
)
from playstream.links.attached import AttachedLink
from playstream.links.link import Link
from playstream.links.opening import open_link
from playstream.mesh.identity import Kind, find_identity
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import connect
from playstream.pipeline.job.checks import check_options, refuse_empty, select_options
from playstream.pipeline.job.options import JobOptions, ResultOptions, StrPath
from playstream.pipeline.limits import limits_of
from playstream.process import Detached, Processor
from playstream.process.receiving import feed

_logger = logging.getLogger("playstream")


class AttachOptions(ResultOptions, HandlerOptions, total=False):
    """Options of attach(). The name of the run, `ident`, is that of the job when None."""

    identity: StrPath | None
    """The file of the submitter, NAME.playstream; that in PLAYSTREAM_MESH when None."""
    from_event: int | None
    """The counter of the first event that is shown and that the handlers get; the artifacts have all of them."""
    max_tree_bytes: int | None
    """Maximum bytes of file content in a tree (default: 64 GiB)."""
    max_tree_entries: int | None
    """Maximum number of entries in a tree (default: 1,000,000)."""
    max_record_bytes: int | None
    """Maximum bytes in one record (default: 64 MiB)."""


def make_attached_runner(job: str, options: Mapping[str, Any], cancellation: Cancellation | None = None) -> Runner:
    """Prepare to follow a job of a mesh.

    Args:
        job: its name.
        options: as for attach().
        cancellation: requests to detach, while the job goes on; None for only the runner's own.

    Raises:
        ConfigurationError: an option is not valid, or there is no identity of a submitter.
    """
    refuse_empty(options, AttachOptions)
    given = check_options(options, AttachOptions, "attach")
    first = given.get("from_event", 0)
    if first < 0:
        raise ConfigurationError(f"from_event: expected the counter of an event, 0 or more, got {first}")
    check_kept(given, None)
    expand_handler(given)
    handlers = take_handlers(given)
    set_up_logging(given)
    identity = find_identity(given.get("identity"), Kind.SUBMITTER)
    config = RunnerConfig(given.get("private_data_dir"), **{"ident": job, **select_options(given, JobOptions)})
    source = _attached_records(AttachedLink(job, identity), given, first)
    return Runner(config, cancellation=cancellation, work=make_watched_run(source, handlers))


def _attached_records(link: AttachedLink, options: Mapping[str, Any], first_event: int) -> RecordSource:
    limits = limits_of(options)

    @contextmanager
    def open_source(cancellation: Cancellation) -> Iterator[Drive]:
        def drive(processor: Processor, poll: Poll) -> BaseException | None:
            def look() -> None:
                poll()
                if cancellation.reason is not None:
                    raise _detached(link, cancellation.reason)

            opened = open_link(link, cancellation)
            if opened is None:
                return _detached(link, str(cancellation.reason))
            error: BaseException | None = None
            try:
                with (
                    connect({}, _logger.warning, reader=opened.reader) as connection,
                    closing(Cancellation()) as never,  # a request to detach must not wait for the end of the stream
                ):
                    feed(processor, connection, never, look, liveness_seconds=0.0, limits=limits)
            except KeyboardInterrupt as interrupt:
                error = _detached(link, INTERRUPTED_REASON)
                error.__cause__ = interrupt
            except BaseException as caught:  # noqa: BLE001 - raised when the artifacts have been finished
                error = caught
            finally:
                opened.end(wait=error is None)
                opened.close()
            if not isinstance(error, STREAM_ERRORS):
                return error
            if link.canceled is not None:
                cancellation.request(link.canceled)
                return None
            return opened.explain(error, answered=True)

        yield drive

    return RecordSource(open_source, limits, at_once=False, completes_config=True, first_event=first_event)


def _detached(link: Link, reason: str) -> Detached:
    name = link.name.removeprefix("job ")
    return Detached(
        f"detached ({reason}): the job goes on. To follow it again: playstream mesh attach {name}. To end it: "
        f"playstream mesh cancel {name}"
    )
