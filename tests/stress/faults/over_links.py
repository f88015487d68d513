"""Jobs over links with a fault between the link and the worker, or below ssh: what has to hold."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import RemoteProtocolError, error_classes
from playstream.pipeline.protocol import NEED_DATA, Event, Noise, Receiver, Record
from playstream.pipeline.protocol.order import Direction
from tests.processes import is_running, marked_processes, wait_until
from tests.sshd import Sshd
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.faults.faulty import DOWN
from tests.stress.faults.link import Fault, Kind

_PROGRAM = (sys.executable, str(Path(__file__).with_name("faulty.py")))
_EXIT_STATUSES = {cls.exit_status for cls in error_classes()} | {254}
_HARMLESS = {Kind.DRIBBLE}
_PROXY = "PLAYSTREAM_TESTS_PROXY"
"""The variable with the words of a ProxyCommand, which the shell splits."""


@dataclass(frozen=True)
class LinkFault:
    """One fault of one direction."""

    fault: Fault
    direction: str
    below: bool = False
    """Whether it is below ssh, so that nothing of the stream is known. ssh waits for the rest of a damaged packet."""

    @property
    def limits(self) -> tuple[str, ...]:
        """Flags of both sides: the limit of silence is short if it ends the job, and else longer than any job."""
        seconds = "30"
        if self.fault.kind not in _HARMLESS and (self.below or self.fault.kind is Kind.STALL):
            seconds = "3" if self.below else "1"  # logging in takes longer on a busy host
        return ("--liveness-seconds", seconds, "--keepalive-seconds", "0.2")

    def words(self, notes: Path, *command: str) -> tuple[str, ...]:
        """Return the words that run a command with this fault; see faulty.py."""
        parts = (self.fault.kind.value, self.direction, str(self.fault.offset), str(self.fault.seed))
        return (*_PROGRAM, ",".join(parts), str(notes), *command)


@dataclass(frozen=True)
class Outcome:
    """What a job over a link has left.

    Args:
        exit_status: that of `run`.
        text: what it said on standard error.
        artifacts: the directory of its artifacts.
        notes: the notes of the faulty program.
    """

    exit_status: int
    text: str
    artifacts: Path
    notes: Path

    @property
    def status(self) -> str:
        """The artifact `status`."""
        return (self.artifacts / "status").read_text()

    @property
    def met(self) -> bool:
        """Whether there was a fault."""
        return (self.notes / "met").exists()

    def passed(self, direction: str) -> bytes:
        """Return what was passed on before the fault; of `DIRECTION-rest`, what came to be passed on after it."""
        path = self.notes / direction
        return path.read_bytes() if path.exists() else b""

    def events(self) -> list[dict[str, object]]:
        """Return the events that were kept."""
        found = [json.loads(path.read_bytes()) for path in (self.artifacts / "job_events").glob("*.json")]
        return sorted(found, key=lambda event: int(event["counter"]))


Connect = Callable[[LinkFault, Path], tuple[str, list[str]]]
"""Makes a link with a fault, whose program keeps notes in a directory; returns its URL, and words before `run`."""


def exec_link(fault: LinkFault, notes: Path) -> tuple[str, list[str]]:
    """Return `exec:` with a fault; see Connect."""
    return "exec:" + shlex.join(fault.words(notes, sys.executable, "-m", "playstream", "worker", *fault.limits)), []


def ssh_link(fault: LinkFault, notes: Path) -> tuple[str, list[str]]:
    """Return `ssh://` with a fault between sshd and the worker; see Connect."""
    program = notes / "worker.sh"
    words = fault.words(notes, sys.executable, "-m", "playstream", "worker", *fault.limits)
    program.write_text(f"#!/bin/sh\nexec {shlex.join(words)}\n")
    program.chmod(0o755)
    return f"ssh://worker-1?command={program}", []


def link_below_ssh(fault: LinkFault, notes: Path) -> tuple[str, list[str]]:
    """Return `ssh://` with a fault below ssh, for a host with `proxy_line` in its configuration; see Connect."""
    return "ssh://worker-1", ["env", f"{_PROXY}={shlex.join(fault.words(notes))}"]


def proxy_line(host: Sshd) -> str:
    """Return the line of ssh's configuration for `link_below_ssh`."""
    return f"ProxyCommand ${_PROXY} tcp:{host.address}:{host.port}"


