"""Rows on the mesh: links beside each other, the time in which an idle node takes a job, and many jobs on many nodes.

All is on this host: the server, the nodes, sshd and Receptor are reached over loopback. Links are measured with the
same program at their far end (`far_end`), in place of the worker.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

import playstream
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Contenders, Row, Samples, interleave, within
from benchmarks.inputs import PLAYBOOK, Inputs
from benchmarks.link_ends import (
    Latency,
    Unit,
    Way,
    speed_in,
    speed_out,
    through_mesh,
    through_pipe,
    through_service,
    through_ssh,
    time_events,
)
from benchmarks.mesh_hosts import GROUP, SUBMITTER, BenchMesh, Receptor, hosts
from benchmarks.programs import time_pipeline
from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.submission import Addressee, Submission
from playstream.mesh.terms import Terms
from tests.release.readme import a_host

PLAIN, ENCRYPTED = "mesh, --no-encryption", "mesh"
_PIPE, _SSH, _CONNECT, _UNIT = "pipe", "ssh", "Receptor connect", "Receptor work unit"
_PEERS: Final = {_PIPE: (_CONNECT,), _SSH: (_CONNECT,), PLAIN: (_CONNECT,), ENCRYPTED: (_CONNECT, _UNIT)}
"""What each link is shown beside."""
_EVENT_SECONDS = 5.0
_MEGABYTES = 128
_P99_MILLISECONDS = 10.0
_MEGABYTES_PER_SECOND = 60.0
_TAKE_MILLISECONDS = 50.0
_TAKES: Final = 4
"""Jobs for an idle node in each run, whose middle one counts."""
_PAUSE_SECONDS = 2.0
"""Time before a job for an idle node, in which it starts its next worker."""
JOBS, NODES = 200, 20
_JOBS_RATIO = 1.5
_HELLO = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: hello world}\n"


def mesh_rows(inputs: Inputs, runs: int) -> list[Row]:
    """Links, and idle nodes."""
    with (
        hosts(inputs, inputs.work / "m") as (far, real, receptor),
        a_host(inputs.work / "m" / "host") as ssh,
    ):
        ways: dict[str, Way] = {
            _PIPE: through_pipe(),
            _SSH: through_ssh(ssh),
            PLAIN: through_mesh(far, encrypted=False),
            ENCRYPTED: through_mesh(far, encrypted=True),
            _CONNECT: through_service(receptor),
        }
        return [
            *_event_rows(inputs, ways, Unit(receptor), runs),
            *_speed_rows(inputs, ways, Unit(receptor), runs),
            *_take_rows(inputs, real, receptor, runs),
        ]


def _event_rows(inputs: Inputs, ways: Mapping[str, Way], unit: Unit, runs: int) -> list[Row]:
    seconds = _EVENT_SECONDS * inputs.scale
    found: dict[str, list[Latency]] = {name: [] for name in (*ways, _UNIT)}
    contenders: dict[str, Callable[[], Latency]] = {
        name: partial(time_events, way, seconds) for name, way in ways.items()
    }
    contenders[_UNIT] = lambda: unit.time_events(seconds)
    for run in range(-1, runs):  # the first one is the warm-up
        for name, measure in contenders.items():
            figure = measure()
            if run >= 0:
                found[name].append(figure)
    medians = {name: Samples(name, "ms", [each.median for each in each_run]) for name, each_run in found.items()}
    slow = {name: Samples(name, "ms", [each.p99 for each in each_run]) for name, each_run in found.items()}
    return [
        *_beside("an event at 1,000/s, median", medians, lower_is_better=True),
        *_beside("an event at 1,000/s, 99th percentile", slow, lower_is_better=True, limit=_P99_MILLISECONDS),
    ]


def _speed_rows(inputs: Inputs, ways: Mapping[str, Way], unit: Unit, runs: int) -> list[Row]:
    size = max(1, int(_MEGABYTES * inputs.scale)) << 20
    incoming: Contenders = {
        **{name: partial(speed_in, way, size) for name, way in ways.items()},
        _UNIT: lambda: unit.speed_in(size),
    }
    outgoing: Contenders = {
        **{name: partial(speed_out, way, size) for name, way in ways.items()},
        _UNIT: lambda: unit.speed_out(size),
    }
    arrived, came = interleave(incoming, runs, "MB/s"), interleave(outgoing, runs, "MB/s")
    return [
        *_beside(f"{size >> 20} MiB in", arrived, lower_is_better=False, limit=_MEGABYTES_PER_SECOND),
        *_beside(f"{size >> 20} MiB out", came, lower_is_better=False),
    ]


def _beside(what: str, found: Mapping[str, Samples], *, lower_is_better: bool, limit: float | None = None) -> list[Row]:
    """Each link beside those of Receptor, with a limit for the median of those of the mesh."""
    rows = []
    for name, own in found.items():
        for peer in _PEERS.get(name, ()):
            row = within(f"{what}: {name}", own, found[peer], None, "time" if lower_is_better else "speed")
            if limit is None or name not in {PLAIN, ENCRYPTED}:
                rows.append(row)
                continue
            target = f"{'under' if lower_is_better else 'at least'} {limit:g} {own.unit}"
            met = own.median < limit if lower_is_better else own.median >= limit
            rows.append(Row(row.stage, own, row.peer, row.ratio, row.ratio_text, target, met))
    return rows


def _take_rows(inputs: Inputs, mesh: BenchMesh, receptor: Receptor, runs: int) -> list[Row]:
    """The milliseconds from a job that is stored to the first bytes that its worker sends.

    A worker sends its first bytes when it has read the first ones of the job, so it has read those before.
    """
    job = _job(inputs.work / "hello")

    def own(*, encrypted: bool) -> float:
        return median(asyncio.run(_take(mesh, job, encrypted=encrypted)) for _ in range(_TAKES))

    def peer() -> float:
        begin = time.monotonic()
        unit = receptor.submit("playstream", [job])
        try:
            with receptor.results(unit) as results:
                results.recv(1)
            return (time.monotonic() - begin) * 1000
        finally:
            receptor.release(unit)

    contenders: Contenders = {
        PLAIN: partial(own, encrypted=False),
        ENCRYPTED: partial(own, encrypted=True),
        _UNIT: peer,
    }
    found = interleave(contenders, runs, "ms")
    theirs = found.pop(_UNIT)
    rows = []
    for name, samples in found.items():
        row = within(f"a job for an idle node, to the first answer of its worker: {name}", samples, theirs, None)
        met = samples.median < _TAKE_MILLISECONDS
        rows.append(Row(row.stage, samples, theirs, row.ratio, row.ratio_text, f"under {_TAKE_MILLISECONDS:g} ms", met))
    return rows


@dataclass
class _Moments:
    """When the first message of each kind was seen."""

    seen: dict[str, float] = field(default_factory=dict)

    async def note(self, message: Message) -> None:
        self.seen.setdefault(message.subject.partition(".")[0], time.monotonic())


class _Sink:
    """Drops results."""

    def write(self, data: bytes, /) -> None:
        """Drop bytes."""

    async def drain(self) -> None:
        """Return at once."""


async def _take(mesh: BenchMesh, job: bytes, *, encrypted: bool) -> float:
    """Submit a job to an idle node, and return the milliseconds that it takes."""
    watcher = await mesh.mesh.connect("admin")
    identity = mesh.mesh.identity(SUBMITTER)
    client, own = (MeshClient(identity.endpoint) for _ in range(2))
    await client.connect()
    await own.connect()
    try:
        moments = _Moments()
        for word in ("job", "out"):
            await watcher.subscribe(f"{word}.>", moments.note)
        await watcher.flush()
        source = asyncio.StreamReader()
        source.feed_data(job)
        source.feed_eof()
        await asyncio.sleep(_PAUSE_SECONDS)
        to = Addressee(GROUP, identity.groups[GROUP])
        submission = Submission(client, own, identity, to, "benchmark", Terms(encrypted=encrypted))
        await submission.run(source, _Sink())
        if submission.failure is not None:
            raise BenchmarkError(str(submission.failure))
        return (moments.seen["out"] - moments.seen["job"]) * 1000
    finally:
        for each in (client, own, watcher):
            await each.close()


def _directory(place: Path) -> Path:
    (place / "project").mkdir(parents=True)
    (place / "inventory").mkdir()
    (place / "project" / "site.yml").write_text(_HELLO)
    (place / "inventory" / "hosts").write_text("localhost ansible_connection=local\n")
    return place


def _job(place: Path) -> bytes:
    """Return the stream of a small job."""
    output = io.BytesIO()
    playstream.run(
        private_data_dir=str(_directory(place)), playbook="site.yml", streamer="transmit", _output=output, quiet=True
    )
    return output.getvalue()


def mesh_jobs_rows(inputs: Inputs, runs: int) -> list[Row]:
    """Many small jobs on many nodes with a slot each, beside the same jobs here, as many at the same time."""
    jobs, nodes = max(1, round(JOBS * inputs.scale)), max(1, round(NODES * min(1.0, inputs.scale)))
    directory = _directory(inputs.work / "jobs")
    numbers = count()
    with closing(BenchMesh(inputs, inputs.work / "many", nodes)) as mesh:
        mesh.start_nodes("--slots", "1")

        def measure(*words: str) -> float:
            def run(number: int) -> None:
                ident = ("-i", f"job{number}", "-q")
                time_pipeline([inputs.toolbox.playstream("run", directory, *PLAYBOOK, *ident, *words)])

            begin = time.perf_counter()
            with ThreadPoolExecutor(nodes) as threads:
                list(threads.map(run, [next(numbers) for _ in range(jobs)]))
            return time.perf_counter() - begin

        contenders: Contenders = {"local": measure, "mesh": partial(measure, "--on", mesh.link)}
        found = interleave(contenders, runs, "s", warm_up=False)
    what = f"{jobs} jobs on {nodes} nodes"
    return [within(what, found["mesh"], Samples("the same jobs here", "s", found["local"].values), _JOBS_RATIO)]
