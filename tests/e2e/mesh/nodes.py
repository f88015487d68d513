"""Two nodes of a receptor mesh, set up as docs/receptor.md says and joined over loopback."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.mesh.receptor_env import Receptor
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS

PAGE = (Path(__file__).parents[3] / "docs" / "receptor.md").read_text(encoding="utf-8")
_BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
EXECUTION, CONTROLLER, IN_PLACE_OF_ANSIBLE_RUNNER, SERVICE = _BLOCKS
"""The configurations on the page, in its order."""
Config = list[dict[str, Any]]


class Node:
    """A running receptor.

    Args:
        receptor: the programs.
        directory: what it writes goes there.
        config: from the page; its paths and ports are replaced.
        port: of the listener.
        env: of the node, and so of what it runs.
    """

    def __init__(self, receptor: Receptor, directory: Path, config: Config, port: int, env: dict[str, str]) -> None:
        self._receptor = receptor
        self._env = env
        directory.mkdir()
        self.socket = directory / "sock"
        file = directory / "receptor.conf"
        file.write_text(yaml.safe_dump([_adapt(item, directory, self.socket, port) for item in config]))
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(receptor.daemon), "--config", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
            )

    def command(self, *words: str | Path) -> list[str]:
        """A command line of receptorctl's."""
        return [str(self._receptor.receptorctl), "--socket", str(self.socket), *map(str, words)]

    def call(self, *words: str | Path, stdin: bytes = b"") -> bytes:
        """What receptorctl prints; it must succeed."""
        done = subprocess.run(
            self.command(*words), input=stdin, capture_output=True, env=self._env, timeout=LIMIT_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def results(self, unit: str) -> bytes:
        """All that a unit of work has printed, when it has ended, be it as a failed one."""
        done = subprocess.run(
            self.command("work", "results", unit),
            capture_output=True,
            env=self._env,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode in {0, 1}, done.stderr[-2000:]
        return done.stdout

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """receptorctl, with its output in a pipe."""
        return subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._env,
        )

    def submit(self, job: bytes, *words: str, worktype: str = "playstream") -> str:
        """Hand a job over for the execution node; return the name of the unit."""
        out = self.call("work", "submit", worktype, "--node", "execution", "--payload", "-", *words, stdin=job)
        match = re.search(rb"Unit ID: (\S+)", out)
        assert match is not None, out
        return match[1].decode()

    def connect(self, *words: str) -> socket.socket:
        """A connection to the control socket, after an order whose answer is bytes."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(LIMIT_SECONDS)
        connection.connect(str(self.socket))
        _read_line(connection)
        connection.sendall(" ".join(words).encode() + b"\n")
        answer = _read_line(connection)
        assert not answer.startswith(b"ERROR"), answer
        connection.settimeout(None)
        return connection

    def unit(self, name: str) -> dict[str, Any]:
        """What the node knows of a unit of work."""
        units: dict[str, dict[str, Any]] = json.loads(self.call("work", "list", "--unit_id", name))
        return units[name]

    def knows(self, node: str) -> bool:
        """True once the node answers and has a route to another, whose services it has heard of."""
        assert self._process.poll() is None, (self.socket.parent / "log").read_text()
        if not self.socket.exists():
            return False
        done = subprocess.run(
            self.command("ping", node, "--count", "1"),
            capture_output=True,
            env=self._env,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return done.returncode == 0 and b"Reply from" in done.stdout

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(LIMIT_SECONDS)


class Mesh:
    """A controller that is joined to an execution node."""

    def __init__(
        self, receptor: Receptor, directory: Path, env: dict[str, str], *, execution: Config = EXECUTION
    ) -> None:
        self.receptor = receptor
        port = _free_port()
        self._nodes: list[Node] = []
        try:
            self.execution = self._start(Node(receptor, directory / "execution", execution, port, env))
            self.controller = self._start(Node(receptor, directory / "controller", CONTROLLER, port, env))
        except BaseException:
            self.close()
            raise

    def _start(self, node: Node) -> Node:
        self._nodes.append(node)
        wait_until(lambda: node.knows("execution"), LIMIT_SECONDS)
        return node

    def close(self) -> None:
        """End both nodes."""
        for node in reversed(self._nodes):
            node.close()


def _read_line(connection: socket.socket) -> bytes:
    """One line, and nothing of what follows it."""
    line = b""
    while not line.endswith(b"\n") and (byte := connection.recv(1)):
        line += byte
    return line


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _adapt(item: dict[str, Any], directory: Path, control: Path, port: int) -> dict[str, Any]:
    """One entry of the page's, with what is private to a test."""
    ((kind, values),) = item.items()
    private: dict[str, dict[str, Any]] = {
        "node": {"datadir": str(directory / "data")},
        "tcp-listener": {"port": port, "bindaddr": "127.0.0.1"},
        "tcp-peer": {"address": f"127.0.0.1:{port}"},
        "control-service": {"filename": str(control)},
    }
    return {kind: {**values, **private.get(kind, {})}}
