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


def _iptables(network: Network, host: str, *words: str) -> None:
    program = shutil.which("iptables", path=_PATH)
    if program is None:
        pytest.fail("iptables is missing; apt-get install iptables")
    subprocess.run([*network.inside(host), program, "--wait", *words], check=True, timeout=60)
