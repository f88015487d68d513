"""Faults between a link and its worker, over `exec:` and `ssh://`, and below ssh: the promises are those of a pipe."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from playstream.pipeline.protocol import NEED_DATA, Receiver
from playstream.pipeline.protocol.order import Direction
from tests.cli.conftest import FAKES
from tests.conftest import MakeDir
from tests.links.hosts import Host
from tests.stages import Stages
from tests.stress.faults.cached_links import CachedLink
from tests.stress.faults.faulty import DOWN, UP
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.over_links import (
    Connect,
    LinkFault,
    Outcome,
    check,
    check_nothing_left,
    exec_link,
    link_below_ssh,
    proxy_line,
    run,
    ssh_link,
)

FAR_AWAY = 1 << 30
"""An offset that is never reached."""
EACH_WAY = pytest.mark.parametrize("direction", [UP, DOWN])


@pytest.fixture
def spoken(private_data_dir: MakeDir, fakes: Stages) -> Path:
    """A directory whose playbook not-utf8.yml prints two lines and ends."""
    return private_data_dir({"not-utf8.yml": "[]\n"})


def whole(stages: Stages, directory: Path, connect: Connect) -> Outcome:
    """Run the job over a link without a fault."""
    fault = LinkFault(Fault(Kind.DRIBBLE, FAR_AWAY), UP, below=connect is link_below_ssh)
    outcome = run(stages, directory, "whole", connect, fault)
    assert (outcome.exit_status, outcome.text) == (0, "")
    check(outcome, fault, (outcome.artifacts / "stdout").read_bytes())
    return outcome


def ends_of_records(stream: bytes) -> list[int]:
    """Where the records of a worker's stream end."""
    receiver = Receiver(Direction.RESULT)
    found = []
    for place in range(len(stream)):
        receiver.receive_data(stream[place : place + 1])
        while receiver.next_record() is not NEED_DATA:
            found.append(place + 1)
    return sorted(set(found))


def try_faults(
    stages: Stages,
    directory: Path,
    connect: Connect,
    faults: list[LinkFault],
    reference: Outcome,
) -> None:
    """Run the job with one fault after the other, and check what each leaves."""
    stdout = (reference.artifacts / "stdout").read_bytes()
    for number, fault in enumerate(faults):
        outcome = run(stages, directory, f"x{number}", connect, fault)
        try:
            check(outcome, fault, stdout)
            if isinstance(connect, CachedLink):
                connect.check(outcome)
        except AssertionError as error:
            raise AssertionError(f"{fault}: {error}") from error
    check_nothing_left(stages)


def some(reference: Outcome, direction: str, *, first: float = 0.0, below: bool = False) -> list[LinkFault]:
    """A fault of each kind, somewhere in a stream as long as that of the reference, after a part of it."""
    chance = random.Random(direction)
    size = len(reference.passed(direction))
    return [
        LinkFault(Fault(kind, chance.randrange(max(1, int(size * first)), size)), direction, below) for kind in Kind
    ]


def test_a_cut_after_each_record(fakes: Stages, spoken: Path) -> None:
    reference = whole(fakes, spoken, exec_link)
    ends = ends_of_records(reference.passed(DOWN))
    assert len(ends) >= 4  # a frame holds records that were there together
    faults = [LinkFault(Fault(Kind.CUT, end), DOWN) for end in ends]
    try_faults(fakes, spoken, exec_link, faults, reference)


@EACH_WAY
def test_exec(fakes: Stages, spoken: Path, direction: str) -> None:
    reference = whole(fakes, spoken, exec_link)
    try_faults(fakes, spoken, exec_link, some(reference, direction), reference)


@EACH_WAY
def test_exec_with_a_cache(fakes: Stages, spoken: Path, direction: str) -> None:
    """While the worker asks for what it lacks of a tree, and gets it."""
    link = CachedLink(fakes, spoken)
    reference = whole(fakes, spoken, link)
    link.check_exchange(reference)
    try_faults(fakes, spoken, link, some(reference, direction), reference)


@pytest.fixture
def faulty_host(host: Host) -> Host:
    """A host on which playstream finds the fake Ansible."""
    host.set_login(noise=":", path=f"{FAKES}:{Path(sys.executable).parent}:$PATH")
    return host


@EACH_WAY
@pytest.mark.usefixtures("faulty_host")
def test_ssh(fakes: Stages, spoken: Path, direction: str) -> None:
    reference = whole(fakes, spoken, ssh_link)
    try_faults(fakes, spoken, ssh_link, some(reference, direction), reference)


@EACH_WAY
def test_below_ssh(fakes: Stages, spoken: Path, faulty_host: Host, direction: str) -> None:
    """In the key exchange, and after it: ssh notices what the stream would."""
    faulty_host.configure(proxy_line(faulty_host))
    reference = whole(fakes, spoken, link_below_ssh)
    early = [LinkFault(Fault(kind, 1000), direction, below=True) for kind in (Kind.CUT, Kind.ONE_WAY)]
    late = some(reference, direction, first=0.6, below=True)
    try_faults(fakes, spoken, link_below_ssh, early + late, reference)
