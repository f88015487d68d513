"""Too much to carry: a gigabyte of text, a result of 200 MB, a million events, a handler that blocks for a minute.

Nothing may be lost, and no stage may grow with what it carries.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.processes import Repeating
from tests.stress.faults.flooding import FAKES, flooded
from tests.stress.faults.report import Report
from tests.stress.load.measure import peak_of

MIB = 1 << 20
Peaks = dict[str, int]
_TEXT = 1 << 30
_RESULT = 200_000_000
_EVENTS = 1_000_000
_HELD_UP_TEXT = 64 * MIB
MOST_MEMORY = 320 * MIB
"""What worker or process may hold at most. The largest record, 60 MiB, is held a few times over."""
_LONGEST_EVENT = 8 * MIB
"""A text of 1 MiB whose letters all have to be escaped, and the rest."""
_MAX_RES = 700_000
_LOAD_FAKES = Path(__file__).parents[1] / "load" / "fakes"
_PLAY = "- hosts: all\n  gather_facts: false\n  tasks:\n  - name: flood\n    flood:\n"
_MODULE = """\
#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).exit_json(changed=True, %s=("x" * 1023 + "\\n") * (%d // 1024))
"""


class _Watch(Repeating):
    """Asks for the peaks of processes again and again in a thread of its own, for ended ones have none."""

    def __init__(self, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
        self.peaks: Peaks = dict.fromkeys(processes, 0)
        self._processes = processes
        super().__init__(self._look, pause=0.05)

    def _look(self) -> None:
        for name, process in self._processes.items():
            self.peaks[name] = max(self.peaks[name], peak_of(process.pid))


def run_stages(
    directory: Path,
    size: int,
    playbook: str,
    *,
    transmit: Callable[[Path], list[str]] | None = None,
    process: Callable[[Path], list[str]] | None = None,
    fakes: Path = FAKES,
    prepare: Callable[[Path], object] | None = None,
    words: tuple[str, ...] = (),
    ident: str | None = None,
    most_memory: int = MOST_MEMORY,
) -> tuple[Path, Peaks, str]:
    """A run of three stages that must be successful: its artifacts, the peaks, and what process printed.

    Args:
        directory: where all of it goes.
        size: see `flooded`.
        playbook: what is run.
        transmit: the command of the first stage, in place of the usual one with `words`.
        process: that of the last.
        fakes: see `flooded`.
        prepare: adds to the private data directory.
        words: more words for transmit.
        ident: that of process; `words` say the job's.
        most_memory: bytes that each stage may hold.
    """
    with flooded(directory, size, fakes=fakes) as (stages, demo):
        if prepare is not None:
            prepare(demo)
        command = [sys.executable, "-m", "playstream"]
        named = ["-i", ident] if ident is not None else []
        first = transmit or (lambda demo: [*command, "transmit", str(demo), "-p", playbook, *words])
        last = process or (lambda demo: [*command, "process", str(demo), "-q", *named])
        with tempfile.TemporaryFile() as said:
            begin = subprocess.Popen(
                first(demo), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=stages.env
            )
            worker = stages.start("worker", stdin=begin.stdout, stderr=said)
            end = subprocess.Popen(last(demo), stdin=worker.stdout, stdout=subprocess.PIPE, stderr=said, env=stages.env)
            for stage in (begin, worker):
                assert stage.stdout is not None
                stage.stdout.close()
            with _Watch({"transmit": begin, "worker": worker, "process": end}) as watch:
                printed, _ = end.communicate()
                statuses = [stage.wait() for stage in (begin, worker, end)]
            said.seek(0)
            complaints = said.read().decode()
        artifacts = demo / "artifacts" / (ident or "")
        assert statuses == [0, 0, 0], (statuses, complaints[-2000:])
        assert (artifacts / "status").read_text() == "successful"
        for name, peak in watch.peaks.items():
            assert 0 < peak < most_memory, f"{name} held {peak // MIB} MiB"
        return artifacts, watch.peaks, printed.decode() + complaints


def _events(artifacts: Path) -> Iterator[dict[str, Any]]:
    """The events in their order, one by one, without a gap in their numbers."""
    names = sorted(os.listdir(artifacts / "job_events"), key=lambda name: int(name.split("-")[0]))
    for number, name in enumerate(names, 1):
        path = artifacts / "job_events" / name
        assert path.stat().st_size <= _LONGEST_EVENT, f"event {number} is too long"
        event = json.loads(path.read_bytes())
        assert event["counter"] == number
        yield event


def _check_text(artifacts: Path) -> int:
    """The size of `stdout`, of which the events hold every byte too."""
    kept, shown = hashlib.sha256(), hashlib.sha256()
    with (artifacts / "stdout").open("rb") as file:
        while piece := file.read(MIB):
            kept.update(piece)
    for event in _events(artifacts):
        text = event["stdout"]
        ends = "\r\n" * (event["end_line"] - event["start_line"] - text.count("\n"))
        shown.update((text + ends).encode())
    assert kept.digest() == shown.digest(), "stdout and the events differ"
    return (artifacts / "stdout").stat().st_size


def _text(directory: Path) -> Peaks:
    artifacts, peaks, _ = run_stages(directory, _TEXT, "text.yml")
    assert _check_text(artifacts) == _TEXT
    return peaks


def _real_text(directory: Path, *words: str) -> Peaks:
    """A task's stdout, of which Ansible makes stdout_lines. With -v it shows both."""
    artifacts, peaks = _real_task(directory, "stdout", *words)
    shown = _check_text(artifacts)
    assert shown > 2 * (_RESULT - MIB) if "-v" in words else 0 < shown < MIB, shown
    return peaks


