"""A mesh whose parts are of this version and of earlier ones: who made it, who submits, and the node."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.mesh.servers import CURRENT, find_server

EARLIER = {"the first mesh": "4d41d9abdaa2ad72b72022802bc48654159a0d76"}
"""Commits by what is to work with them. What is in the messages of a mesh (format 1) has been the same since that one;
earlier ones were never on a mesh with others."""
_LIMIT_SECONDS = 120.0


class MixedMesh:
    """A mesh until `close`.

    Args:
        place: a directory for its files, which does not exist.
        maker: the program that makes it and its streams.
        node: the program of its node.
    """

    def __init__(self, place: Path, maker: Sequence[str], node: Sequence[str]) -> None:
        place.mkdir()
        self._directory = place / "mesh"
        self._env = {**os.environ, "TMPDIR": str(place), "XDG_STATE_HOME": str(place / "state")}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._running: list[subprocess.Popen[bytes]] = []
        mesh = [*maker, "mesh"]
        self._call([*mesh, "init", self._directory, "--server", f"localhost:{self._port}", "--listen", "127.0.0.1"])
        self._call([*mesh, "add", "node", "node1", "--group", "web", "--directory", self._directory])
        self._call([*mesh, "add", "submitter", "ann", "--directory", self._directory])
        try:
            self._start([find_server(CURRENT), "-c", "server1.conf"], place / "server.log")
            self._call([*mesh, "check", "--identity", self._identity("admin")])
            log = place / "node.log"
            words = [*node, "node", "--identity", str(self._identity("node1")), "--require-signature"]
            self._start(words, log)
            _wait_until_connected(self._running[-1], log)
        except BaseException:
            self.close()
            raise

    @property
    def link(self) -> str:
        """The link to the group of the node."""
        return f"nats://localhost:{self._port}/web?identity={self._identity('ann')}"

    def _identity(self, name: str) -> Path:
        return self._directory / f"{name}.playstream"

    def _call(self, words: Sequence[str | Path]) -> None:
        subprocess.run(words, env=self._env, check=True, stdout=subprocess.DEVNULL, timeout=_LIMIT_SECONDS)

    def _start(self, words: Sequence[str], log: Path) -> None:
        with log.open("wb") as output:
            started = subprocess.Popen(words, env=self._env, cwd=self._directory, stdout=output, stderr=output)
        self._running.append(started)

    def close(self) -> None:
        """End the node and the server."""
        for process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LIMIT_SECONDS)


def _wait_until_connected(node: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _LIMIT_SECONDS
    while " connected " not in (text := log.read_text()):
        if node.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"the node does not connect: {text}")
        time.sleep(0.05)


def combinations(this: str) -> dict[str, tuple[str, str, str]]:
    """Return who makes the mesh, submits, and runs the jobs, by what is printed; this version alone is the first."""
    sides = [(this, name) for name in EARLIER]
    parts = dict.fromkeys(parts for both in sides for parts in itertools.product(both, both, both))
    return {"mesh, submitter, node: " + ", ".join(each): each for each in parts}
