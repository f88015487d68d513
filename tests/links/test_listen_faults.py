"""Faults between a client and a listening worker: each side ends with a reason, and nothing is left."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from playstream.pipeline.protocol.frames import MAGIC_START
from tests.conftest import MakeDir
from tests.links.certificates import Authority
from tests.links.conftest import Listen
from tests.links.listening import Listener
from tests.processes import marked_processes, wait_until
from tests.stages import Stages
from tests.stress.faults.faulty import DOWN, UP
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.over_links import LinkFault
from tests.stress.faults.passage import Passage

_LONG = {Kind.DUPLICATE, Kind.REORDER}
"""Faults that change several bytes, for which fewer offsets are enough."""


class Relay:
    """Passes the bytes of one connection on, until a fault."""

    def __init__(self, server: socket.socket, target: str | tuple[str, int], fault: LinkFault) -> None:
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
            passages = {way: Passage(self._fault.fault if way == self._fault.direction else None) for way in (UP, DOWN)}
            while ways:
                ready = select.select([*ways, self._stopped], [], [])[0]
                if self._stopped in ready:
                    return
                for source in ready:
                    target, direction = ways[source]
                    if not self._pass_on(source, target, passages[direction]):
                        del ways[source]
                        if passages[direction].over and self._fault.fault.kind is Kind.CUT:
                            return

    def _pass_on(self, source: socket.socket, target: socket.socket, passage: Passage) -> bool:
        """Pass on what has arrived. Return False if nothing more is passed on in this direction."""
        try:
            data = source.recv(65536)
            for piece in passage.take(data) if data else passage.end():
                target.sendall(piece)
            if passage.over:
                if self._fault.fault.kind is Kind.ONE_WAY:
                    target.shutdown(socket.SHUT_WR)
                return False
            if not data:
                target.shutdown(socket.SHUT_WR)
                return False
        except OSError:
            return False  # one side has gone
        return True


@contextmanager
def relayed(listener: Listener, fault: LinkFault, place: Path) -> Iterator[str]:
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


def check(fault: LinkFault, listener: Listener, query: str, quiet: Path, stages: Stages) -> None:
    """Run a job through the fault: the outcome is true, has a reason, and nothing is left on either side."""
    ident = f"{fault.fault.kind.value}-{fault.direction}-{fault.fault.offset}"
    flags = ("--liveness-seconds", "1", "--keepalive-seconds", "0.2")
    with relayed(listener, fault, quiet.parent / "relay") as address:
        done = stages.call("run", quiet, "-p", "quiet.yml", "-i", ident, "--on", address + query, *flags)
        text = done.stderr.decode()
        assert "Traceback" not in text, text
        if fault.fault.offset >= len(MAGIC_START) or fault.fault.kind is not Kind.CORRUPT:
            # There is no terminal on the way; but what follows a damaged start may look like what one has dropped.
            assert "without -t" not in text, text
        status = (quiet / "artifacts" / ident / "status").read_text()
        assert (done.returncode == 0) == (status == "successful"), (fault, text)
        if done.returncode:
            assert len([line for line in text.splitlines() if " warning: " not in line]) == 1, (fault, text)
            assert status in {"error", "canceled", "failed"}
        wait_until(lambda: listener.workers() == [])
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.ONE_WAY, Kind.CORRUPT, Kind.DUPLICATE, Kind.REORDER])
def test_a_unix_socket(fakes: Stages, quiet: Path, listen: Listen, kind: Kind) -> None:
    listener = listen("--liveness-seconds", "1", "--keepalive-seconds", "0.2", "--arrival-seconds", "3")
    places: dict[str, tuple[int, ...]] = {UP: (0, 7, 20, 40, 300), DOWN: (0, 7, 20, 300, 900)}
    if kind in _LONG:
        places = {UP: (20,), DOWN: (300,)}
    for direction, offsets in places.items():
        for offset in offsets:
            check(LinkFault(Fault(kind, offset), direction), listener, "", quiet, fakes)
    assert fakes.call("run", quiet, "-p", "quiet.yml", "-i", "x", "--on", listener.address).returncode == 0


@pytest.mark.parametrize(("direction", "offset"), [(UP, 20), (UP, 150), (DOWN, 0), (DOWN, 400)])
def test_a_unix_socket_that_stalls(fakes: Stages, quiet: Path, listen: Listen, direction: str, offset: int) -> None:
    """The limits of silence end the job on both sides."""
    listener = listen("--liveness-seconds", "1", "--keepalive-seconds", "0.2", "--arrival-seconds", "3")
    check(LinkFault(Fault(Kind.STALL, offset), direction), listener, "", quiet, fakes)


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.ONE_WAY, Kind.CORRUPT, Kind.STALL, Kind.DUPLICATE, Kind.REORDER])
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
    offsets = (2000,) if kind is Kind.STALL or kind in _LONG else (0, 300, 1500, 2500)
    for direction in (UP, DOWN):
        for offset in offsets:
            check(LinkFault(Fault(kind, offset), direction), listener, query, quiet, fakes)
