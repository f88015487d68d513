"""A nats-server on this host, for as long as a context lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.mesh.directory import running_servers
from playstream.mesh.server_config import DEFAULT_PORT
from playstream.pipeline.errors import ConfigurationError

PROGRAM = "nats-server"
_END_SECONDS = 10.0
_LOG_LINES = 3


def find_server() -> str:
    """Return the path of nats-server: on the PATH, beside this Python, or where Debian has it.

    Raises:
        ConfigurationError: there is none.
    """
    beside = Path(sys.executable).with_name(PROGRAM)
    for place in (shutil.which(PROGRAM), str(beside), f"/usr/sbin/{PROGRAM}"):
        if place is not None and os.access(place, os.X_OK):
            return place
    raise ConfigurationError(
        f"{PROGRAM} was not found on the PATH, beside {sys.executable} or in /usr/sbin. Install it: apt-get install "
        "nats-server on Debian and Ubuntu, or from https://nats.io/download"
    )


def free_port() -> int:
    """Return a port of this host that nobody listens on, the usual one if possible."""
    for wanted in (DEFAULT_PORT, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise ConfigurationError("this host has no free port on 127.0.0.1")


@contextmanager
def served(directory: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the first server of a mesh; it ends with the context.

    Args:
        directory: the directory of the mesh.
        program: nats-server.

    Raises:
        ConfigurationError: one runs from this directory already, or it cannot be started.
    """
    if running := running_servers(directory):
        raise ConfigurationError(
            f"a server of the mesh in {str(directory)!r} runs already, as process {running[0]}. End it first"
        )
    log = directory / f"{PROGRAM}.log"
    try:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
            # Ctrl-C is for the node, whose jobs may need the server for their last results.
            process = subprocess.Popen(
                [program, "-c", "server1.conf"],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise ConfigurationError(f"{program} cannot be started: {error.strerror}") from None
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def explain_exit(directory: Path) -> ConfigurationError:
    """Return why a server has ended at once."""
    log = directory / f"{PROGRAM}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return ConfigurationError(f"{PROGRAM} has ended. The last lines of {log}: {' / '.join(lines)}")
