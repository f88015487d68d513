"""A laptop and a server with a network between them, and links from one to the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.links.certificates import Authority
from tests.links.conftest import ssh_host
from tests.links.listening import Listener
from tests.network.network import Network
from tests.processes import marked_processes
from tests.stages import LIMIT_SECONDS, Stages

LAPTOP, SERVER = "laptop", "server"
PATIENT = ("--liveness-seconds", "30", "--keepalive-seconds", "0.2")
"""Limits of silence for a cut that nothing notices."""
IMPATIENT = ("--liveness-seconds", "3", "--keepalive-seconds", "0.2")
"""Limits of silence for a cut that ends the job."""


class Far:
    """A link from the laptop to the server.

    Args:
        network: what is between them.
        stages: run on both.
        link: the URL.
        log: what the worker says on standard error.
    """

    def __init__(self, network: Network, stages: Stages, link: str, log: Path) -> None:
        self.network = network
        self.stages = stages
        self.link = link
        self.log = log

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start playstream on the laptop."""
        return self.stages.start(*words, prefix=self.network.inside(LAPTOP), **options)

    def call(self, *words: str | Path) -> tuple[int, str, str]:
        """Run playstream on the laptop; return its exit status and what it prints."""
        process = self.start(*words, stdin=subprocess.DEVNULL)
        stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
        assert b"Traceback" not in stderr, stderr.decode()
        return process.returncode, stdout.decode(), stderr.decode()

    def processes(self) -> list[int]:
        """Return the processes of jobs on the server."""
        return marked_processes(self.stages.temporary)


@contextmanager
def over_ssh(network: Network, stages: Stages, directory: Path, *limits: str) -> Iterator[Far]:
    """A link over ssh.

    Args:
        network: has LAPTOP and SERVER.
        stages: run on both.
        directory: for files.
        limits: flags of the worker.
    """
    options = {"inside": network.inside(SERVER), "address": network.address(SERVER)}
    with ssh_host(directory, stages, **options) as host:
        log = directory / "worker.log"
        host.set_login(noise=f"exec 2>>{log}", path=f"{':'.join(map(str, stages.path_before))}:{_BIN}:$PATH")
        program = directory / "worker"
        # What ?command= names is called with the word worker.
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m playstream "$@" {" ".join(limits)}\n')
        program.chmod(0o755)
        yield Far(network, stages, f"ssh://worker-1?command={program}", log)


@contextmanager
def over_tls(network: Network, stages: Stages, directory: Path, *limits: str) -> Iterator[Far]:
    """A link to a listening worker over TLS; see `over_ssh`."""
    files = directory / "certificates"
    files.mkdir()
    authority = Authority(files)
    address = network.address(SERVER)
    server, client = authority.sign("server", names=f"IP:{address}"), authority.sign(LAPTOP)
    listener = Listener(
        stages,
        directory / "worker.log",
        f"tls://{address}:0",
        *("--tls-cert", server, "--tls-key", server.with_suffix(".key"), "--tls-ca", authority.certificate),
        *("--allow", LAPTOP, "--debug", *limits),
        inside=network.inside(SERVER),
    )
    query = f"?cert={client}&key={client.with_suffix('.key')}&ca={authority.certificate}"
    try:
        yield Far(network, stages, listener.address + query, listener.log)
    finally:
        listener.close()


_BIN = Path(sys.executable).parent
LINKS = {"ssh": over_ssh, "tls": over_tls}
"""The links by their scheme."""
