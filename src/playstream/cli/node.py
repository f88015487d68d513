"""`playstream node`: run the jobs of a mesh on this host."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from pathlib import Path

from playstream.cli.flags import LIMITS
from playstream.cli.mesh import identity_of
from playstream.cli.parser import Parser
from playstream.cli.worker_flags import MAX_JOB
from playstream.mesh.authority import expiry_of
from playstream.mesh.expiry import SOON_DAYS, days_left
from playstream.mesh.features import check_feature
from playstream.mesh.identity import VARIABLE, Identity, Kind
from playstream.mesh.node.agent import Node, NodeOptions
from playstream.pipeline.errors import ConfigurationError, counted
from playstream.pipeline.io.age_keys import import_pyrage
from playstream.pipeline.limits import check_seconds, limits_of
from playstream.pipeline.tree.directories import absolute_path
from playstream.pipeline.tree.user_cache import state_place
from playstream.worker.listen.event_log import TEXT, EventLog
from playstream.worker.listen.service import VARIABLES, Service
from playstream.worker.listen.units import print_node_unit

_DAY = 86_400.0


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [--identity FILE] [--slots N] [FLAGS]"
    parser.description = (
        "Connect to a mesh and run jobs of the node's groups, each by a worker of its own. SIGTERM or Ctrl-C ends it "
        "after its jobs have ended; a second one ends the jobs. Jobs can run any command as this user."
    )
    parser.add_flags("node")


def run(flags: argparse.Namespace) -> int:
    """Run jobs until a signal; return the exit status."""
    limits_of(vars(flags))
    if flags.max_job_seconds is not None:
        check_seconds("--max-job-seconds", flags.max_job_seconds)
    identity = identity_of(flags, Kind.NODE)
    if flags.print_unit:
        print_node_unit(identity.name, _unit_words(flags), flags.drain_seconds)
        return 0
    import_pyrage()  # its workers need it
    if flags.drain_seconds is not None:
        check_seconds("--drain-seconds", flags.drain_seconds)
    features = [check_feature(name) for name in flags.feature]
    state = state_of(identity) if flags.require_signature else None
    options = NodeOptions(slots_of(flags), _worker_words(flags), features, plain=flags.no_encryption, state=state)
    service = Service(os.environ)
    for name in VARIABLES:
        os.environ.pop(name, None)  # they are not for the jobs
    log = EventLog(flags.log_format or TEXT)
    asyncio.run(run_node(identity, options, log, drain_seconds=flags.drain_seconds, service=service))
    return 0


def state_of(identity: Identity) -> Path:
    """Return the directory in which a node remembers jobs: that of its service, or of this user's state."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return (Path(given) if given else state_place()) / f"node-{identity.name}"


def slots_of(flags: argparse.Namespace) -> int:
    """Return how many jobs run at the same time.

    Raises:
        ConfigurationError: the flag has no valid number.
    """
    if flags.slots is not None and flags.slots < 1:
        raise ConfigurationError(f"--slots: expected a number, 1 or more, got {flags.slots}")
    return flags.slots or len(os.sched_getaffinity(0))


async def run_node(
    identity: Identity,
    options: NodeOptions,
    log: EventLog,
    *,
    drain_seconds: float | None = None,
    service: Service | None = None,
) -> None:
    """Run jobs until a signal.

    Args:
        identity: who the node is.
        options: see NodeOptions.
        log: takes what happens.
        drain_seconds: how long jobs may run after the signal; None until they end.
        service: tells the service manager how the node is doing; None for nobody.

    Raises:
        LinkError: the mesh cannot be reached, or the identity was removed.
    """

    def write(event: str, **fields: str | float | None) -> str:
        if service is not None and event == "connected":
            service.ready(f"node {identity.name} of the mesh")
        if service is not None and event == "stopping":
            service.stopping(f"waiting for {counted(int(fields['jobs'] or 0), 'job')}")
        return log.write(event, **fields)

    node = Node(identity, options, write)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        node.stop()
        if drain_seconds is not None:
            loop.call_later(drain_seconds, node.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    besides = [asyncio.create_task(_beat(service)), asyncio.create_task(_watch_certificate(identity, log))]
    try:
        await node.run()
    finally:
        for task in besides:
            task.cancel()


async def _beat(service: Service | None) -> None:
    """Tell the watchdog of the service manager that the loop turns."""
    while service is not None and service.interval is not None:
        service.beat()
        await asyncio.sleep(service.interval)


async def _watch_certificate(identity: Identity, log: EventLog) -> None:
    """Log each day that the certificate expires soon."""
    expiry = expiry_of(identity.certificate).timestamp()
    while True:
        if (days := days_left(expiry, time.time())) < SOON_DAYS:
            log.write("certificate", expires_in_days=days)
        await asyncio.sleep(_DAY)


def _unit_words(flags: argparse.Namespace) -> list[str]:
    """Return the flags for a unit. systemd starts it in another directory, so files have their whole paths."""
    words = ["--identity", absolute_path(flags.identity or os.environ[VARIABLE])]
    for name, value in (("--slots", flags.slots), ("--log-format", flags.log_format)):
        words += [] if value is None else [name, str(value)]
    words += [] if flags.drain_seconds is None else ["--drain-seconds", f"{flags.drain_seconds:g}"]
    for feature in flags.feature:
        words += ["--feature", feature]
    for name in ("--require-signature", "--no-encryption"):
        words += [name] if getattr(flags, name.removeprefix("--").replace("-", "_")) else []
    return [*words, *_worker_words(flags)]


def _worker_words(flags: argparse.Namespace) -> list[str]:
    """Return the flags that each worker gets."""
    words = []
    for definition in (*LIMITS, *MAX_JOB):
        name = definition.names[-1]
        value = getattr(flags, name.removeprefix("--").replace("-", "_"))
        if value is not None:
            words += [name, f"{value:g}" if isinstance(value, float) else str(value)]
    return words
