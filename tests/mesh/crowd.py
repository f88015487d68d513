"""Many jobs on many nodes, of which some are killed and some are frozen at random moments."""

from __future__ import annotations

import asyncio
import io
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import playstream
from playstream.mesh.client import MeshClient
from playstream.mesh.directory import add_member
from playstream.mesh.identity import Kind
from playstream.mesh.messages import JobEnd, Outcome, decode
from playstream.mesh.streams import make_all
from playstream.mesh.submission import Addressee, Submission
from playstream.pipeline.errors import NodeLost, PlaystreamError
from tests.mesh.nodes import SIZES, NodeProcess, World
from tests.stages import read_records


@dataclass(frozen=True)
class Crowd:
    """How many there are of what."""

    jobs: int
    nodes: int
    killed: int
    frozen: int
    seed: int


@dataclass(frozen=True)
class Result:
    """What the submitter of one job has got."""

    name: str
    failure: PlaystreamError | None
    stream: bytes


class _Sink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass


def add_nodes(world: World, number: int) -> list[NodeProcess]:
    """Add nodes to the group web, and start them."""
    names = [f"many{index}" for index in range(number)]
    for name in names:
        add_member(world.mesh.directory, Kind.NODE, name, ["web"])
    world.mesh.reload()

    async def make(client: MeshClient) -> None:
        await make_all(client, world.mesh.identity("admin"), SIZES)

    world.as_operator(make)
    return [world.node(name, "--slots", "2") for name in names]


def make_job(directory: Path, name: str, place: Path, seconds: float) -> bytes:
    """Return the stream of a job that notes when it begins and ends."""
    output = io.BytesIO()
    playstream.run(
        private_data_dir=str(directory),
        playbook="once.yml",
        ident=name,
        envvars={"ONCE": str(place), "NAME": name, "SECONDS": str(seconds)},
        streamer="transmit",
        _output=output,
        quiet=True,
    )
    return output.getvalue()


async def submit(world: World, name: str, job: bytes) -> Result:
    """Send one job, and follow it to its end."""
    identity = world.mesh.identity("ann")
    client = MeshClient(identity.endpoint)
    await client.connect(60)
    try:
        source, sink = asyncio.StreamReader(), _Sink()
        source.feed_data(job)
        source.feed_eof()
        submission = Submission(client, identity, Addressee("web", identity.groups["web"]), "nats:///web")
        await submission.run(source, sink)
        return Result(name, submission.failure, bytes(sink.data))
    finally:
        await client.close()


async def read_ends(client: MeshClient) -> dict[str, JobEnd]:
    """Return the end of each job of the group web."""
    found = await client.administer("STREAM.INFO.STATE_web", {"subjects_filter": "end.>"})
    ends = {}
    for subject in found["state"].get("subjects") or {}:
        message = await client.find("STATE_web", subject, seconds=60)
        assert message is not None
        ends[subject] = decode(JobEnd, message.data)
    return ends


def run_crowd(world: World, directory: Path, place: Path, crowd: Crowd) -> tuple[list[Result], dict[str, JobEnd]]:
    """Run the jobs while nodes die; return what the submitters got, and all ends."""
    chance = random.Random(crowd.seed)
    nodes = add_nodes(world, crowd.nodes)
    jobs = {
        f"job{number}": make_job(directory, f"job{number}", place, chance.uniform(0.1, 2))
        for number in range(crowd.jobs)
    }
    victims = chance.sample(nodes, crowd.killed + crowd.frozen)
    moments = sorted(chance.sample(range(crowd.jobs // 2), len(victims)))

    async def hurt() -> None:
        for number, (node, moment) in enumerate(zip(victims, moments, strict=True)):
            while len(list(place.glob("*.begun"))) < moment:
                await asyncio.sleep(0.02)
            node.send(signal.SIGKILL if number < crowd.killed else signal.SIGSTOP)

    async def run() -> list[Result]:
        hurting = asyncio.create_task(hurt())
        results = await asyncio.gather(*(submit(world, name, job) for name, job in jobs.items()))
        await hurting
        return results

    results = asyncio.run(run())
    for node in victims[crowd.killed :]:
        node.send(signal.SIGCONT)
    return results, world.as_operator(read_ends)


def check_crowd(results: list[Result], ends: dict[str, JobEnd], place: Path, crowd: Crowd) -> None:
    """Check that each job has exactly one end, that the submitter knows it, and that none has run twice."""
    assert len(results) == crowd.jobs
    assert len(ends) == crowd.jobs
    outcomes = [end.outcome for end in ends.values()]
    strange = [end for end in ends.values() if end.outcome not in {Outcome.WORKER, Outcome.LOST}]
    assert strange == [], strange
    lost = [result for result in results if result.failure is not None]
    others = [str(result.failure) for result in lost if not isinstance(result.failure, NodeLost)]
    assert others == [], others
    assert outcomes.count(Outcome.LOST) == len(lost) <= 2 * (crowd.killed + crowd.frozen)
    for result in results:
        if result.failure is None:
            kinds = [type(record).__name__ for record in read_records(result.stream)]
            assert kinds[-1] == "End", result.name
            assert (place / f"{result.name}.ended").exists(), result.name
