"""Nodes as processes, and jobs that are sent to them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from playstream.mesh.client import MeshClient
from playstream.mesh.directory import add_member
from playstream.mesh.identity import Kind
from playstream.mesh.messages import JobEnd, Outcome, decode
from playstream.mesh.streams import Sizes, make_all, make_streams
from playstream.mesh.subjects import Streams
from tests.mesh.meshes import Mesh
from tests.processes import children, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages

SUBMITTER = "laptop"
NODES = {"node1": "web", "node2": "web", "node3": "db"}
SIZES = Sizes(queue_bytes=1 << 20, input_bytes=1 << 26, output_bytes=1 << 28, state_bytes=1 << 22)


class NodeProcess:
    """`playstream node`, until `close`."""

    def __init__(
        self, stages: Stages, identity: Path, name: str, log: Path, *flags: str, prefix: tuple[str, ...] = ()
    ) -> None:
        self.log = log
        self.name = name
        with log.open("wb") as stderr:
            self.process = stages.start(
                "node",
                "--identity",
                identity,
                *("--log-format", "json", *flags),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                prefix=prefix,
            )
        self.wait_for("connected")

    def events(self, name: str, **fields: object) -> list[dict[str, Any]]:
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [
            event
            for event in found
            if event["event"] == name and all(event.get(key) == value for key, value in fields.items())
        ]

    def wait_for(self, name: str, **fields: object) -> dict[str, Any]:
        wait_until(lambda: self.events(name, **fields) or self.process.poll() is not None, 60)
        assert self.events(name, **fields), self.log.read_text()
        return self.events(name, **fields)[0]

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(LIMIT_SECONDS)


class World:
    """A mesh with nodes that have not been started, and the submitter ann.

    Args:
        mesh: the mesh.
        stages: starts nodes and submitters.
        folder: for the logs of nodes.
        nodes: their names, each with its group.
        sizes: the limits of groups.
    """

    def __init__(
        self,
        mesh: Mesh,
        stages: Stages,
        folder: Path,
        nodes: Mapping[str, str] = NODES,
        sizes: Sizes = SIZES,
    ) -> None:
        self.mesh = mesh
        self.stages = stages
        self._folder = folder
        self._nodes: list[NodeProcess] = []
        self._jobs: list[subprocess.Popen[bytes]] = []
        for name, group in nodes.items():
            add_member(mesh.directory, Kind.NODE, name, [group])
        add_member(mesh.directory, Kind.SUBMITTER, "ann")
        mesh.reload()

        async def make(client: MeshClient) -> None:
            await make_all(client, mesh.identity("admin"), sizes)

        self.as_operator(make)

    def prefix(self, host: str) -> tuple[str, ...]:
        """Return the words before a command that is to run on a host, which all are this one."""
        del host
        return ()

    def as_operator(self, body: Callable[[MeshClient], Coroutine[Any, Any, Any]]) -> Any:
        async def run() -> Any:
            client = await self.mesh.connect("admin")
            try:
                return await body(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def add_node(self, name: str, *groups: str) -> None:
        """Add a node to groups that there are."""
        add_member(self.mesh.directory, Kind.NODE, name, groups)
        self.mesh.reload()

        async def make(client: MeshClient) -> None:
            await make_streams(client, f"node_{name}", SIZES, lost_after=self.mesh.identity("admin").lost_after)

        self.as_operator(make)

    def link(self, group: str = "web") -> str:
        return f"nats://localhost:{self.mesh.port}/{group}?identity={self.mesh.path('ann')}"

    def node(self, name: str, *flags: str) -> NodeProcess:
        log = self._folder / f"{name}-{len(self._nodes)}.log"
        identity = self.mesh.path(name)
        self._nodes.append(NodeProcess(self.stages, identity, name, log, *flags, prefix=self.prefix(name)))
        return self._nodes[-1]

    def start(
        self, directory: Path, playbook: str, *flags: str, group: str = "web", host: str = SUBMITTER
    ) -> subprocess.Popen[bytes]:
        """Start a run over the mesh."""
        words: list[str | Path] = ["run", directory, "-p", playbook, "--on", self.link(group), *flags]
        self._jobs.append(self.stages.start(*words, stdin=subprocess.DEVNULL, prefix=self.prefix(host)))
        return self._jobs[-1]

    def run(self, directory: Path, playbook: str, *flags: str, group: str = "web") -> tuple[int, str, str]:
        return self.finish(self.start(directory, playbook, *flags, group=group))

    def attach(self, job: str, *words: str | Path, host: str = SUBMITTER) -> subprocess.Popen[bytes]:
        """Start to follow a job, as its submitter."""
        words = ("mesh", "attach", job, *words, "--identity", self.mesh.path("ann"))
        self._jobs.append(self.stages.start(*words, stdin=subprocess.DEVNULL, prefix=self.prefix(host)))
        return self._jobs[-1]

    @staticmethod
    def finish(process: subprocess.Popen[bytes], seconds: float | None = LIMIT_SECONDS) -> tuple[int, str, str]:
        """Wait for a run, at most for some seconds; return its exit status and what it has printed."""
        stdout, stderr = process.communicate(timeout=seconds)
        assert b"Traceback" not in stderr, stderr.decode()
        return process.returncode, stdout.decode(), " ".join(stderr.decode().split())

    def ends(self, group: str = "web") -> list[JobEnd]:
        """Return the ends of all jobs of a group."""
        state = Streams(group).state

        async def read(client: MeshClient) -> list[JobEnd]:
            found = await client.administer(f"STREAM.INFO.{state}", {"subjects_filter": "end.>"})
            subjects = found["state"].get("subjects") or {}
            messages = [await client.find(state, subject, seconds=10) for subject in subjects]
            return [decode(JobEnd, message.data) for message in messages if message is not None]

        return list(self.as_operator(read))

    def queued(self, group: str = "web") -> int:
        """Return how many jobs the queue of a group has."""

        async def count(client: MeshClient) -> int:
            return int((await client.administer(f"STREAM.INFO.JOBS_{group}"))["state"]["messages"])

        return int(self.as_operator(count))

    def result_bytes(self, group: str = "web") -> int:
        """Return how many bytes of results of a group are stored."""

        async def count(client: MeshClient) -> int:
            return int((await client.administer(f"STREAM.INFO.{Streams(group).output}"))["state"]["bytes"])

        return int(self.as_operator(count))

    def processes(self) -> list[int]:
        """Return the processes of jobs."""
        return marked_processes(self.stages.temporary)

    def close(self) -> None:
        for node in self._nodes:
            node.close()
        for job in self._jobs:
            if job.poll() is None:
                job.kill()
            job.communicate()


def outcomes(ends: list[JobEnd]) -> list[Outcome]:
    return [end.outcome for end in ends]


def wait_for_text(directory: Path, text: str) -> None:
    """Wait until a run in a directory has printed something."""
    wait_until(lambda: any(text in path.read_text() for path in directory.glob("artifacts/*/stdout")), 60)
