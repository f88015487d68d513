"""Rows on a capture of a million events: looking at it, showing it again, and showing its end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, Samples, interleave, memory
from benchmarks.inputs import Inputs
from benchmarks.programs import Program, peak_memory, time_pipeline
from playstream.pipeline.protocol import Event, Sender, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.process.store.events import FIRST, Script

EVENTS, HOSTS = 1_000_000, 100
RES = {
    "changed": True,
    "rc": 0,
    "cmd": ["uptime"],
    "stdout": "load average: 0.08",
    "stderr": "",
    "delta": "0:00:00.004",
}
_S, _MIB = "s", "MiB"
_FRAME = 20
"""Events in a frame, as when they follow one another closely."""
_LAST_SECONDS = 60
_STORE = "from a store"


def capture_rows(inputs: Inputs, runs: int) -> list[Row]:
    """Each command on the capture, with its output thrown away; peaks of memory are those of its own process."""
    events = max(10_000, round(EVENTS * inputs.scale))
    folder = inputs.work / "captures"
    folder.mkdir()
    capture, cache = folder / "capture", folder / "cache"
    write_capture(capture, events)
    store = str(folder / "runs.db")
    process = inputs.toolbox.playstream("process", folder / "made", "-i", "kept", "-q")
    time_pipeline([replace(process, argv=[*process.argv, "--store", store, "--store-events"])], source=capture)

    def command(*words: str) -> Program:
        program = inputs.toolbox.playstream(*words)
        return replace(program, env={**program.env, "XDG_CACHE_HOME": str(cache)})

    replay = ("replay", str(capture), "--speed", "max")
    near_end = ("--from", str(events - _LAST_SECONDS))
    made = command(*replay), command(*replay, *near_end)
    programs: Mapping[str, tuple[Program, Callable[[], None]]] = {
        "inspect --json, with the index made": (command("inspect", str(capture), "--json"), _without(cache)),
        "inspect --json": (command("inspect", str(capture), "--json"), _with(cache, made[0])),
        "replay, with the index made": (made[0], _without(cache)),
        "replay": (made[0], _with(cache, made[0])),
        "replay --from near the end, with the index made": (made[1], _without(cache)),
        "replay --from near the end, with the index": (made[1], _with(cache, made[0])),
        f"replay {_STORE}": (command("replay", "kept", "--store", store, "--speed", "max"), _nothing),
        f"replay {_STORE} --from near the end": (
            command("replay", "kept", "--store", store, "--speed", "max", *near_end),
            _nothing,
        ),
    }
    what = f"a capture of {events:,} events"
    rows = []
    for name, (program, prepare) in programs.items():
        times = interleave({name: _measured(prepare, program, _time)}, runs, _S, warm_up=False)[name]
        rows.append(Row(f"{what}: {name}", times, None, None, ""))
        peaks = interleave({name: _measured(prepare, program, peak_memory)}, 1, _MIB, warm_up=False)[name]
        row = memory(f"peak memory of {what}: {name}", peaks, None)
        # SQLAlchemy, which a store needs, takes most of the limit before anything is read.
        rows.append(replace(row, target="", met=None) if _STORE in name else row)
    sizes = Samples("index", _MIB, [_size(cache) / (1 << 20)])
    return [*rows, Row(f"{what} of {capture.stat().st_size / (1 << 20):.1f} MiB: its index", sizes, None, None, "")]


def write_capture(path: Path, events: int) -> None:
    """Write a capture of a run with so many events, a second after one another."""
    sender = Sender(Direction.RESULT)
    with path.open("wb") as file:
        file.write(sender.send(Status(StatusName.RUNNING, FIRST.isoformat())))
        for number, event in enumerate(_events(events), 1):
            event["counter"] = number
            event["created"] = (FIRST + timedelta(seconds=number)).isoformat()
            record = Event(number, json.dumps(event).encode())
            file.write(sender.send(record, flush=number % _FRAME == 0))
        file.write(sender.send(Status(StatusName.SUCCESSFUL, FIRST.isoformat(), rc=0)))
        file.write(sender.end())


def _events(number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a run: tasks on hosts, each with a line of output."""
    script = Script("large").play()
    made = 0
    for task in count():
        for event in script.events:
            made += 1
            yield event
        if made >= number - HOSTS:
            break
        script.events.clear()
        script.task(f"Task {task}", "command")
        for host in range(HOSTS):
            script.result("ok", f"host{host}", RES)
            script.events[-1].update(stdout=f"changed: [host{host}]", end_line=1)
    script.events.clear()
    yield from script.stats().events


def _time(program: Program) -> float:
    return time_pipeline([program])


def _measured(
    prepare: Callable[[], None], program: Program, measure: Callable[[Program], float]
) -> Callable[[], float]:
    def measured() -> float:
        prepare()
        return measure(program)

    return measured


def _nothing() -> None:
    pass


def _without(cache: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(cache, ignore_errors=True)


def _with(cache: Path, makes: Program) -> Callable[[], None]:
    def make() -> None:
        if not cache.exists():
            time_pipeline([makes])

    return make


def _size(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.rglob("*.index"))
