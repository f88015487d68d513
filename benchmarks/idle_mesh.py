"""A server of a mesh with idle nodes, and what it takes: python -m benchmarks.idle_mesh DIRECTORY NODES SETTLE SECONDS.

It is to run in a network namespace of its own (`ALONE`), whose loopback interface then carries nothing else. Prints
JSON: the server's memory in MiB and the part of a processor that it takes in percent, and the bytes and packets in a
second of all connections together, with what TLS, TCP and IP add.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from playstream.mesh.client import MeshClient
from playstream.mesh.directory import add_member
from playstream.mesh.identity import Kind
from playstream.mesh.streams import Sizes, make_all
from tests.mesh.meshes import Mesh
from tests.mesh.servers import CURRENT

ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""Words before a command that is to run in a network namespace of its own. Only root can do that."""
_PROCESSES = 4
"""In which the nodes are."""
_SIZES = Sizes(queue_bytes=1 << 20, input_bytes=1 << 20, output_bytes=1 << 20, state_bytes=1 << 20)
"""The server reserves the bytes for each group, and each node has one."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server takes."""

    memory: float
    processor: float
    bytes: float
    packets: float


@dataclass(frozen=True, slots=True)
class _Counts:
    moment: float
    seconds: float
    bytes: int
    packets: int


def _count(server: int) -> _Counts:
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    (loopback,) = [line for line in Path("/proc/self/net/dev").read_text().splitlines() if "lo:" in line]
    received = loopback.partition(":")[2].split()
    return _Counts(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), int(received[0]), int(received[1]))


def _memory(server: int) -> float:
    lines = Path(f"/proc/{server}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def measure(directory: Path, number: int, settle: float, seconds: float) -> Load:
    """Start a server and so many nodes, wait, and measure for some seconds."""
    mesh = Mesh(CURRENT, directory)
    names = [f"node{index}" for index in range(number)]
    for name in names:
        add_member(directory, Kind.NODE, name, ["idle"])
    mesh.start()
    clients: list[subprocess.Popen[bytes]] = []
    try:
        asyncio.run(_make_streams(mesh))
        for index in range(_PROCESSES):
            paths = [str(mesh.path(name)) for name in names[index::_PROCESSES]]
            words = [sys.executable, "-m", "benchmarks.idle_nodes", *paths]
            if paths:
                clients.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        for client in clients:
            if client.stdout is None or not client.stdout.readline():
                raise BenchmarkError("idle nodes have ended instead of waiting")
        time.sleep(settle)
        before = _count(mesh.pid)
        time.sleep(seconds)
        after = _count(mesh.pid)
        if any(client.poll() is not None for client in clients):
            raise BenchmarkError("idle nodes have ended while they were measured")
        elapsed = after.moment - before.moment
        return Load(
            _memory(mesh.pid),
            (after.seconds - before.seconds) / elapsed * 100,
            (after.bytes - before.bytes) / elapsed,
            (after.packets - before.packets) / elapsed,
        )
    finally:
        for client in clients:
            client.kill()
            client.wait()
        mesh.kill()


async def _make_streams(mesh: Mesh) -> None:
    operator = mesh.identity("admin")
    client = MeshClient(operator.endpoint)
    await client.connect(60)
    try:
        await make_all(client, operator, _SIZES)
    finally:
        await client.close()


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))))
