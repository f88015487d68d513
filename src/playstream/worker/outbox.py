"""The outbox: between the supervisor, which must never wait for the link, and the link, which may be slow.

A thread encodes and writes. It flushes when nothing more is waiting, so single events go out at once and a burst goes
out in few frames; when nothing was sent for a while it sends a heartbeat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.mailbox import NOTHING_MORE, NOTHING_YET, Mailbox
from playstream.pipeline.protocol import Heartbeat, Sender


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
        try:
            while (record := self._mailbox.take(self._keepalive)) is not NOTHING_MORE:
                if record is NOTHING_YET:
                    record = Heartbeat()
                self._write(self._sender.send(record, flush=self._mailbox.empty))
            self._write(self._sender.end())
        except PlaystreamError as error:
            self._mailbox.fail(error)
