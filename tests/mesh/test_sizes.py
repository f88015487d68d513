"""How much room a server reserves for a mesh."""

from __future__ import annotations

import asyncio

from playstream.mesh.streams import Sizes, make_streams, sizes_of
from playstream.mesh.subjects import own_group
from tests.mesh.servers import NatsServer
from tests.mesh.test_client import connected


def test_a_server_with_16_gb_has_room_for_a_group_and_25_nodes(server: NatsServer) -> None:
    groups = ["web", *(own_group(f"node{number}") for number in range(25))]

    async def run() -> None:
        async with connected(server) as client:
            for group in groups:
                assert len(await make_streams(client, group, sizes_of(group, Sizes()), lost_after=6.0)) == 5

    asyncio.run(run())


def test_the_group_of_one_node_gets_a_part() -> None:
    sizes = Sizes(queue_bytes=1 << 20, output_bytes=1 << 32, keep_seconds=5.0)
    assert sizes_of("web", sizes) == sizes
    own = sizes_of(own_group("node1"), sizes)
    assert (own.queue_bytes, own.output_bytes, own.input_bytes) == (1 << 20, 1 << 28, 5 << 24)
    assert own.keep_seconds == 5.0
