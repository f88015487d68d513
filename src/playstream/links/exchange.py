"""A job over a link: it is sent in one thread, and its results are received in another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from playstream._version import __version__
from playstream.links.link import Link, OpenLink
from playstream.links.opening import open_link
from playstream.links.user import Introduction, User
from playstream.pipeline.errors import LinkError, PlaystreamError, SilentPeer
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS, seconds_of
from playstream.pipeline.io.mailbox import ToShow
from playstream.pipeline.io.stdio import Connection, connect
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import Failure, Hello, Noise, Prompt, Record, Status
from playstream.pipeline.tree.meter import Meters
from playstream.process.receiving import feed
from playstream.transmit.greeting import Greeting
from playstream.transmit.offering import Offering, Tree
from playstream.transmit.sending import JobSource, transmit

_logger = logging.getLogger("playstream")


class RecordSink(Protocol):
    """Takes records, such as a Mailbox."""

    def put_when_room(self, record: Any) -> None:
        """Take one record; wait while too many are waiting.

        Raises:
            PlaystreamError: nobody takes them any more.
        """


class Exchange:
    """Sends one job over a link and puts its results into a mailbox.

    Args:
        source: the job and its tree, such as a Transmitter.
        link: the way to the worker.
        options: options of run(), checked: intervals, limits and encryption of the connection.
        mailbox: takes the records of the results, Hello included, and noise between them.
        cancellation: a request to cancel the job.
        meters: count the trees of both directions; None for nothing.
        user: the user's terminal, on which the worker may ask; None for none.
    """

    def __init__(
        self,
        source: JobSource,
        link: Link,
        options: Mapping[str, Any],
        mailbox: RecordSink,
        cancellation: Cancellation,
        meters: Meters | None = None,
        user: User | None = None,
    ) -> None:
        self._link = link
        self._options = options
        self._cancellation = cancellation
        self._meters = meters
        self.ended = threading.Event()
        """Set when no more results will arrive."""
        self._greeting = Greeting(cancellation, self.ended)
        self._offering = Offering(source, self._greeting) if isinstance(source, Tree) else None
        source = self._offering or source
        self._user = None if user is None else Introduction(user, source, self._greeting)
        self._source = self._user or source
        self._taker = _Taker(link.name, mailbox, meters, self._notes, self._user)
        self._liveness_seconds = seconds_of(options, "liveness_seconds", DEFAULT_LIVENESS_SECONDS)
        self._send_error: PlaystreamError | None = None
        """Why the job could not be sent."""
        self._defect: BaseException | None = None

    def _notes(self, record: Record | Noise) -> bool:
        """Note what concerns the sender; return True if a record is only for it."""
        return self._greeting.note(record) or (self._offering is not None and self._offering.note(record))

    def run(self) -> PlaystreamError | None:
        """Run the job to its end.

        Returns:
            Why the job could not be sent or its results received, to report after the records; None if all went well,
            or after a request to cancel the job.

        Raises:
            LinkError: the link cannot be opened.
            ConfigurationError: a key for the encryption is not valid.
        """
        opened = open_link(self._link, self._cancellation)
        if opened is None:
            return None
        try:
            with connect(self._options, _logger.warning, reader=opened.reader, writer=opened.writer) as connection:
                return self._exchange(connection, opened)
        finally:
            opened.end(wait=False)
            opened.close()

    def _exchange(self, connection: Connection, opened: OpenLink) -> PlaystreamError | None:
        sender = threading.Thread(
            target=self._send, args=(connection, opened), name="playstream-link-sender", daemon=True
        )
        sender.start()
        error: PlaystreamError | None = None
        ends = False
        """Whether the other side ends by itself."""
        try:
            ends = feed(
                self._taker,
                connection,
                self._cancellation,
                liveness_seconds=self._liveness_seconds,
                limits=limits_of(self._options),
            )
        except PlaystreamError as caught:
            error = caught
            ends = not isinstance(error, SilentPeer)
        finally:
            self.ended.set()
            opened.end(wait=ends)
            sender.join()
        if self._defect is not None:
            raise self._defect
        if self._send_error is not None and not self._is_consequence(self._send_error):
            return self._send_error
        return None if error is None else opened.explain(error, answered=self._taker.answered)

    def _send(self, connection: Connection, opened: OpenLink) -> None:
        """Send the job, and then wait for the end of the link or a request to cancel the job."""
        user, reader = self._user, connection.reader
        if not isinstance(reader, int):
            self._greeting.comes_late = lambda: reader.heard_at is None
        try:
            transmit(
                self._source,
                connection,
                keepalive_seconds=seconds_of(self._options, "keepalive_seconds", DEFAULT_KEEPALIVE_SECONDS),
                liveness_seconds=self._liveness_seconds,
                cancellation=self._cancellation,
                hold=True,
                meter=None if self._meters is None else self._meters.sending,
                over=self.ended.is_set,
                companion=lambda: None if user is None else user.companion,
                sent=opened.note_sent,
            )
        except PlaystreamError as error:
            self._send_error = error
            if isinstance(error, SilentPeer):
                opened.end(wait=False)
        except BaseException as defect:  # noqa: BLE001 - raised in the other thread
            self._defect = defect
            opened.end(wait=False)

    @staticmethod
    def _is_consequence(error: PlaystreamError) -> bool:
        """Return whether an error of sending only says that the other side has ended, which has its own reason."""
        return isinstance(error, LinkError) and not isinstance(error, SilentPeer)


class _Taker:
    """Takes the records of the results and puts them into a mailbox.

    Args:
        name: the name of the link.
        mailbox: takes the records.
        meters: count the artifacts; None for nothing.
        notes: notes what concerns the sender; returns True for what is only for it.
        user: takes what concerns the user's terminal; None if there is none.
    """

    def __init__(
        self,
        name: str,
        mailbox: RecordSink,
        meters: Meters | None,
        notes: Callable[[Record | Noise], bool],
        user: Introduction | None,
    ) -> None:
        self._user = user
        self._notes = notes
        self._name = name
        self._mailbox = mailbox
        self._meters = meters
        if meters is not None:
            meters.sending.ready = False  # the program of the link may ask something on the terminal first
        self._hello: Hello | None = None
        self.answered = False
        """Whether anything of a stream has arrived."""
        self.has_ended = False
        """Whether a terminal status has arrived."""

    def receive(self, record: Record | Noise) -> None:
        """Take one record; wait while too many are waiting.

        Raises:
            PlaystreamError: nobody takes them any more.
        """
        self.answered = self.answered or not isinstance(record, Noise)
        if self._notes(record):
            return
        if isinstance(record, Hello):
            self._hello = record
            _logger.debug("%s: %s", self._name, record)
        elif isinstance(record, Status):
            self.has_ended = record.status.terminal
        elif isinstance(record, Failure):
            record = replace(record, message=f"{self._name}: {record.message}{self._versions()}")
        if not isinstance(record, Prompt):
            self._mailbox.put_when_room(record)
        elif self._user is not None and (user := self._user.companion) is not None:
            # It is shown after what has arrived before.
            self._mailbox.put_when_room(ToShow(partial(user.take, record), len(record.text) + len(record.line)))
        if self._meters is not None:
            self._meters.sending.ready = self.answered
            self._meters.unpacking.take(record)

    def flush(self) -> None:
        """Do nothing: a record that is in the mailbox is taken at once."""

    def _versions(self) -> str:
        """Return the versions for a message, if those of the two sides differ."""
        there = None if self._hello is None else self._hello.version
        return "" if there in {None, __version__} else f" (playstream {there} there, {__version__} here)"
