"""Opening a link without waiting for it after a request to cancel."""

from __future__ import annotations

import threading

from playstream.links.link import Link, OpenLink
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Canceled, Cancellation


def open_link(link: Link, cancellation: Cancellation) -> OpenLink | None:
    """Open a link.

    A host that does not answer, or a name server, can take half a minute, and nothing interrupts the calls of the
    system that wait for them. So another thread opens the link; after a request to cancel it closes what it has opened.

    Args:
        link: the link.
        cancellation: a request to cancel.

    Returns:
        The open link; None if a cancel was requested before it was open.

    Raises:
        LinkError: it cannot be opened.
    """
    opening = _Opening(link, cancellation)
    while not opening.finished.wait(LOOK_SECONDS):
        if cancellation.reason is not None:
            return opening.abandon()
    return opening.result()


class _Opening:
    """A thread that opens a link."""

    def __init__(self, link: Link, cancellation: Cancellation) -> None:
        self._link = link
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._opened: OpenLink | None = None
        self._error: BaseException | None = None
        self._abandoned = False
        self.finished = threading.Event()
        threading.Thread(target=self._run, name="playstream-link-opening", daemon=True).start()

    def _run(self) -> None:
        try:
            opened = self._link.open(self._cancellation)
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            self._error = error
        else:
            with self._lock:
                if self._abandoned:
                    opened.end(wait=False)
                    opened.close()
                else:
                    self._opened = opened
        self.finished.set()

    def result(self) -> OpenLink | None:
        """Return what was opened, or raise why it could not be; None if the link has noticed the request itself."""
        if self._error is not None and not isinstance(self._error, Canceled):
            raise self._error
        return self._opened

    def abandon(self) -> OpenLink | None:
        """Let the thread close what it opens; return what it has opened already."""
        with self._lock:
            self._abandoned = True
            return self._opened
