"""A network of hosts on this machine, with delay, loss and cuts, for tests and benchmarks.

    with Network("laptop", "server") as network:
        network.shape(delay=0.04, loss=0.01)
        subprocess.run([*network.inside("laptop"), "ping", "-c", "1", network.address("server")])
        network.cut()
        network.heal()

A host is a network namespace: what runs there sees the files and processes of this machine, and another network.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from tests.network.wires import Counts

T = TypeVar("T")
_FIRST = IPv4Address("10.0.0.1")
_ROOM = 250
_ROOT = Path(__file__).parents[2]
TUN = Path("/dev/net/tun")


def may_make_networks() -> bool:
    """Return whether this user may make networks, if this machine can."""
    return os.geteuid() == 0 or os.access(TUN, os.R_OK | os.W_OK)


NEEDS_TUN = pytest.mark.skipif(not may_make_networks(), reason=f"only root can use {TUN} here")
"""For tests with a network. Root always runs them, and any user who may open the device."""


class Network:
    """Hosts that reach each other through a relay, until `close`; then what still runs on them is killed.

    Without `shape` there is neither delay nor loss. The relay, the hosts and what runs there end with this process too.

    Args:
        hosts: their names, at most 250.
        seed: what chance starts from. The same seed loses the same packets of each direction.
        mtu: bytes of the largest packet.
    """

    def __init__(self, *hosts: str, seed: int = 1, mtu: int = 1500) -> None:
        assert 0 < len(hosts) <= _ROOM
        for program, package in (("ip", "iproute2"), ("nsenter", "util-linux"), ("unshare", "util-linux")):
            if shutil.which(program, path=_path()) is None:
                pytest.fail(f"{program} is missing; apt-get install {package}")
        self._numbers = {name: number for number, name in enumerate(hosts)}
        # Another user is given the capabilities that the relay needs in a user namespace of the relay's own.
        self._is_root = os.geteuid() == 0
        own = () if self._is_root else ("unshare", "--user", "--map-current-user", "--keep-caps")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = (*own, sys.executable, "-m", "tests.network.relay", str(theirs.fileno()), str(mtu), str(seed))
        self._relay = subprocess.Popen(
            [*words, *map(self.address, hosts)],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=_ROOT,
            env={**os.environ, "PATH": _path()},
        )
        theirs.close()
        said = self._control.recv(65536)
        answer: dict[str, Any] = json.loads(said) if said else {"error": "the relay has ended"}
        if "error" in answer:
            self.close()
            pytest.fail(f"a network of {len(hosts)} hosts cannot be made: {answer['error']}")
        self._namespaces: list[int] = answer["namespaces"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def relay(self) -> int:
        """The process of the relay."""
        return self._relay.pid

    def address(self, host: str) -> str:
        """Return the address of a host."""
        return str(_FIRST + self._numbers[host])

    def namespace(self, host: str) -> str:
        """Return the file that stands for the network of a host."""
        return f"/proc/{self.relay}/fd/{self._namespaces[self._numbers[host]]}"

    def inside(self, host: str) -> tuple[str, ...]:
        """Return the words before a command that is to run on a host."""
        user = () if self._is_root else (f"--user=/proc/{self.relay}/ns/user", "--preserve-credentials")
        return ("nsenter", *user, f"--net={self.namespace(host)}")

    def call(self, host: str, function: Callable[[], T]) -> T:
        """Call a function in a thread on a host: the sockets that it makes are of its network. Only for root."""

        def enter() -> T:
            fd = os.open(self.namespace(host), os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(fd, 0) != 0:
                    raise OSError(ctypes.get_errno(), f"the network of {host} cannot be entered")
            finally:
                os.close(fd)
            return function()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(enter).result()

    def shape(
        self,
        *,
        delay: float | None = None,
        loss: float | None = None,
        source: str | None = None,
        target: str | None = None,
    ) -> None:
        """Set what a direction does to the packets that it accepts from then on.

        Args:
            delay: seconds that a packet takes; half of a round trip if both directions have the same.
            loss: the probability that it does not arrive.
            source: the host that sends; None for every host.
            target: the host that it sends to; None for every host.
        """
        values = {"delay": delay, "loss": loss}
        self._ask(source, target, **{name: value for name, value in values.items() if value is not None})

    def cut(self, source: str | None = None, target: str | None = None) -> None:
        """Let nothing arrive in a direction, packets on their way included; None for every host."""
        self._ask(source, target, is_cut=True)

    def heal(self, source: str | None = None, target: str | None = None) -> None:
        """Undo `cut`."""
        self._ask(source, target, is_cut=False)

    def counts(self, source: str | None = None, target: str | None = None) -> Counts:
        """Return what has happened to the packets of a direction, or of all of them together."""
        found = [Counts(**counts) for counts in self._ask(source, target)]
        return Counts(
            passed=sum(counts.passed for counts in found),
            passed_bytes=sum(counts.passed_bytes for counts in found),
            lost=sum(counts.lost for counts in found),
            cut=sum(counts.cut for counts in found),
        )

    def close(self) -> None:
        """End the relay, and with it everything that it has made."""
        self._control.close()
        self._relay.wait(20)

    def _ask(self, source: str | None, target: str | None, **values: float | bool) -> Any:
        numbers = {
            "source": None if source is None else self._numbers[source],
            "target": None if target is None else self._numbers[target],
        }
        self._control.send(json.dumps({**numbers, **values}).encode())
        return json.loads(self._control.recv(1 << 20))


def _path() -> str:
    """Return where programs are, for a user whose PATH is without those of the administrator."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"
