"""Nodes that do nothing, many in one process: python -m benchmarks.idle_nodes IDENTITY…

They are those of `playstream node`, with all that a node does while it waits for jobs, but no workers wait, and the
host is looked at once. Prints a line when all are connected, and runs until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from playstream.mesh.identity import Identity, read_identity
from playstream.mesh.node import agent
from playstream.mesh.node.agent import Node, NodeOptions
from playstream.mesh.node.looking import look_around


class _NoWorkers:
    """In place of ReadyWorkers."""

    def __init__(self, *_: object) -> None:
        pass

    def keep(self, _free: int) -> None:
        """Start none."""

    async def close(self) -> None:
        """End none."""


async def _start(identity: Identity) -> asyncio.Task[None]:
    """Start a node, and wait until it is connected."""
    connected = asyncio.Event()

    def log(event: str, **_: object) -> str:
        if event == "connected":
            connected.set()
        return event

    running = asyncio.create_task(Node(identity, NodeOptions(1), log).run())
    waiting = asyncio.create_task(connected.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    return running


async def _main(paths: Sequence[str]) -> None:
    nodes = [await _start(read_identity(Path(path))) for path in paths]
    print("connected", flush=True)
    ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait({ending, *nodes}, return_when=asyncio.FIRST_COMPLETED)
    for node in nodes:
        if node.done():
            node.result()
        node.cancel()
    await asyncio.gather(*nodes, return_exceptions=True)


if __name__ == "__main__":
    found = look_around((), plain=False)
    with patch.multiple(agent, ReadyWorkers=_NoWorkers, look_around=lambda _own, **_: found):
        asyncio.run(_main(sys.argv[1:]))