def _real_result(directory: Path) -> Peaks:
    return _real_task(directory, "text")[1]


def _real_task(directory: Path, name: str, *words: str) -> tuple[Path, Peaks]:
    """A module that gives 200 MB back, by this name. What Ansible itself holds of it is Ansible's."""

    def prepare(demo: Path) -> None:
        (demo / "project" / "library").mkdir()
        (demo / "project" / "library" / "flood.py").write_text(_MODULE % (name, _RESULT))
        (demo / "project" / "result.yml").write_text(_PLAY)

    artifacts, peaks, _ = run_stages(
        directory, 0, "result.yml", fakes=Path(sys.executable).parent, prepare=prepare, words=words
    )
    _check_cut(artifacts, name, _RESULT - MIB)
    return artifacts, peaks


def _check_cut(artifacts: Path, name: str, size: int) -> None:
    """The result is cut and marked, and says that the task changed something."""
    results = [event for event in _events(artifacts) if event["event"] == "runner_on_ok"]
    data = results[-1]["event_data"]
    assert len(results) == 1
    assert name not in data["res"]
    assert data["res"]["changed"] is True
    assert data["res_truncated"]["size"] > size
    assert data["res_truncated"]["limit"] == _MAX_RES


def _long_event(directory: Path) -> Peaks:
    artifacts, peaks, said = run_stages(
        directory,
        _RESULT,
        "result.yml",
        process=lambda demo: [
            sys.executable,
            "-m",
            "playstream",
            "process",
            str(demo),
        ],
    )
    assert [event["event_data"] for event in _events(artifacts)] == [{}, {}]
    assert "its event_data is omitted" in said, said
    return peaks


def _many_events(directory: Path, dialect: str) -> Peaks:
    artifacts, peaks, _ = run_stages(directory, _EVENTS, "text.yml", fakes=_LOAD_FAKES, words=("--dialect", dialect))
    lines = itertools.count()
    for event in _events(artifacts):
        assert event["start_line"] == next(lines)
    assert next(lines) == _EVENTS
    assert (artifacts / "stdout").read_bytes().count(b"\n") == _EVENTS
    return peaks


def _slow_handler(directory: Path, seconds: float) -> Peaks:
    """The worker goes on until its mailbox is full; then Ansible waits."""
    began = time.monotonic()
    artifacts, peaks, said = run_stages(
        directory,
        _HELD_UP_TEXT,
        "text.yml",
        process=lambda demo: [
            sys.executable,
            "-m",
            "tests.stress.faults.slow_handler",
            str(demo),
            str(seconds),
        ],
    )
    assert time.monotonic() - began >= seconds
    assert said == f"successful {_HELD_UP_TEXT // MIB}\n", said
    assert _check_text(artifacts) == _HELD_UP_TEXT
    return peaks


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Run each case once."""
    cases: dict[str, Callable[[Path], Peaks]] = {
        "1 GiB of text": _text,
        "200 MB of a real task's stdout": _real_text,
        "200 MB of a real task's stdout, -v": lambda directory: _real_text(directory, "-v"),
        "a real result of 200 MB": _real_result,
        "an event of 200 MB": _long_event,
        "1,000,000 events, native": lambda directory: _many_events(directory, "playstream"),
        "1,000,000 events, runner": lambda directory: _many_events(directory, "runner"),
        f"a handler that blocks for {flags.block_seconds:g} s": lambda directory: _slow_handler(
            directory, flags.block_seconds
        ),
    }
    for row, case in cases.items():
        with tempfile.TemporaryDirectory(dir=flags.entries_directory) as name:
            began = time.monotonic()
            try:
                for stage, peak in case(Path(name)).items():
                    report.add(f"{row}: memory of {stage}", peak / MIB, "MiB")
                report.add(f"{row}: run and check", time.monotonic() - began, "s")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                report.fail(row, repr(error)[-1500:])
