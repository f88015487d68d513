"""Results that were changed, cut, exchanged or repeated on the server are refused, with what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from playstream.mesh.chunks import LAST
from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import Message
from playstream.mesh.subjects import new_job
from tests.mesh.nodes import World
from tests.mesh.test_life import only_job


def changed(parts: list[Message]) -> list[Message]:
    middle = len(parts) // 2
    part = parts[middle]
    flipped = part.data[:-1] + bytes([part.data[-1] ^ 1])
    return [*parts[:middle], replace(part, data=flipped), *parts[middle + 1 :]]


def cut(parts: list[Message]) -> list[Message]:
    return [parts[0], replace(parts[1], headers={LAST: "1"})]


def exchanged(parts: list[Message]) -> list[Message]:
    one, other = parts[0], parts[1]
    return [replace(one, data=other.data), replace(other, data=one.data), *parts[2:]]


def repeated(parts: list[Message]) -> list[Message]:
    return [parts[0], replace(parts[1], data=parts[0].data), *parts[2:]]


def made_up(parts: list[Message]) -> list[Message]:
    return [replace(parts[0], data=b"made up"), *parts[1:]]


ALTERED, ENDED = 76, 75
CHANGES: dict[Callable[[list[Message]], list[Message]], tuple[int, str]] = {
    changed: (ALTERED, "of the encrypted stream was altered in transit"),
    cut: (ENDED, "the encrypted stream ended before batch"),
    exchanged: (ALTERED, "the stream was altered in transit"),
    repeated: (ALTERED, "is damaged: the stream was altered in transit"),
    made_up: (ALTERED, "the stream was altered in transit"),
}
"""What a server could do to results, and the exit status and words of whoever reads them."""


async def read_parts(client: MeshClient) -> list[Message]:
    """Return all results of the only job."""
    parts = await client.fetch_all("OUT_web", "out.web.>", seconds=20)
    return sorted(parts, key=lambda part: int(part.subject.rpartition(".")[2]))


def replace_parts(world: World, parts: list[Message]) -> None:
    """Put other results into their place."""

    async def store(client: MeshClient) -> None:
        await client.administer("STREAM.PURGE.OUT_web")
        for part in parts:
            headers = {name: value for name, value in part.headers.items() if name == LAST}
            await client.store(part.subject, part.data, seconds=20, message_id=new_job(), headers=headers)

    world.as_operator(store)


def test_results_that_were_changed_on_the_server_are_refused(world: World, directory: Path, tmp_path: Path) -> None:
    node = world.node("node1")
    assert world.run(directory, "site.yml")[0] == 0
    node.wait_for("ended", outcome="worker")
    job = only_job(world)
    parts = world.as_operator(read_parts)
    assert len(parts) > 3
    for change, (expected, words) in CHANGES.items():
        replace_parts(world, change(parts))
        status, _stdout, stderr = world.finish(world.attach(job, tmp_path / change.__name__))
        assert (status, words in stderr) == (expected, True), stderr
    replace_parts(world, parts)
    assert world.finish(world.attach(job))[0] == 0