def run(stages: Stages, directory: Path, ident: str, connect: Connect, fault: LinkFault) -> Outcome:
    """Run the job of a directory over a link with a fault."""
    notes = directory.parent / f"notes-{ident}"
    notes.mkdir()
    link, before = connect(fault, notes)
    words: tuple[str | Path, ...] = (
        "run",
        directory,
        "-p",
        "not-utf8.yml",
        "-i",
        ident,
        "-q",
        "--on",
        link,
        *fault.limits,
    )
    process = stages.start(*words, stdin=subprocess.DEVNULL, prefix=tuple(before))
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    return Outcome(process.returncode, stderr.decode(), directory / "artifacts" / ident, notes)


def check(outcome: Outcome, fault: LinkFault, stdout: bytes) -> None:
    """Check the promises that a link has with any fault.

    Args:
        outcome: what a job has left.
        fault: the fault.
        stdout: what the job prints.

    Raises:
        AssertionError: a promise is broken.
    """
    text, status = outcome.text, outcome.status
    assert "Traceback" not in text, text
    assert (outcome.exit_status == 0) == (status == "successful"), (status, text)
    if outcome.exit_status == 0:
        assert outcome.events(), "no event was kept"
        assert (outcome.artifacts / "stdout").read_bytes() == stdout
        assert (outcome.artifacts / "rc").read_text() == "0"
    else:
        assert outcome.met, f"there was no fault, but {text}"
        assert fault.fault.kind not in _HARMLESS, text
        assert len([line for line in text.splitlines() if " warning: " not in line]) == 1, text
        assert outcome.exit_status in _EXIT_STATUSES, text
        assert "previous stage" not in text, text  # there is none
        assert ".. " not in text, text
    if not fault.below:
        _check_stream(outcome, fault)
    worker = outcome.notes / "worker"
    if worker.exists():
        wait_until(lambda: not is_running(int(worker.read_text())))


def _check_stream(outcome: Outcome, fault: LinkFault) -> None:
    """Check that what came before the fault was kept, and that a changed stream is not a success."""
    before, ended = decode(outcome.passed(DOWN))
    events = [json.loads(record.json) for record in before if isinstance(record, Event)]
    assert outcome.events()[: len(events)] == events, "an event that came before the fault is missing"
    if fault.direction == DOWN and outcome.met and not ended and fault.fault.kind not in _HARMLESS:
        came = outcome.passed(DOWN) + outcome.passed(f"{DOWN}-rest")
        records, is_whole = decode(b"".join(fault.fault.apply(came)))
        # Bytes that come again between two frames are skipped, if they begin none.
        if not (is_whole and records == decode(came)[0]):
            assert outcome.exit_status != 0, "a changed stream was taken for a whole one"


def decode(data: bytes) -> tuple[list[Record], bool]:
    """Return the records of a stream, without what is skipped between them, and whether it is whole."""
    receiver = Receiver(Direction.RESULT)
    receiver.receive_data(data)
    records: list[Record] = []
    try:
        while not receiver.closed and (record := receiver.next_record()) is not NEED_DATA:
            if not isinstance(record, Noise):
                records.append(record)
    except RemoteProtocolError:
        pass
    return records, receiver.closed


def check_nothing_left(stages: Stages) -> None:
    """Check that no process of a job and no file is left.

    Raises:
        AssertionError: there is.
    """
    wait_until(lambda: marked_processes(stages.temporary) == [])
    assert stages.leftovers() == [], os.listdir(stages.temporary)
