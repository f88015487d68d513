"""Faults between a client and a listening worker: each side ends with a reason, and nothing is left."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.links.certificates import Authority
from tests.links.conftest import Listen
from tests.links.listening import Listener
from tests.processes import marked_processes, wait_until
from tests.stages import Stages
from tests.stress.faults.link import Kind

UP, DOWN = "up", "down"


@dataclass(frozen=True)
class Fault:
    """One fault of one direction: from the client (up), or to it (down)."""

    kind: Kind
    direction: str
    offset: int


class Relay:
    """Passes the bytes of one connection on, until a fault."""

    def __init__(self, server: socket.socket, target: str | tuple[str, int], fault: Fault) -> None:
        self._server = server
        self._target = target
        self._fault = fault
        self._stopped, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Stop, and close everything."""
        self._stop.close()
        self._thread.join()
        self._stopped.close()
        self._server.close()

    def _run(self) -> None:
        if self._server not in select.select([self._server, self._stopped], [], [])[0]:
            return
        client, _ = self._server.accept()
        family = socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET
        with client, socket.socket(family, socket.SOCK_STREAM) as worker:
            worker.connect(self._target)
            ways = {client: (worker, UP), worker: (client, DOWN)}
            passed = {UP: 0, DOWN: 0}
            while ways:
                ready = select.select([*ways, self._stopped], [], [])[0]
                if self._stopped in ready:
                    return
                for source in ready:
                    target, direction = ways[source]
                    if not self._pass_on(source, target, direction, passed):
                        del ways[source]
                        if self._is_cut(direction, passed):
                            return

    def _is_cut(self, direction: str, passed: dict[str, int]) -> bool:
        fault = self._fault
        return fault.kind is Kind.CUT and direction == fault.direction and passed[direction] >= fault.offset

    def _pass_on(self, source: socket.socket, target: socket.socket, direction: str, passed: dict[str, int]) -> bool:
        """Pass on what has arrived. Return False if nothing more is passed on in this direction."""
        fault = self._fault
        try:
            data = bytearray(source.recv(65536))
            left = fault.offset - passed[direction]
            if direction == fault.direction and 0 <= left < len(data) + (fault.kind is not Kind.CORRUPT):
                if fault.kind is Kind.CORRUPT:
                    data[left] ^= 16
                else:
                    target.sendall(data[:left])
                    passed[direction] += left
                    if fault.kind is Kind.ONE_WAY:
                        target.shutdown(socket.SHUT_WR)
                    return False
            if not data:
                target.shutdown(socket.SHUT_WR)
                return False
            target.sendall(data)
            passed[direction] += len(data)
        except OSError:
            return False  # one side has gone
        return True


@contextmanager
def relayed(listener: Listener, fault: Fault, place: Path) -> Iterator[str]:
    """The address of a relay to a listener, without a query."""
    if listener.address.startswith("unix:"):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(place))
        server.listen()
        relay = Relay(server, listener.address.removeprefix("unix:"), fault)
        address = f"unix:{place}"
    else:
        server = socket.create_server(("127.0.0.1", 0))
        relay = Relay(server, ("127.0.0.1", int(listener.address.rpartition(":")[2])), fault)
        address = f"tls://localhost:{server.getsockname()[1]}"
    try:
        yield address
    finally:
        relay.close()
        place.unlink(missing_ok=True)


@pytest.fixture
def quiet(private_data_dir: MakeDir, fakes: Stages) -> Path:
    """A directory whose playbook quiet.yml prints nothing and ends."""
    return private_data_dir({"quiet.yml": "[]\n"})


def check(fault: Fault, listener: Listener, query: str, quiet: Path, stages: Stages) -> None:
    """Run a job through the fault: the outcome is true, has a reason, and nothing is left on either side."""
    ident = f"{fault.kind.value}-{fault.direction}-{fault.offset}"
    flags = ("--liveness-seconds", "1", "--keepalive-seconds", "0.2")
    with relayed(listener, fault, quiet.parent / "relay") as address:
        done = stages.call("run", quiet, "-p", "quiet.yml", "-i", ident, "--on", address + query, *flags)
        text = done.stderr.decode()
        assert "Traceback" not in text, text
        assert "without -t" not in text, text  # there is no terminal on the way
        status = (quiet / "artifacts" / ident / "status").read_text()
        assert (done.returncode == 0) == (status == "successful"), (fault, text)
        if done.returncode:
            assert len([line for line in text.splitlines() if " warning: " not in line]) == 1, (fault, text)
            assert status in {"error", "canceled", "failed"}
        wait_until(lambda: listener.workers() == [])
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.ONE_WAY, Kind.CORRUPT])
def test_a_unix_socket(fakes: Stages, quiet: Path, listen: Listen, kind: Kind) -> None:
    listener = listen("--liveness-seconds", "1", "--keepalive-seconds", "0.2", "--arrival-seconds", "3")
    for direction, offsets in ((UP, (0, 7, 20, 40, 300)), (DOWN, (0, 7, 20, 300, 900))):
        for offset in offsets:
            check(Fault(kind, direction, offset), listener, "", quiet, fakes)
    assert fakes.call("run", quiet, "-p", "quiet.yml", "-i", "x", "--on", listener.address).returncode == 0


@pytest.mark.parametrize(("direction", "offset"), [(UP, 20), (UP, 150), (DOWN, 0), (DOWN, 400)])
def test_a_unix_socket_that_stalls(fakes: Stages, quiet: Path, listen: Listen, direction: str, offset: int) -> None:
    """The limits of silence end the job on both sides."""
    listener = listen("--liveness-seconds", "1", "--keepalive-seconds", "0.2", "--arrival-seconds", "3")
    check(Fault(Kind.STALL, direction, offset), listener, "", quiet, fakes)


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.ONE_WAY, Kind.CORRUPT, Kind.STALL])
def test_tls(fakes: Stages, quiet: Path, listen: Listen, tmp_path: Path, kind: Kind) -> None:
    """In the handshake, and after it."""
    files = tmp_path / "files"
    files.mkdir()
    authority = Authority(files)
    server, client = authority.sign("localhost"), authority.sign("laptop")
    own = ("--tls-cert", server, "--tls-key", server.with_suffix(".key"), "--tls-ca", authority.certificate)
    limits = ("--liveness-seconds", "1", "--keepalive-seconds", "0.2", "--arrival-seconds", "3")
    listener = listen(*own, "--allow", "laptop", *limits, address="tls://127.0.0.1:0")
    query = f"?cert={client}&key={client.with_suffix('.key')}&ca={authority.certificate}"
    offsets = (2000,) if kind is Kind.STALL else (0, 300, 1500, 2500)
    for direction in (UP, DOWN):
        for offset in offsets:
            check(Fault(kind, direction, offset), listener, query, quiet, fakes)
