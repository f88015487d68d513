"""A run on its way into a store, beside whoever else looks on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playstream.pipeline.errors import PlaystreamError, StoreError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.protocol import Status, StatusName
from playstream.process import ForwardingObserver, Observer
from playstream.process.task_results import text_of


class StoreObserver(ForwardingObserver):
    """Collects a run for a store, and tells another observer all.

    Args:
        url: the store's; see `playstream.process.store.open_store`.
        inner: the other observer.
        cancellation: asks to stop waiting for the store, within seconds; None for nobody.

    Raises:
        ConfigurationError: the URL cannot be read, or the packages for it are not installed.
        StoreError: the store cannot be reached or written, or does not answer.
    """

    def __init__(self, url: str, inner: Observer, cancellation: Cancellation | None = None) -> None:
        from playstream.process.store import RunWriter, open_store  # noqa: PLC0415 - SQLAlchemy is an extra

        super().__init__(inner)
        self._store = open_store(url, cancellation=cancellation)
        self._writer = RunWriter(self._store)
        self._started: str | None = None
        self._ident = ""

    def event(self, event: dict[str, Any]) -> bool:
        self._ident = self._ident or text_of(event, "runner_ident")
        self._writer.take(event)
        return super().event(event)

    def status(self, status: Status) -> None:
        if status.status is StatusName.STARTING:
            self._started = status.created
        super().status(status)

    def save(
        self, ident: str | None, status: str, rc: int | None, explanation: str | None, artifact_dir: Path
    ) -> PlaystreamError | KeyboardInterrupt | None:
        """Write the run that has ended, in one transaction.

        Args:
            ident: its name; that of its events when None or empty.
            status: how it ended.
            rc: Ansible's return code.
            explanation: why it ended so.
            artifact_dir: where its artifacts are, whatever becomes of this.

        Returns:
            None; or what is to be raised when everything else has been finished: a StoreError or ConfigurationError
            that says why the store has not got the run, or the KeyboardInterrupt that ended the wait for it.
        """
        try:
            self._writer.save(ident or self._ident, status, rc, explanation, started=self._started)
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
        """Let the store go."""
        self._writer.close()
        self._store.close()
