"""Programs that run on the hosts of a network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.network.network import Network
from tests.processes import wait_until

_ECHO = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 9000))
print("ready", flush=True)
while True:
    text, sender = server.recvfrom(65536)
    print(text.decode(), flush=True)
    server.sendto(text, sender)
"""
_TALK = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.bind(("", 0))
for line in sys.stdin:
    target, text = line.split()
    client.sendto(text.encode(), (target, 9000))
"""
_SINK = """
import socket
server = socket.create_server(("", 9000))
print("ready", flush=True)
connection, _ = server.accept()
size = 0
while data := connection.recv(1 << 20):
    size += len(data)
print(size, flush=True)
"""
_SOURCE = """
import socket, sys
with socket.create_connection((sys.argv[1], 9000)) as connection:
    connection.sendall(bytes(int(sys.argv[2])))
"""


def python(network: Network, host: str, program: str, *words: str) -> subprocess.Popen[str]:
    """Start a program in Python on a host."""
    command = [*network.inside(host), sys.executable, "-c", program, *words]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@contextmanager
def running(network: Network, host: str, program: str) -> Iterator[subprocess.Popen[str]]:
    """A server on a host, which says when it is ready."""
    with python(network, host, program) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@contextmanager
def echo(network: Network, host: str) -> Iterator[subprocess.Popen[str]]:
    """A host that prints the datagrams it gets, and sends them back."""
    with running(network, host, _ECHO) as process:
        yield process


@contextmanager
def talker(network: Network, host: str) -> Iterator[subprocess.Popen[str]]:
    """A host that sends a datagram for each line."""
    with python(network, host, _TALK) as process:
        try:
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[str], target: str, *texts: str) -> None:
    """Let a talker send datagrams."""
    assert process.stdin is not None
    process.stdin.write("".join(f"{target} {text}\n" for text in texts))
    process.stdin.flush()


def transfer(network: Network, source: str, target: str, size: int) -> int:
    """Send bytes by TCP; return how many have arrived."""
    with running(network, target, _SINK) as sink:
        with python(network, source, _SOURCE, network.address(target), str(size)) as client:
            assert client.wait(60) == 0
        assert sink.stdout is not None
        return int(sink.stdout.readline())


def wait_for_packets(network: Network, source: str, target: str, number: int) -> None:
    """Wait until so many packets of a direction have arrived or been dropped."""

    def seen() -> bool:
        counts = network.counts(source, target)
        return counts.passed + counts.lost + counts.cut >= number

    wait_until(seen)
