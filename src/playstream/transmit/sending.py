"""The transmit stage on a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Protocol

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import ConfigurationError, LinkError, PlaystreamError, SilentPeer
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.io.stdio import SHUT, Connection, OutputLayer
from playstream.pipeline.outbox import Mark, Outbox
from playstream.pipeline.protocol import Cancel, Failure, Record
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.meter import Meter


class JobSource(Protocol):
    """The source of the records of a job, such as a Transmitter."""

    def records(self) -> Iterator[Record]:
        """Yield the job, then its tree."""


class Companion(Protocol):
    """What has records of its own to send while the worker runs the job, such as the user's terminal."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when there may be records, or `source` has changed."""

    @property
    def source(self) -> int | None:
        """A further descriptor that is readable when there are records; None for none."""

    def start(self) -> None:
        """Note that records are sent from now on, because the job was sent or the worker reads again."""

    def pause(self) -> None:
        """Note that no records are sent until `start`, because the worker reads too slowly."""

    def records(self) -> Iterable[Record]:
        """Return what is to be sent now. Called when a descriptor is readable, and every LOOK_SECONDS."""

    def stop(self) -> None:
        """Note that nothing more is sent."""


def transmit(
    source: JobSource,
    connection: Connection,
    *,
    dialect: Dialect = Dialect.PLAYSTREAM,
    keepalive_seconds: float = DEFAULT_KEEPALIVE_SECONDS,
    liveness_seconds: float = DEFAULT_LIVENESS_SECONDS,
    cancellation: Cancellation | None = None,
    hold: bool = False,
    over: Callable[[], bool] = lambda: False,
    companion: Callable[[], Companion | None] = lambda: None,
    look: Callable[[], None] | None = None,
    meter: Meter | None = None,
    archive_meter: Meter | None = None,
    sent: Callable[[int], None] = lambda _size: None,
) -> None:
    """Write a job and its tree to a connection, as a stream for `work`.

    Args:
        source: the job, checked, and its tree.
        connection: its writer sends the stream.
        dialect: the dialect of the stream; RUNNER for a worker that may be ansible-runner's.
        keepalive_seconds: silence after which a heartbeat is sent; 0 for never.
        liveness_seconds: the worker counts as lost when it takes nothing for PATIENCE times as long; 0 for never.
        cancellation: requests to stop; in the native dialect this is reported to the worker, which then runs nothing.
        hold: wait until the worker has exited, so that the cancellation ends the job.
        over: returns whether the results have ended, so that waiting ends too even if a program of the link has not.
        companion: returns what else is sent while that is waited for; called when the job was sent.
        look: called every LOOK_SECONDS; may request the cancellation, or raise.
        meter: counts the tree while it is packed, and sent in the native dialect; None for nothing.
        archive_meter: counts the bytes of the archive in ansible-runner's dialect.
        sent: called with the number of bytes when a job that is held was written, in another thread.

    Raises:
        ConfigurationError: the job cannot be held in this dialect; nothing was written.
        JobError: there is no room for the archive of ansible-runner's protocol.
        LinkError: the reader has exited, or reads nothing.
    """
    watch = _Watch(cancellation, look)
    native = dialect is Dialect.PLAYSTREAM
    if hold and not native:
        raise ConfigurationError("hold: ansible-runner's protocol cannot cancel a job; stop the worker instead")
    records = source.records if meter is None else lambda: meter.watch(source.records())
    layer = connection.output_layer
    if meter is not None and archive_meter is not None and not native:
        layer = _CountingLayer(layer, meter, archive_meter)
    link = _JobLink(
        Outbox(
            mailbox := Mailbox[Record | bytes | Mark](),
            connection.writer,
            Direction.JOB,
            keepalive_seconds=keepalive_seconds if native else 0.0,
            liveness_seconds=liveness_seconds,
            cancellation=cancellation if native else None,
            layer=layer,
        ),
        mailbox,
        watch.look if native else watch.check,
    )
    with closing(link):
        link.start(dialect)
        if native:
            _transmit(records, link, watch, connection.writer, hold=hold, over=over, companion=companion, sent=sent)
        else:
            _transmit_to_runner(records, link, watch)
    if watch.error is not None:
        raise watch.error


class _Stopped(Exception):
    """A stop was requested."""


