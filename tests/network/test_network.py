"""A network of namespaces: packets get through, are lost or cut as asked, and nothing is left, whatever ends first."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from tests.network.network import NEEDS_TUN, Network
from tests.network.programs import echo, running, say, talker, transfer, wait_for_packets
from tests.network.wires import Counts
from tests.processes import is_running, wait_until

pytestmark = NEEDS_TUN
_HEADERS = 20 + 8
"""Bytes of those of IPv4 and UDP."""
HOLDER = """
import subprocess, sys, threading
from tests.network.network import Network
network = Network("one", "two")
words = [*network.inside("one"), "setsid", "sh", "-c", "echo; exec sleep 600"]
left = subprocess.Popen(words, stdout=subprocess.PIPE)
left.stdout.readline()  # it is there
print(network.relay, left.pid, flush=True)
{end}
"""


def lines(process: subprocess.Popen[str], number: int) -> list[str]:
    """The next lines that a program prints."""
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(number)]


def test_every_host_reaches_every_other(network: Network) -> None:
    hosts = ("one", "two", "three")
    for target in hosts:
        with echo(network, target) as server:
            for source in hosts:
                if source != target:
                    with talker(network, source) as client:
                        say(client, network.address(target), source)
                        assert lines(server, 1) == [source]


def test_a_seed_loses_the_same_packets_of_a_real_network(network: Network) -> None:
    network.shape(loss=0.2, source="one", target="two")
    texts = [str(number) for number in range(100)]
    with echo(network, "two") as server, talker(network, "one") as client:
        say(client, network.address("two"), *texts)
        wait_for_packets(network, "one", "two", 100)
        network.shape(loss=0.0)
        say(client, network.address("two"), "end")
        chance = random.Random("1 0 1")
        expected = [text for text in texts if chance.random() >= 0.2]
        assert lines(server, len(expected) + 1) == [*expected, "end"]
        size = sum(_HEADERS + len(text) for text in [*expected, "end"])
        assert network.counts("one", "two") == Counts(len(expected) + 1, size, 100 - len(expected))


def test_a_cut_in_one_direction(network: Network) -> None:
    network.cut("one", "two")
    with echo(network, "two") as server, talker(network, "one") as client, talker(network, "three") as other:
        say(client, network.address("two"), "lost")
        wait_until(lambda: network.counts("one", "two").cut == 1)
        say(other, network.address("two"), "other")
        assert lines(server, 1) == ["other"]
        network.heal()
        say(client, network.address("two"), "found")
        assert lines(server, 1) == ["found"]


def test_a_connection_outlasts_loss_and_delay(network: Network) -> None:
    network.shape(delay=0.01, loss=0.05)
    assert transfer(network, "one", "two", 300_000) == 300_000
    counts = network.counts()
    assert counts.lost > 0
    assert counts.passed > 300_000 / 1500


def test_the_round_trip_of_a_connection(network: Network) -> None:
    """The kernel's own measure of a connection is at least the delay there and back."""
    network.shape(delay=0.04)
    program = (
        "import socket, struct, sys\n"
        "with socket.create_connection((sys.argv[1], 9000)) as connection:\n"
        "    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)\n"
        "    print(struct.unpack_from('I', info, 68)[0])\n"
    )
    server = "import socket\nserver = socket.create_server(('', 9000))\nprint('ready', flush=True)\nserver.accept()\n"
    with running(network, "two", server):
        words = [*network.inside("one"), sys.executable, "-c", program, network.address("two")]
        microseconds = int(subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout)
    assert microseconds >= 80_000


def test_a_star_of_many_hosts() -> None:
    names = [f"node{number}" for number in range(20)]
    with Network(*names) as network:
        with echo(network, "node19") as server:
            for name in names[:19:6]:
                with talker(network, name) as client:
                    say(client, network.address("node19"), name)
                    assert lines(server, 1) == [name]
        network.cut(source="node0")
        assert network.counts("node0").cut == 0


def namespaces() -> set[str]:
    """The network namespaces that processes of this machine are in or hold."""
    found = set()
    for pid in (entry for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            found |= {os.readlink(pid / "ns" / "net"), *map(os.readlink, (pid / "fd").iterdir())}
        except OSError:
            pass  # it has ended
    return {name for name in found if name.startswith("net:")}


def test_nothing_is_left() -> None:
    with Network("one", "two") as network:
        made = namespaces()
        words = [*network.inside("one"), "setsid", "sh", "-c", "echo; exec sleep 600"]
        left = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        lines(left, 1)  # it is there
        mine = {f"net:[{os.stat(network.inside(name)[-1].partition('=')[2]).st_ino}]" for name in ("one", "two")}
        assert mine <= made
    left.communicate(timeout=20)
    assert left.returncode == -signal.SIGKILL
    assert not is_running(network.relay)
    assert mine & namespaces() == set()


def test_nothing_is_left_of_a_program_that_is_killed() -> None:
    program = [sys.executable, "-c", HOLDER.format(end="threading.Event().wait()")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as holder:
        relay, left = map(int, lines(holder, 1)[0].split())
        assert is_running(relay)
        holder.kill()
    wait_until(lambda: not is_running(relay) and not is_running(left))


def test_nothing_is_left_of_a_program_that_closes_nothing() -> None:
    program = [sys.executable, "-W", "ignore", "-c", HOLDER.format(end="")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as holder:
        relay, left = map(int, lines(holder, 1)[0].split())
    wait_until(lambda: not is_running(relay) and not is_running(left))
