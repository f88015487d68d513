"""Hosts on which the commands of a page are typed as they stand there, with ssh and scp between them.

Each is a host of a network of its own, with a home directory. ssh and scp are stand-ins, which start a program in the
network and home directory of another host, and copy files there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.matrix.debian import ROOT
from tests.mesh.servers import find_server
from tests.network.network import Network
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages

HERE = "laptop"
SERVER, NODE1 = "nats.example.com", "web1.example.com"
_SSH = """#!/bin/sh -eu
host=$1
shift
exec "$HOSTS/$host.start" "$*"
"""
_SCP = """#!/bin/sh -eu
for target; do :; done
while [ $# -gt 1 ]; do cp "$1" "$HOSTS/${target%%:*}/${target#*:}"; shift; done
"""
# The shell waits for a command that is told to end, and returns its exit status.
_START = """#!/bin/sh -eu
cd {home}
HOME={home} exec {inside} unshare --mount sh -euc 'mount --bind {names} /etc/hosts; exec sh -euc "trap : TERM; $0"' "$1"
"""


def commands_of(page: str, words: str) -> list[str]:
    """Return the commands of a page, in their order.

    Args:
        page: its name.
        words: what commands begin with, as a regular expression.
    """
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^ {{4,10}}((?:{words}).*)$", text, re.MULTILINE)


class Hosts:
    """Hosts on a network, until `close`.

    Args:
        stages: how programs are started.
        folder: for the home directories.
        network: the network.
        names: the names of the hosts.
        which: the nats-server that they have.
    """

    def __init__(self, stages: Stages, folder: Path, network: Network, names: list[str], which: str) -> None:
        self._stages = stages
        self._folder = folder
        self._programs = folder / "programs"
        self._programs.mkdir(parents=True)
        self.install(which)
        for name, text in (("ssh", _SSH), ("scp", _SCP)):
            self._write(self._programs / name, text)
        stages.path_before.append(self._programs)
        stages.variables["HOSTS"] = str(folder)
        lines = ["127.0.0.1 localhost", *(f"{network.address(name)} {name}" for name in names)]
        (folder / "names").write_text("".join(f"{line}\n" for line in lines))
        for name in names:
            home = self.home(name)
            home.mkdir()
            inside = shlex.join(network.inside(name))
            self._write(folder / f"{name}.start", _START.format(home=home, inside=inside, names=folder / "names"))
        shutil.copytree(ROOT / "examples" / "demo", self.home(HERE) / "demo", ignore=lambda *_: {"artifacts"})

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o700)

    def install(self, which: str) -> None:
        """Let the command nats-server be another version from now on."""
        (self._programs / "nats-server").unlink(missing_ok=True)
        (self._programs / "nats-server").symlink_to(find_server(which))

    def home(self, host: str) -> Path:
        """Return the home directory of a host."""
        return self._folder / host

    def _words(self, command: str, host: str) -> list[str]:
        return [str(self._folder / f"{host}.start"), command]

    def type_in(self, command: str, host: str = HERE) -> subprocess.CompletedProcess[str]:
        """Run a command that somebody types on a host."""
        return subprocess.run(
            self._words(command, host),
            env=self._stages.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    def run(self, command: str, host: str = HERE) -> str:
        """Do as `type_in`; the command has to succeed. Return what it has printed."""
        done = self.type_in(command, host)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command: str, sign: str, host: str = HERE) -> Iterator[Running]:
        """Run a command until the end of the context, after it has printed a sign."""
        output = self._folder / f"output{len(list(self._folder.glob('output*')))}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                self._words(command, host),
                env=self._stages.env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        started = Running(process, output)
        try:
            started.wait_for(sign)
            yield started
        finally:
            started.end()


class Running:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def text(self) -> str:
        """What it has printed."""
        return self._output.read_text()

    def wait_for(self, sign: str, times: int = 1) -> None:
        """Wait until it has printed something so many times."""
        wait_until(lambda: self.text.count(sign) >= times or self._process.poll() is not None, 60)
        assert self.text.count(sign) >= times, self.text

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, and to what it has started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return self._process.wait(LIMIT_SECONDS)

    def end(self) -> None:
        """End it."""
        self.send(signal.SIGTERM)
        self.wait()