class _Watch:
    """Checks for requests to stop.

    Args:
        cancellation: requests to stop; None if it cannot be requested.
        look: may request the cancellation, or raise, which requests it too.
    """

    def __init__(self, cancellation: Cancellation | None, look: Callable[[], None] | None) -> None:
        self.cancellation = cancellation
        self._look = look
        self.error: PlaystreamError | None = None
        """The exception that `look` raised."""
        self.stopped = False
        """True if not all records were yielded."""

    @property
    def reason(self) -> str | None:
        """Why to stop; None to continue."""
        return None if self.cancellation is None else self.cancellation.reason

    def look(self) -> None:
        """Check once."""
        if self._look is None or self.error is not None:
            return
        try:
            self._look()
        except PlaystreamError as error:
            self.error = error
            if self.cancellation is not None:
                self.cancellation.request(str(error))

    def records(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records; after a request to stop, yield a Failure instead of the rest."""
        for record in records:
            self.look()
            if self.reason is not None:
                self.stopped = True
                yield Failure(PlaystreamError.__name__, self.reason)
                return
            yield record

    def check(self) -> None:
        """Check once.

        Raises:
            _Stopped: a stop was requested.
        """
        self.look()
        if self.reason is not None:
            raise _Stopped


class _JobLink:
    """Sends the records of a job, and meanwhile watches the link and checks for requests to stop.

    Args:
        outbox: writes the records in the mailbox.
        mailbox: takes the records.
        look: called every LOOK_SECONDS while something waits.
    """

    def __init__(self, outbox: Outbox, mailbox: Mailbox[Record | bytes | Mark], look: Callable[[], None]) -> None:
        self._outbox = outbox
        self._mailbox = mailbox
        self._look = look

    def start(self, dialect: Dialect) -> None:
        """Begin to send."""
        self._outbox.start(dialect)

    def send(self, record: Record) -> None:
        """Send a record. Wait while too many are waiting.

        Raises:
            PlaystreamError: the reader has exited, or reads nothing, or the record cannot be sent in the dialect.
        """
        self._outbox.send(record, self._check)

    def end(self) -> None:
        """Send the end of the stream, and wait until everything is written.

        Raises:
            PlaystreamError: as for `send`.
        """
        self._outbox.close(self._look)
        if self._mailbox.error is not None:
            raise self._mailbox.error

    def mark(self, sent: Callable[[int], None]) -> None:
        """Let `sent` be called with the number of bytes when everything is written."""
        self._outbox.mark(sent)

    def hold(
        self, output_fd: int, cancellation: Cancellation, over: Callable[[], bool], companion: Companion | None
    ) -> None:
        """Wait until the worker has exited, at the end of the job. Send Cancel if the cancellation is requested.

        Args:
            output_fd: the link.
            cancellation: requests the end of the job.
            over: returns whether the results have ended.
            companion: what else is sent meanwhile; None for nothing.

        Raises:
            LinkError: the worker takes nothing.
        """
        if companion is not None:
            companion.start()
        try:
            reason = self._wait(output_fd, cancellation, over, companion)
        finally:
            if companion is not None:
                companion.stop()
        if reason is not None:
            self.send(Cancel(reason))
            self.end()

    def _wait(
        self, output_fd: int, cancellation: Cancellation, over: Callable[[], bool], companion: Companion | None
    ) -> str | None:
        """Wait for a cancellation and return its reason; None if the worker has exited before."""
        poll = system.poll()
        poll.register(output_fd, SHUT)
        poll.register(cancellation, system.POLLIN)
        if companion is not None:
            poll.register(companion, system.POLLIN)
        source = None
        paused = False
        while cancellation.reason is None and not over():
            if companion is not None and paused is not self._mailbox.full:
                paused = not paused
                (companion.pause if paused else companion.start)()
            wanted = None if companion is None or self._mailbox.full else companion.source
            if source not in {None, wanted}:
                poll.unregister(source)
            if wanted not in {None, source}:
                poll.register(wanted, system.POLLIN)
            source = wanted
            ready = dict(poll.poll(LOOK_SECONDS * 1000))
            events = ready.get(output_fd, 0)
            self._check()
            if events & ~SHUT or self._mailbox.error is not None:
                if isinstance(self._mailbox.error, SilentPeer):
                    raise self._mailbox.error
                return None
            if events:
                poll.modify(output_fd, 0)
                self._outbox.probe()
            if cancellation.reason is None and cancellation.fileno() in ready:
                cancellation.acknowledge()  # it was only woken, as by a change of the terminal's size
            if companion is not None and not self._mailbox.full:
                for record in companion.records():
                    self.send(record)
        return cancellation.reason

    def close(self) -> None:
        """Drop what was not written yet, without waiting for a blocked write."""
        self._outbox.drop()

    def _check(self) -> None:
        self._look()
        self._outbox.check()


class _CountingLayer:
    """Counts the bytes that are written after a tree was packed; passes them through another layer.

    Args:
        inner: the other layer; None for none.
        packing: counts the tree.
        sending: counts the bytes.
    """

    def __init__(self, inner: OutputLayer | None, packing: Meter, sending: Meter) -> None:
        self._inner = inner
        self._packing = packing
        self._sending = sending
        self.gather_seconds = 0.0 if inner is None else inner.gather_seconds

    def wrap(self, data: Iterable[bytes], *, flush: bool, last: bool = False) -> Iterator[bytes]:
        """Yield the bytes to write."""
        for piece in data if self._inner is None else self._inner.wrap(data, flush=flush, last=last):
            yield piece
            if self._packing.has_ended:
                self._sending.add(len(piece))
        if last:
            self._sending.end()


_Records = Callable[[], Iterator[Record]]


def _transmit(
    records: _Records,
    link: _JobLink,
    watch: _Watch,
    output_fd: int,
    *,
    hold: bool,
    over: Callable[[], bool],
    companion: Callable[[], Companion | None],
    sent: Callable[[int], None],
) -> None:
    try:
        for record in watch.records(records()):
            link.send(record)
    except LinkError:
        raise
    except PlaystreamError:
        link.end()
        raise
    if watch.cancellation is None or watch.stopped or not (hold or watch.reason):
        link.end()
    else:
        link.mark(sent)
        link.hold(output_fd, watch.cancellation, over, companion())


def _transmit_to_runner(records: _Records, link: _JobLink, watch: _Watch) -> None:
    """Write the stream. A request to stop cuts it off, because ansible-runner's protocol cannot express it."""
    try:
        for record in records():
            watch.check()
            link.send(record)
        link.end()
    except _Stopped:
        pass
