"""The kernel's own firewall on the hosts of a network: partitions between two hosts, of both directions or of one."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.network.network import Network

NEEDS_FIREWALL = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the firewall of another network")
"""For tests with partitions. Root always runs them."""
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def drop(network: Network, source: str, target: str) -> None:
    """Let a host drop every packet of another one, so that nothing arrives in this direction."""
    _iptables(network, target, "--append", "INPUT", "--source", network.address(source), "--jump", "DROP")


def part(network: Network, one: str, *others: str) -> None:
    """Let nothing arrive between a host and others, in both directions."""
    for other in others:
        drop(network, one, other)
        drop(network, other, one)


def accept_all(network: Network, *hosts: str) -> None:
    """Let hosts drop nothing any more."""
    for host in hosts:
        _iptables(network, host, "--flush", "INPUT")


def _iptables(network: Network, host: str, *words: str) -> str:
    program = shutil.which("iptables", path=_PATH)
    if program is None:
        pytest.fail("iptables is missing; apt-get install iptables")
    command = [*network.inside(host), program, "--wait", *words]
    return subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, text=True).stdout


def reset_some(network: Network, source: str, target: str, part: float) -> None:
    """Let a host reset connections of another one: each packet resets its connection with this probability."""
    chance = ["--match", "statistic", "--mode", "random", "--probability", str(part)]
    words = ["--protocol", "tcp", *chance, "--jump", "REJECT", "--reject-with", "tcp-reset"]
    _iptables(network, target, "--append", "INPUT", "--source", network.address(source), *words)


def count_resets(network: Network, source: str, target: str) -> int:
    """Return how many packets of another host have reset their connection."""
    lines = _iptables(network, target, "--list", "INPUT", "--verbose", "--exact", "--numeric").splitlines()
    return sum(int(line.split()[0]) for line in lines if "REJECT" in line and network.address(source) in line.split())
