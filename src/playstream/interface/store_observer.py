"""Collect a run for a store, while another observer watches it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ConfigurationError, PlaystreamError, StoreError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.job.options import StrPath
from playstream.pipeline.protocol import Log, LogLevel, Status, StatusName
from playstream.process import ForwardingObserver, Observer
from playstream.process.event_data import text_of


def check_store(store: str | None, *, label: str | None, store_events: bool) -> None:
    """Check that there is a store for the label and the events of a run.

    Raises:
        ConfigurationError: there is none.
    """
    if label is not None and store is None:
        raise ConfigurationError("label: expected a store too, in which the run has it: pass store, or omit it")
    if store_events and store is None:
        raise ConfigurationError("store_events: expected a store too, which keeps the events: pass store, or omit it")


class StoreObserver(ForwardingObserver):
    """Collects a run for a store, and forwards everything to another observer.

    Args:
        url: the URL of the store; see `playstream.process.store.open_store`.
        inner: the other observer.
        cancellation: a request that stops waiting for the store within seconds; None for none.
        label: what the user calls runs that are compared.
        directory: the private data directory; None if there is none.
        warn: called with a warning if the store cannot keep the events of the run; None to keep none.

    Raises:
        ConfigurationError: the URL is invalid, or the packages for it are not installed.
        StoreError: the store cannot be reached or written, or does not answer.
    """

    def __init__(
        self,
        url: str,
        inner: Observer,
        cancellation: Cancellation | None = None,
        *,
        label: str | None = None,
        directory: StrPath | None = None,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        from playstream.process.store import EventKeeper, RunWriter, open_store  # noqa: PLC0415 - an extra

        super().__init__(inner)
        self._store = open_store(url, cancellation=cancellation)
        self._writer = RunWriter(self._store)
        self._keeper = None if warn is None else EventKeeper(self._store, warn)
        self._started: str | None = None
        self._ident = ""
        self._label = label
        self._directory = None if directory is None else os.path.basename(os.path.abspath(directory))

    def event(self, event: dict[str, Any]) -> bool:
        self._ident = self._ident or text_of(event, "runner_ident")
        self._writer.take(event)
        if self._keeper is not None:
            self._keeper.take_event(event)  # before a handler changes it
        return super().event(event)

    def log(self, level: LogLevel, message: str) -> None:
        if self._keeper is not None:
            self._keeper.take(Log(level, message))
        super().log(level, message)

    def status(self, status: Status) -> None:
        if self._keeper is not None:
            self._keeper.take(status)
        if status.status is StatusName.STARTING:
            self._started = status.created
        super().status(status)

    def save(
        self, ident: str | None, status: str, rc: int | None, explanation: str | None, artifact_dir: Path
    ) -> PlaystreamError | KeyboardInterrupt | None:
        """Write the run in one transaction after it has ended.

        Args:
            ident: name of the run; None or an empty string uses the name in its events.
            status: its final status.
            rc: Ansible's return code.
            explanation: the reason for the status.
            artifact_dir: the directory of its artifacts, for messages.

        Returns:
            None, or an error to raise after all other work: a StoreError or ConfigurationError with the reason why the
            store does not contain the run, or the KeyboardInterrupt that ended the wait for it.
        """
        try:
            kept = None
            if self._keeper is not None:
                now = datetime.now(UTC).isoformat()
                kept = self._keeper.finish(Status(StatusName(status), now, rc=rc, explanation=explanation))
            self._writer.save(
                ident or self._ident,
                status,
                rc,
                explanation,
                started=self._started,
                label=self._label,
                directory=self._directory,
                kept=kept,
            )
            if self._keeper is not None:
                self._keeper.note_saved(has_events=self._writer.has_kept)
        except StoreError as error:
            return StoreError(f"{error}. The artifacts are kept in {str(artifact_dir)!r}")
        except PlaystreamError as error:
            return error
        except KeyboardInterrupt:
            return KeyboardInterrupt(
                "interrupted while writing the run to the store, which may not contain it. The artifacts are kept in "
                f"{str(artifact_dir)!r}"
            )
        return None

    def close(self) -> None:
        """Close the store."""
        if self._keeper is not None:
            self._keeper.close()
        self._writer.close()
        self._store.close()
