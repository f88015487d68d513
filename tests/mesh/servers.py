"""nats-servers for tests: the oldest that is tested, from Debian, and the current one, from PyPI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

OLDEST, CURRENT = "oldest", "current"
_SECONDS = 20.0
_PLAIN = """
listen: "127.0.0.1:{port}"
ports_file_dir: "{directory}"
jetstream {{ store_dir: "{directory}/storage", max_file_store: 16G, max_memory_store: 64M }}
{more}
"""


def find_server(which: str) -> str:
    """Return the path of a nats-server; `make test-mesh` installs both."""
    places = {OLDEST: "/usr/sbin/nats-server", CURRENT: str(Path(sys.executable).with_name("nats-server"))}
    assert os.access(places[which], os.X_OK), f"{places[which]} is missing: run make test-mesh once, which installs it"
    return places[which]


class NatsServer:
    """A server that can be killed, frozen and started again at the same port."""

    def __init__(self, which: str, directory: Path, more: str = "") -> None:
        self._binary = find_server(which)
        self.directory = directory
        self._more = more
        self.port = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> NatsServer:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "server.conf"
        config.write_text(_PLAIN.format(port=self.port, directory=self.directory, more=self._more))
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, "-c", str(config)], stdout=log, stderr=log)
        ports = self.directory / f"{Path(self._binary).name}_{self._process.pid}.ports"
        until = time.monotonic() + _SECONDS
        while not (ports.exists() and (text := ports.read_text())):
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.01)
        self.port = int(json.loads(text)["nats"][0].rpartition(":")[2])
        return self

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
