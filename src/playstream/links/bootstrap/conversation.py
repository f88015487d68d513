"""Speaking with the program on the host: lines of JSON in both directions, before the worker's stream begins."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable
from typing import Any

from playstream.links.link import OpenLink
from playstream.pipeline.errors import BootstrapError, IncompleteStream, PlaystreamError, SilentPeer
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import Cancellation, check_canceled

MARK = "playstream-bootstrap"
"""What the program there writes before each answer."""
_SILENCE_SECONDS = 120.0
"""How long the host may say nothing. At first, ssh may ask the user for a password meanwhile."""
_MAX_LINE = 1 << 16
_MAX_NOISE = 1 << 20
"""Bytes that a host may print before the program starts."""
_PIECE = 1 << 12
"""Bytes that a pipe takes at once when poll(2) reports that it has room."""
_logger = logging.getLogger("playstream")


class Conversation:
    """A conversation over an open link.

    Args:
        name: the name of the link, for messages.
        link: the link; nothing that follows the last answer is read from it.
        cancellation: a request to stop.
    """

    def __init__(self, name: str, link: OpenLink, cancellation: Cancellation | None) -> None:
        self._name = name
        self._link = link
        self._cancellation = cancellation
        self._noise = 0
        self._early: dict[str, Any] | None = None
        """An answer that has come before everything was sent."""

    def ask(self, request: dict[str, Any], content: Iterable[bytes] = ()) -> dict[str, Any]:
        """Send a request, and return the answer.

        Args:
            request: the request.
            content: what follows it.

        Raises:
            BootstrapError: the host cannot do it.
            PlaystreamError: the link has ended, or the host says nothing any more.
            Canceled: a stop was requested.
        """
        self.tell(request)
        for piece in content:
            self._write(piece)
            if self._early is not None:
                break  # the host needs no more, because something is wrong there
        return self.hear()

    def tell(self, request: dict[str, Any]) -> None:
        """Send a request that has no answer."""
        self._write(json.dumps(request).encode() + b"\n")

    def send_program(self, program: bytes) -> None:
        """Send the program, which speaks on the other side from then on."""
        self._write(program)

    def hear(self) -> dict[str, Any]:
        """Return the next answer; what the login prints is logged.

        Raises:
            BootstrapError: the host cannot do what was asked.
            PlaystreamError, Canceled: as for `ask`.
        """
        answer, self._early = self._early, None
        while answer is None:
            answer = self._read_answer()
        if "failed" in answer:
            raise BootstrapError(f"{self._name}: no worker can be sent there: {answer['failed']}")
        return answer

    def _read_answer(self) -> dict[str, Any] | None:
        """Return the answer in the next line; None if it has none."""
        line = self._read_line()
        text = line.decode("utf-8", "backslashreplace").strip()
        if not text.startswith(MARK):
            if text:
                self._noise += len(line)
                _logger.warning("skipped %d bytes that are not part of the stream: %r", len(line), line)
            if self._noise > _MAX_NOISE:
                raise BootstrapError(f"{self._name}: the host prints more than {_MAX_NOISE} bytes and starts nothing")
            return None
        try:
            answer = json.loads(text.removeprefix(MARK))
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise BootstrapError(f"{self._name}: the program there has answered something else: {text[:200]!r}")
        return None if "alive" in answer else answer

    def _read_line(self) -> bytes:
        """Read up to the end of a line and nothing more: the worker's stream follows."""
        line = bytearray()
        while not line.endswith(b"\n"):
            self._wait(system.POLLIN)
            data = os.read(self._link.reader, 1)
            if not data:
                raise self._explain_end()
            line += data
            if len(line) >= _MAX_LINE:
                break
        return bytes(line)

    def _write(self, data: bytes) -> None:
        """Write all of `data`, or as much as the host wants."""
        view = memoryview(data)
        while view and self._early is None:
            ready = self._wait(system.POLLIN | system.POLLOUT)
            if self._link.reader in ready:
                self._early = self._read_answer()
            elif self._link.writer in ready:
                try:
                    view = view[os.write(self._link.writer, view[:_PIECE]) :]
                except BrokenPipeError:
                    raise self._explain_end() from None

    def _wait(self, events: int) -> set[int]:
        """Wait until the link can be read or written; return the descriptors that are ready.

        Args:
            events: what to wait for.

        Raises:
            SilentPeer: it takes too long.
            Canceled: a stop was requested.
        """
        check_canceled(self._cancellation)  # after a request its descriptor may be closed
        poll = system.poll()
        poll.register(self._link.reader, system.POLLIN)
        if events & system.POLLOUT:
            poll.register(self._link.writer, system.POLLOUT)
        if self._cancellation is not None:
            poll.register(self._cancellation, system.POLLIN)
        deadline = time.monotonic() + _SILENCE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            ready = {fd for fd, _event in poll.poll(left * 1000)}
            if self._cancellation is not None:
                check_canceled(self._cancellation)
                ready.discard(self._cancellation.fileno())
                self._cancellation.acknowledge()
            if ready:
                return ready
        raise SilentPeer(
            f"{self._name}: the host has said nothing for {_SILENCE_SECONDS:g} seconds. Check that it is up"
        )

    def _explain_end(self) -> PlaystreamError:
        """End the link, and return why it ended."""
        self._link.end(wait=True)
        error = IncompleteStream("the connection ended before a worker was started")
        return self._link.explain(error, answered=False)
