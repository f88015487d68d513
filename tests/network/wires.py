"""The wires of a star of hosts: which packet arrives where, and when. Without IO and without a clock."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

_IPV4 = 4
_DESTINATION = slice(16, 20)
"""Where the header of an IPv4 packet says whom it is for."""


@dataclass
class Counts:
    """What has happened to the packets of one direction."""

    passed: int = 0
    """Delivered."""
    passed_bytes: int = 0
    """Bytes of those that were delivered, their headers of IP and TCP included."""
    lost: int = 0
    """Dropped by chance."""
    cut: int = 0
    """Dropped because the wire was cut."""


class Wire:
    """One direction between two hosts.

    Args:
        seed: what chance starts from. The same seed loses the same packets: the third, the ninetieth …
    """

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)
        self.delay = 0.0
        """Seconds that a packet takes."""
        self.loss = 0.0
        """The probability that it does not arrive."""
        self.is_cut = False
        """Whether nothing arrives, packets on their way included."""
        self.counts = Counts()

    def loses(self) -> bool:
        """Return whether the next packet is lost."""
        return self.loss > 0 and self._chance.random() < self.loss


class Wires:
    """Every direction between any two of the hosts.

    Args:
        addresses: the hosts, which are numbered in this order.
        seed: what chance starts from.
    """

    def __init__(self, addresses: Sequence[IPv4Address], seed: int = 1) -> None:
        self._hosts = {address.packed: number for number, address in enumerate(addresses)}
        numbers = range(len(addresses))
        self._wires = [[Wire(f"{seed} {source} {target}") for target in numbers] for source in numbers]
        self._travelling: list[tuple[float, int, Wire, int, bytes]] = []
        """When each packet arrives, its number, and where; a heap."""
        self._accepted = 0

    def between(self, source: int | None = None, target: int | None = None) -> Iterator[Wire]:
        """Yield the directions from a host to another; None stands for every host."""
        for row in self._wires if source is None else [self._wires[source]]:
            yield from row if target is None else [row[target]]

    def accept(self, source: int, packet: bytes, now: float) -> None:
        """Take a packet that a host has sent. What is not IPv4, or for none of the hosts, is dropped."""
        target = self._hosts.get(packet[_DESTINATION]) if packet and packet[0] >> 4 == _IPV4 else None
        if target is None:
            return
        wire = self._wires[source][target]
        if wire.is_cut:
            wire.counts.cut += 1
        elif wire.loses():
            wire.counts.lost += 1
        else:
            self._accepted += 1
            heapq.heappush(self._travelling, (now + wire.delay, self._accepted, wire, target, packet))

    def arrived(self, now: float) -> Iterator[tuple[int, bytes]]:
        """Yield the packets that have arrived, each with the number of its host, in the order of their arrival."""
        while self._travelling and self._travelling[0][0] <= now:
            _, _, wire, target, packet = heapq.heappop(self._travelling)
            if wire.is_cut:
                wire.counts.cut += 1
            else:
                wire.counts.passed += 1
                wire.counts.passed_bytes += len(packet)
                yield target, packet

    @property
    def next_arrival(self) -> float | None:
        """When the next packet arrives; None if none is on its way."""
        return self._travelling[0][0] if self._travelling else None
