"""A mesh with its server and nodes, and two nodes of Receptor, for benchmarks."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.inputs import Inputs
from benchmarks.toolbox import ROOT
from playstream.mesh.client import MeshClient
from playstream.mesh.directory import add_member
from playstream.mesh.identity import Kind
from playstream.mesh.streams import Sizes, make_all
from tests.e2e.mesh.nodes import EXECUTION
from tests.e2e.mesh.nodes import Mesh as ReceptorMesh
from tests.e2e.mesh.nodes import Node as ReceptorNode
from tests.e2e.mesh.receptor_env import Unprepared, receptor
from tests.mesh.meshes import Mesh
from tests.mesh.servers import CURRENT

GROUP = "bench"
SUBMITTER = "ann"
_SIZES = Sizes(queue_bytes=1 << 24, input_bytes=1 << 28, output_bytes=1 << 32, state_bytes=1 << 24)
_WAIT_SECONDS = 120.0
_FAR_END = [sys.executable, "-m", "benchmarks.far_end"]
_IN_PLACE = '#!/bin/sh\nshift 4\ncd "{root}" && exec "{python}" -m benchmarks.far_end "$@"\n'


class BenchMesh:
    """A mesh on this host, until `close`.

    Args:
        inputs: for its programs.
        folder: for its files; it does not exist.
        nodes: how many nodes its only group has.
    """

    def __init__(self, inputs: Inputs, folder: Path, nodes: int) -> None:
        self._inputs = inputs
        self._folder = folder
        folder.mkdir()
        self.mesh = Mesh(CURRENT, folder / "mesh")
        self._names = [f"node{number}" for number in range(nodes)]
        for name in self._names:
            add_member(self.mesh.directory, Kind.NODE, name, [GROUP])
        add_member(self.mesh.directory, Kind.SUBMITTER, SUBMITTER)
        self.mesh.start()
        self._running: list[subprocess.Popen[bytes]] = []
        self.as_operator(self._make)

    async def _make(self, client: MeshClient) -> None:
        await make_all(client, self.mesh.identity("admin"), _SIZES)

    def as_operator(self, body: Callable[[MeshClient], Coroutine[Any, Any, None]]) -> None:
        """Do something over a connection of an operator."""

        async def run() -> None:
            client = await self.mesh.connect("admin")
            try:
                await body(client)
            finally:
                await client.close()

        asyncio.run(run())

    def start_nodes(self, *flags: str, measured: bool = False) -> None:
        """Start all nodes.

        Args:
            flags: of each.
            measured: whether they start the far end of a benchmark in place of workers.

        Raises:
            BenchmarkError: one does not connect.
        """
        before = ["-m", "playstream", "node"]
        if measured:
            far_end = self._folder / "far-end"
            far_end.write_text(_IN_PLACE.format(root=ROOT, python=sys.executable))
            far_end.chmod(0o755)
            before = ["-m", "benchmarks.measured_node", str(far_end)]
        logs = []
        for name in self._names:
            program = self._inputs.toolbox.python(*before, "--identity", self.mesh.path(name), *flags)
            logs.append(self._folder / f"{name}.log")
            with logs[-1].open("wb") as log:
                self._running.append(subprocess.Popen(program.argv, env=program.env, cwd=program.cwd, stderr=log))
        until = time.monotonic() + _WAIT_SECONDS
        while not all(" connected " in log.read_text() for log in logs):
            if time.monotonic() > until:
                raise BenchmarkError(f"not all nodes have connected, see {self._folder}")
            time.sleep(0.05)

    @property
    def link(self) -> str:
        """The link to its group, with the submitter."""
        return f"nats://localhost:{self.mesh.port}/{GROUP}?identity={self.mesh.path(SUBMITTER)}"

    def forget_results(self) -> None:
        """Remove all results from the server."""

        async def purge(client: MeshClient) -> None:
            await client.administer(f"STREAM.PURGE.OUT_{GROUP}")

        self.as_operator(purge)

    def close(self) -> None:
        """End the nodes and the server."""
        for node in self._running:
            node.terminate()
        for node in self._running:
            node.wait()
        self.mesh.kill()


class Receptor:
    """Two nodes of Receptor on this host, joined over loopback, until `close`.

    Args:
        inputs: for the programs.
        folder: for its files; it does not exist. Its path is short, because sockets are in it.

    Raises:
        BenchmarkError: Receptor cannot be had.
    """

    def __init__(self, inputs: Inputs, folder: Path) -> None:
        folder.mkdir()
        try:
            programs = receptor()
        except Unprepared as error:
            raise BenchmarkError(str(error)) from None
        playstream = inputs.toolbox.playstream("worker")
        execution = [*EXECUTION[:-1]]
        for worktype, words in (("far", _FAR_END), ("playstream", playstream.argv)):
            work = {"worktype": worktype, "command": words[0], "params": " ".join(words[1:])}
            execution.append({"work-command": work})
        execution.append({"unix-socket-client": {"service": "far", "filename": str(folder / "far")}})
        env = {**playstream.env, "PYTHONPATH": str(ROOT)}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "far"))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        self._mesh = ReceptorMesh(programs, folder, env, execution=execution)

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            with connection:
                subprocess.Popen(_FAR_END, stdin=connection.fileno(), stdout=connection.fileno(), cwd=ROOT)

    @property
    def controller(self) -> ReceptorNode:
        """The node from which jobs are sent."""
        return self._mesh.controller

    def submit(self, worktype: str, pieces: Sequence[bytes]) -> str:
        """Submit a unit of work for the execution node; return its name when all of it is sent."""
        with self.controller.connect("work", "submit", "execution", worktype) as connection:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while data := connection.recv(65536):
                answer += data
                if b"\n" in data:
                    break
        return str(json.loads(answer)["unitid"])

    def results(self, unit: str) -> socket.socket:
        """Return a connection on which the results of a unit arrive."""
        return self.controller.connect("work", "results", unit)

    def release(self, unit: str) -> None:
        """Remove a unit."""
        self.controller.call("work", "release", "--force", unit)

    def close(self) -> None:
        """End both nodes."""
        self._mesh.close()
        self._listener.close()


@contextmanager
def hosts(inputs: Inputs, folder: Path) -> Iterator[tuple[BenchMesh, BenchMesh, Receptor]]:
    """Make a mesh with a node whose workers are far ends, one with a real node, and Receptor."""
    folder.mkdir()
    with ExitStack() as stack:
        far = BenchMesh(inputs, folder / "far", 1)
        stack.callback(far.close)
        real = BenchMesh(inputs, folder / "real", 1)
        stack.callback(real.close)
        far.start_nodes("--slots", "1", "--no-encryption", measured=True)
        real.start_nodes("--slots", "1", "--no-encryption")
        other = Receptor(inputs, folder / "r")
        stack.callback(other.close)
        yield far, real, other
