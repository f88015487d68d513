"""`playstream mesh jobs`: list the jobs of a mesh."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from playstream.cli.mesh import identity_of
from playstream.cli.parser import Parser
from playstream.cli.tables import Column, age, print_table, terminal_width
from playstream.interface.terminal_text import make_safe_json
from playstream.mesh.client import MeshClient
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.overview import MeshJob, describe_jobs
from playstream.pipeline.io.json_text import dump_json

COLUMNS = (
    Column("JOB"),
    Column("STATE"),
    Column("OUTCOME", coloured=True),
    Column("RC", rank=4),
    Column("GROUP", least=8, rank=2),
    Column("NODE", least=8, rank=1),
    Column("SUBMITTER", least=8, rank=3),
    Column("AGE"),
    Column("REASON", below=True),
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [--identity FILE] [FLAGS]"
    parser.description = (
        "List the jobs of a submitter, or for an operator those of all, while their results are kept: the newest "
        "first. A job whose node has died, and that nobody follows, is declared lost."
    )
    parser.add_flags("mesh jobs")


def run(flags: argparse.Namespace) -> int:
    """List the jobs; return the exit status."""
    jobs = asyncio.run(_describe(identity_of(flags, Kind.SUBMITTER, Kind.OPERATOR)))
    if flags.json:
        for job in jobs:
            print(make_safe_json(dump_json(asdict(job))))
        return 0
    print_table(COLUMNS, _rows(jobs), terminal_width())
    return 0


async def _describe(identity: Identity) -> list[MeshJob]:
    client = MeshClient(identity.endpoint)
    await client.connect()
    try:
        return await describe_jobs(client, identity)
    finally:
        await client.close()


def _rows(jobs: Sequence[MeshJob]) -> Iterator[Sequence[object]]:
    for job in jobs:
        yield (
            job.job,
            job.state,
            job.outcome,
            job.exit_status,
            job.group,
            job.node,
            job.submitter,
            age(job.age_seconds),
            job.reason,
        )
