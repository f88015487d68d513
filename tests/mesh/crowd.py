"""Many jobs on many nodes, of which some are killed and some are frozen at random moments."""

from __future__ import annotations

import asyncio
import io
import random
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import playstream
from playstream.mesh.client import MeshClient
from playstream.mesh.directory import add_member
from playstream.mesh.identity import Kind
from playstream.mesh.messages import Claim, Content, JobEnd, Outcome, decode
from playstream.mesh.streams import make_all
from playstream.mesh.subjects import JobSubjects
from playstream.mesh.submission import Addressee, Submission
from playstream.pipeline.errors import NodeLost, PlaystreamError
from tests.mesh.meshes import Mesh
from tests.mesh.nodes import SIZES, NodeProcess, World
from tests.mesh.servers import CURRENT
from tests.processes import wait_until
from tests.stages import Stages, read_records

_AT_ONCE = 4
"""Submitters that connect at the same time."""
_Content = TypeVar("_Content", bound=Content)


@dataclass(frozen=True)
class Crowd:
    """How many there are of what."""

    jobs: int
    nodes: int
    killed: int
    frozen: int
    seed: int
    lost_after: float = 30.0
    """A value that is so large that a busy host does not lose a node that is well."""


@dataclass(frozen=True)
class Result:
    """What the submitter of one job has got."""

    name: str
    job: JobSubjects
    failure: PlaystreamError | None
    stream: bytes


@dataclass(frozen=True)
class Outcomes:
    """What has become of all jobs."""

    results: list[Result]
    ends: dict[str, JobEnd]
    """By the name of the job."""
    claims: dict[str, Claim]
    victims: set[str]
    """The nodes that were killed or frozen."""
    seconds: float
    """From the first submission to the last end."""

    @property
    def lost(self) -> int:
        """How many jobs were lost with their nodes."""
        return sum(end.outcome is Outcome.LOST for end in self.ends.values())


class _Sink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass


LARGE = Crowd(jobs=200, nodes=20, killed=5, frozen=2, seed=1)


def run_checked(stages: Stages, folder: Path, crowd: Crowd) -> Outcomes:
    """Run jobs on a mesh of their own while nodes die; return what has become of them, which is as it must be.

    Args:
        stages: find an Ansible that knows once.yml.
        folder: where all of it goes.
        crowd: how many there are.

    Raises:
        AssertionError: a job has another end than it should, has run twice, or left something.
    """
    place, directory = folder / "once", folder / "demo"
    for path in (place, directory / "project", directory / "inventory"):
        path.mkdir(parents=True)
    (directory / "project" / "once.yml").write_text("[]\n")
    mesh = Mesh(CURRENT, folder / "mesh", lost_after=crowd.lost_after).start()
    try:
        world = World(mesh, stages, folder)
        try:
            outcomes = run_crowd(world, directory, place, crowd)
            check_crowd(outcomes, place, crowd)
            wait_until(lambda: world.processes() == [], 60)
            wait_until(lambda: world.queued() == 0, 60)
        finally:
            world.close()
    finally:
        mesh.kill()
    return outcomes


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


async def submit(world: World, name: str, job: bytes, turn: asyncio.Semaphore) -> Result:
    """Send one job, and follow it to its end. Submitters connect in turn: all of them are in one process."""
    identity = world.mesh.identity("ann")
    client, own = (MeshClient(identity.endpoint) for _ in range(2))
    async with turn:
        await client.connect(60)
        await own.connect(60)
    try:
        source, sink = asyncio.StreamReader(), _Sink()
        source.feed_data(job)
        source.feed_eof()
        submission = Submission(client, own, identity, Addressee("web", identity.groups["web"]), "nats:///web")
        await submission.run(source, sink)
        return Result(name, submission.job, submission.failure, bytes(sink.data))
    finally:
        await asyncio.gather(client.close(), own.close())


async def read_all(client: MeshClient, kind: type[_Content], word: str) -> dict[str, _Content]:
    """Return the claim, or the end, of each job of the group web, by the name of the job."""
    found = await client.administer("STREAM.INFO.STATE_web", {"subjects_filter": f"{word}.>"})
    messages = {}
    for subject in found["state"].get("subjects") or {}:
        message = await client.find("STATE_web", subject, seconds=60)
        assert message is not None
        messages[subject.rpartition(".")[2]] = decode(kind, message.data)
    return messages


def _is_idle(node: NodeProcess) -> bool:
    return len(node.events("ended")) >= len(node.events("started"))


def run_crowd(world: World, directory: Path, place: Path, crowd: Crowd) -> Outcomes:
    """Run the jobs while nodes die; return what has become of them.

    Args:
        world: a mesh.
        directory: a private data directory with once.yml.
        place: where the jobs say that they begin and end.
        crowd: how many there are.
    """
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
        turn = asyncio.Semaphore(_AT_ONCE)
        results = await asyncio.gather(*(submit(world, name, job, turn) for name, job in jobs.items()))
        await hurting
        return results

    began = time.monotonic()
    results = asyncio.run(run())
    seconds = time.monotonic() - began
    ends = world.as_operator(lambda client: read_all(client, JobEnd, "end"))
    for node in victims[crowd.killed :]:
        node.send(signal.SIGCONT)
        wait_until(partial(_is_idle, node), 60)
    again = world.as_operator(lambda client: read_all(client, JobEnd, "end"))
    assert again == ends, "an end was changed by a node that was frozen"
    claims = world.as_operator(lambda client: read_all(client, Claim, "claim"))
    return Outcomes(results, ends, claims, {node.name for node in victims}, seconds)


def check_crowd(outcomes: Outcomes, place: Path, crowd: Crowd) -> None:
    """Check that each job has one end, which its submitter knows, and has run at most once; only victims lose jobs.

    A node that is well may lose some if the time after which it counts as lost is short.
    """
    results, ends = outcomes.results, outcomes.ends
    assert {result.job.job for result in results} == set(ends)
    assert len(ends) == crowd.jobs
    for result in results:
        end, claim = ends[result.job.job], outcomes.claims.get(result.job.job)
        where = (result.name, claim, end, result.failure)
        assert claim is not None, where
        begun, ended = ((place / f"{result.name}.{word}") for word in ("begun", "ended"))
        assert not begun.exists() or begun.read_text() == "begun\n", ("it has run twice", *where)
        if end.outcome is Outcome.LOST:
            assert isinstance(result.failure, NodeLost), where
            assert claim.node in outcomes.victims or crowd.lost_after < Crowd.lost_after, where
        else:
            assert (end.outcome, end.status, result.failure) == (Outcome.WORKER, 0, None), where
            assert type(read_records(result.stream)[-1]).__name__ == "End", where
            assert ended.read_text() == "ended\n", where
