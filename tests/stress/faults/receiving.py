"""What has to hold of a stage that reads from a faulty link."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import PlaystreamError, SilentPeer, error_classes
from playstream.pipeline.io.stdio import Connection, InputLayer
from playstream.pipeline.protocol import LogLevel, Record, Status, StatusName
from playstream.pipeline.tree.digests import digest
from playstream.process import Observer
from playstream.process.receiving import process
from playstream.worker.intake import Intake
from playstream.worker.poller import Poller
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.sessions import Session
from tests.worker.cache.offered import ALGORITHM, Kept

SILENCE_SECONDS = 0.004
"""The limit on silence where a stall is to be noticed."""
_NEVER = 0.0
_EXIT_STATUSES = {cls.exit_status for cls in error_classes()}


@dataclass
class _Watcher(Observer):
    statuses: list[StatusName] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    def status(self, status: Status) -> None:
        self.statuses.append(status.status)

    def log(self, level: LogLevel, message: str) -> None:
        self.logs.append(f"{level.value}: {message}")


def _limit(session: Session, fault: Fault) -> float:
    return SILENCE_SECONDS if fault.kind is Kind.STALL and session.heard <= fault.offset < len(session.data) else _NEVER


def stalls_unnoticed(session: Session, fault: Fault) -> bool:
    """Whether the dialect has no word by which a stall there could be told from a pause."""
    return (
        fault.kind is Kind.STALL
        and session.dialect is Dialect.RUNNER
        and fault.offset < len(session.data)
        and (not session.heard or fault.offset < session.heard)
    )


def check_results(session: Session, fault: Fault, directory: Path) -> None:
    """Rebuild a run from the session as the faulty link delivers it.

    Raises:
        AssertionError: a promise is broken.
    """
    artifacts = directory / "artifacts"
    shutil.rmtree(artifacts, ignore_errors=True)
    watcher = _Watcher()
    with fault.link(session.data) as fd, session.opened(fd) as link:
        result = process(Connection(link), artifacts, watcher, liveness_seconds=_limit(session, fault))
    kept = _kept(artifacts)
    whole = session.events_before(fault.offset)
    assert kept[: len(whole)] == whole, "an event that came before the fault is missing"
    assert watcher.statuses[-1] is result.status
    assert (artifacts / "status").read_text() == result.status.value
    assert not (artifacts / ".incoming").exists()
    if fault.kind is Kind.DRIBBLE or fault.offset == len(session.data):
        assert (result.status, result.rc, result.exit_status) == (StatusName.SUCCESSFUL, 0, 0), result.explanation
    if result.status is StatusName.SUCCESSFUL:
        if session.notices_everything:
            assert kept == session.events_before(len(session.data)), "an event is missing or is another"
            assert (artifacts / "stdout").read_bytes() == session.files["stdout"]
        return
    assert fault.kind is not Kind.DRIBBLE
    assert watcher.statuses.count(StatusName.ERROR) == 1
    assert result.status is StatusName.ERROR
    assert result.exit_status in _EXIT_STATUSES
    _check_cause(result.explanation)
    if fault.kind is Kind.STALL:
        assert result.exit_status == SilentPeer.exit_status
        assert "the worker has been silent for" in (result.explanation or "")


def check_job(session: Session, fault: Fault, directory: Path) -> None:
    """Unpack the session's job as the faulty link delivers it.

    Raises:
        AssertionError: a promise is broken.
    """
    target = directory / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    store = Kept(session.kept)
    with fault.link(session.data) as fd, session.opened(fd) as link:
        ready, error = _take(link, target, SILENCE_SECONDS if fault.kind is Kind.STALL else _NEVER, store)
    assert all(digest(data, ALGORITHM) == name for name, data in store.items()), "the cache is damaged"
    if fault.kind is Kind.DRIBBLE or fault.offset == len(session.data):
        assert ready, error
    if ready and session.notices_everything:
        found = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
        assert found == session.files
    if error is not None:
        _check_cause(str(error))
    elif fault.offset < len(session.data):
        assert ready
    if isinstance(error, SilentPeer):
        assert "the transmit stage has been silent for" in str(error)


def _take(
    link: int | InputLayer, target: Path, liveness_seconds: float, store: Kept
) -> tuple[bool, PlaystreamError | None]:
    """Read the job and what follows it, as the worker does: whether it came, and the error that ended the reading."""
    said: list[Record] = []
    intake = Intake(
        link,
        target,
        said.append,
        lambda _dialect: None,
        liveness_seconds=liveness_seconds,
        replace=False,
        open_store=lambda _algorithm: store,
    )
    poller = Poller()
    poller.watch(intake, intake.read)
    try:
        while intake.open:
            poller.wait(intake.time_left)
            intake.check()
    except PlaystreamError as error:
        return intake.ready, error
    finally:
        intake.close()
    return intake.ready, None


def _check_cause(explanation: str | None) -> None:
    assert explanation
    assert "\n" not in explanation
    assert "Traceback" not in explanation


def _kept(artifacts: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_bytes()) for path in (artifacts / "job_events").iterdir()]
    return sorted(found, key=lambda event: int(event["counter"]))
