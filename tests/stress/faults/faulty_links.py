"""Faults at random bytes of jobs over links: `exec:`, `ssh://`, and below ssh."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.cli.conftest import FAKES
from tests.conftest import LOCAL_HOSTS
from tests.links.conftest import ssh_host
from tests.stages import Stages, stages_for_sockets
from tests.stress.faults.cached_links import CachedLink
from tests.stress.faults.faulty import DOWN, UP
from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.over_links import (
    Connect,
    LinkFault,
    check,
    check_nothing_left,
    exec_link,
    link_below_ssh,
    proxy_line,
    run,
    ssh_link,
)
from tests.stress.faults.report import Report

_AT_ONCE = 4
_NEVER = LinkFault(Fault(Kind.DRIBBLE, 1 << 30), UP)


def measure(flags: argparse.Namespace, report: Report) -> None:
    """Put `--links` faults of every kind into jobs over each kind of link."""
    for name, connect in (("exec:", exec_link), ("ssh://", ssh_link), ("below ssh", link_below_ssh)):
        row = f"faults in jobs over links, {name}: until the command has ended"
        with stages_for_sockets() as stages, _place(stages, below=connect is link_below_ssh) as directory:
            _measure_all(flags, report, row, stages, directory, connect)


def measure_with_cache(flags: argparse.Namespace, report: Report) -> None:
    """Put `--links` faults of every kind into jobs whose worker has a cache."""
    row = "faults in jobs over exec: with a cache: until the command has ended"
    with stages_for_sockets() as stages, _place(stages, below=False) as directory:
        _measure_all(flags, report, row, stages, directory, CachedLink(stages, directory))


def _measure_all(
    flags: argparse.Namespace, report: Report, row: str, stages: Stages, directory: Path, connect: Connect
) -> None:
    try:
        _measure(flags, report, row, stages, directory, connect)
        check_nothing_left(stages)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
        report.fail(row, repr(error))


def _measure(
    flags: argparse.Namespace, report: Report, row: str, stages: Stages, directory: Path, connect: Connect
) -> None:
    """Learn how long the streams are, and put faults somewhere in them."""
    whole = run(stages, directory, "whole", connect, _NEVER)
    stdout = (whole.artifacts / "stdout").read_bytes()
    check(whole, _NEVER, stdout)
    sizes = {direction: len(whole.passed(direction)) for direction in (UP, DOWN)}
    chance = random.Random(f"{flags.seed} {row}")

    def try_one(number: int, fault: LinkFault) -> None:
        start = time.monotonic()
        try:
            outcome = run(stages, directory, f"x{number}", connect, fault)
            report.add(row, time.monotonic() - start, "s")
            check(outcome, fault, stdout)
            if isinstance(connect, CachedLink):
                connect.check(outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
            report.fail(row, f"{fault}: {error!r}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for number in range(flags.links):
            direction = chance.choice((UP, DOWN))
            fault = Fault(chance.choice(list(Kind)), chance.randrange(sizes[direction] + 1), number)
            pool.submit(partial(try_one, number, LinkFault(fault, direction, connect is link_below_ssh)))


@contextmanager
def _place(stages: Stages, *, below: bool) -> Iterator[Path]:
    """A private data directory for the job, and a host that is reached by ssh."""
    stages.path_before.append(FAKES)
    with tempfile.TemporaryDirectory(prefix="ps", dir="/tmp") as name:
        folder = Path(name)
        directory = folder / "demo"
        for part in ("project", "inventory"):
            (directory / part).mkdir(parents=True)
        (directory / "project" / "not-utf8.yml").write_text("[]\n")
        (directory / "inventory" / "hosts").write_text(f"{LOCAL_HOSTS}node1\n")
        with ssh_host(folder, stages) as host:
            host.set_login(noise=":", path=f"{FAKES}:{Path(sys.executable).parent}:$PATH")
            if below:
                host.configure(proxy_line(host))
            yield directory
