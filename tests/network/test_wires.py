"""Wires with a clock of the test's own: delay, loss, cuts, and the order of packets."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest

from tests.network.wires import Counts, Wires

ADDRESSES = [IPv4Address(f"10.0.0.{number}") for number in (1, 2, 3)]
ONE, TWO, THREE = range(3)


def packet(target: int, text: bytes = b"") -> bytes:
    """A packet of IPv4 for a host; of its header only what wires read."""
    return b"\x45" + bytes(15) + ADDRESSES[target].packed + text


def arrivals(wires: Wires, now: float) -> list[tuple[int, bytes]]:
    """What has arrived until then, without the headers."""
    return [(host, found[20:]) for host, found in wires.arrived(now)]


@pytest.fixture
def wires() -> Wires:
    """The wires between three hosts."""
    return Wires(ADDRESSES)


def test_a_packet_arrives_where_it_is_sent_to(wires: Wires) -> None:
    wires.accept(ONE, packet(TWO, b"a"), 5.0)
    wires.accept(ONE, packet(THREE, b"b"), 5.0)
    wires.accept(THREE, packet(ONE, b"c"), 5.0)
    assert arrivals(wires, 5.0) == [(TWO, b"a"), (THREE, b"b"), (ONE, b"c")]
    assert wires.next_arrival is None


def test_a_packet_for_nobody_is_dropped(wires: Wires) -> None:
    for strange in (b"", b"\x45", b"\x60" + packet(TWO)[1:], packet(TWO)[:16] + bytes([10, 0, 0, 9])):
        wires.accept(ONE, strange, 0.0)
    assert arrivals(wires, 1e9) == []


def test_a_packet_takes_the_delay_of_its_direction(wires: Wires) -> None:
    (there,), (back,) = wires.between(ONE, TWO), wires.between(TWO, ONE)
    there.delay, back.delay = 0.05, 0.03
    wires.accept(ONE, packet(TWO, b"ping"), 1.0)
    assert wires.next_arrival == 1.05
    assert arrivals(wires, 1.0499) == []
    assert arrivals(wires, 1.05) == [(TWO, b"ping")]
    wires.accept(TWO, packet(ONE, b"pong"), 1.05)
    assert arrivals(wires, 1.0799) == []
    assert arrivals(wires, 1.0801) == [(ONE, b"pong")]


def test_packets_of_a_direction_keep_their_order(wires: Wires) -> None:
    for wire in wires.between():
        wire.delay = 0.04
    texts = [str(number).encode() for number in range(100)]
    for text in texts:
        wires.accept(ONE, packet(TWO, text), 0.0)
    assert arrivals(wires, 0.04) == [(TWO, text) for text in texts]


def test_packets_arrive_when_they_are_due_whatever_was_sent_first(wires: Wires) -> None:
    (slow,) = wires.between(ONE, TWO)
    slow.delay = 0.1
    wires.accept(ONE, packet(TWO, b"slow"), 0.0)
    wires.accept(ONE, packet(THREE, b"fast"), 0.01)
    assert arrivals(wires, 0.2) == [(THREE, b"fast"), (TWO, b"slow")]


def test_a_new_delay_is_not_for_packets_on_their_way(wires: Wires) -> None:
    (wire,) = wires.between(ONE, TWO)
    wire.delay = 0.1
    wires.accept(ONE, packet(TWO, b"before"), 0.0)
    wire.delay = 0.0
    wires.accept(ONE, packet(TWO, b"after"), 0.0)
    assert arrivals(wires, 0.0) == [(TWO, b"after")]
    assert arrivals(wires, 0.1) == [(TWO, b"before")]


def lost(seed: int, source: int = ONE, number: int = 1000) -> list[int]:
    """Which packets of a direction with a loss of 1 % do not arrive."""
    wires = Wires(ADDRESSES, seed)
    (wire,) = wires.between(source, TWO)
    wire.loss = 0.01
    for count in range(number):
        wires.accept(source, packet(TWO, str(count).encode()), 0.0)
    arrived = {int(text) for _, text in arrivals(wires, 0.0)}
    size = sum(len(packet(TWO, str(count).encode())) for count in arrived)
    assert wire.counts == Counts(passed=len(arrived), passed_bytes=size, lost=number - len(arrived))
    return [count for count in range(number) if count not in arrived]


def test_a_seed_loses_the_same_packets() -> None:
    chance = random.Random(f"7 {ONE} {TWO}")
    assert lost(7) == [count for count in range(1000) if chance.random() < 0.01]
    assert lost(7) == lost(7)
    assert 0 < len(lost(7)) < 40
    assert lost(7) != lost(8)
    assert lost(7) != lost(7, THREE)


def test_no_loss_takes_nothing_from_chance(wires: Wires) -> None:
    """So the packets that are lost do not depend on how many passed before there was a loss."""
    (wire,) = wires.between(ONE, TWO)
    for _ in range(50):
        wires.accept(ONE, packet(TWO), 0.0)
    wire.loss = 0.01
    for count in range(1000):
        wires.accept(ONE, packet(TWO, str(count).encode()), 1.0)
    arrived = [text for _, text in arrivals(wires, 1.0)][50:]
    assert [count for count in range(1000) if str(count).encode() not in arrived] == lost(1)


def test_a_cut_drops_all_packets_of_its_direction(wires: Wires) -> None:
    (there,) = wires.between(ONE, TWO)
    there.delay = 0.04
    wires.accept(ONE, packet(TWO, b"on its way"), 0.0)
    there.is_cut = True
    wires.accept(ONE, packet(TWO, b"after"), 0.01)
    wires.accept(TWO, packet(ONE, b"back"), 0.01)
    wires.accept(ONE, packet(THREE, b"elsewhere"), 0.01)
    assert arrivals(wires, 1.0) == [(ONE, b"back"), (THREE, b"elsewhere")]
    assert there.counts == Counts(cut=2)


def test_a_wire_that_is_healed_carries_packets_again(wires: Wires) -> None:
    for wire in wires.between(target=TWO):
        wire.is_cut = True
    wires.accept(ONE, packet(TWO, b"lost"), 0.0)
    wires.accept(THREE, packet(TWO, b"lost"), 0.0)
    for wire in wires.between():
        wire.is_cut = False
    wires.accept(ONE, packet(TWO, b"found"), 0.0)
    assert arrivals(wires, 0.0) == [(TWO, b"found")]
    assert sum(wire.counts.cut for wire in wires.between()) == 2
