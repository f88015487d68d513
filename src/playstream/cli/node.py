"""`playstream node`: run the jobs of a mesh on this host."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from playstream.cli.flags import LIMITS
from playstream.cli.mesh import identity_of
from playstream.cli.parser import Parser
from playstream.cli.worker_flags import MAX_JOB
from playstream.mesh.features import check_feature
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.node.agent import Node, NodeOptions
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.age_keys import import_pyrage
from playstream.pipeline.limits import check_seconds, limits_of
from playstream.worker.listen.event_log import TEXT, EventLog


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
    import_pyrage()  # its workers need it
    features = [check_feature(name) for name in flags.feature]
    options = NodeOptions(slots_of(flags), _worker_words(flags), features, plain=flags.no_encryption)
    asyncio.run(run_node(identity, options, EventLog(flags.log_format or TEXT)))
    return 0


def slots_of(flags: argparse.Namespace) -> int:
    """Return how many jobs run at the same time.

    Raises:
        ConfigurationError: the flag has no valid number.
    """
    if flags.slots is not None and flags.slots < 1:
        raise ConfigurationError(f"--slots: expected a number, 1 or more, got {flags.slots}")
    return flags.slots or len(os.sched_getaffinity(0))


async def run_node(identity: Identity, options: NodeOptions, log: EventLog) -> None:
    """Run jobs until a signal.

    Raises:
        LinkError: the mesh cannot be reached, or the identity was removed.
    """
    node = Node(identity, options, log.write)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    await node.run()


def _worker_words(flags: argparse.Namespace) -> list[str]:
    """Return the flags that each worker gets."""
    words = []
    for definition in (*LIMITS, *MAX_JOB):
        name = definition.names[-1]
        value = getattr(flags, name.removeprefix("--").replace("-", "_"))
        if value is not None:
            words += [name, f"{value:g}" if isinstance(value, float) else str(value)]
    return words
