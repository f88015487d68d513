"""The outbox: between the supervisor, which must never wait for the link, and the link, which may be slow.

A thread encodes and writes. It flushes when nothing more is waiting and the last flush is a little while ago: a single
event goes out at once, and events that follow one another closely share frames. When nothing was sent for long it
sends a heartbeat.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.mailbox import NOTHING_MORE, NOTHING_YET, Mailbox
from playstream.pipeline.protocol import Heartbeat, Sender

GATHER_SECONDS = 0.025
"""Between two flushes at least. Frames of one event each are 1.4 times as large and take 2.5 times as long to receive
(docs/protocol.md, "Why two layers"), and nobody sees a fortieth of a second."""


class Outbox:
    """Sends what is put into a mailbox.

    Args:
        mailbox: where the records come from.
        sender: the outgoing direction.
        write: writes bytes to the link; raises LinkError.
        keepalive_seconds: silence after which a Heartbeat is sent; 0 for never.
    """

    def __init__(
        self, mailbox: Mailbox, sender: Sender, write: Callable[[bytes], None], *, keepalive_seconds: float
    ) -> None:
        self._mailbox = mailbox
        self._sender = sender
        self._write = write
        self._keepalive = keepalive_seconds or None
        self._thread = threading.Thread(target=self._run, name="playstream-outbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting and the End record; wait until that is done or has failed."""
        self._mailbox.close()
        self._thread.join()

    def _run(self) -> None:
        flushed = time.monotonic()
        pending = False
        try:
            while True:
                patience = flushed + GATHER_SECONDS - time.monotonic() if pending else self._keepalive
                record = self._mailbox.take(patience)
                if record is NOTHING_MORE:
                    break
                if record is NOTHING_YET:
                    self._write(self._sender.flush() if pending else self._sender.send(Heartbeat()))
                    flushed, pending = time.monotonic(), False
                    continue
                now = time.monotonic()
                pending = not self._mailbox.empty or now < flushed + GATHER_SECONDS
                self._write(self._sender.send(record, flush=not pending))
                if not pending:
                    flushed = now
            self._write(self._sender.end())
        except PlaystreamError as error:
            self._mailbox.fail(error)
