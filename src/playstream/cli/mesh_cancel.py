"""`playstream mesh cancel`: end a job of a mesh."""

from __future__ import annotations

import argparse
import asyncio

from playstream.cli.mesh import identity_of
from playstream.cli.parser import Parser
from playstream.mesh.client import MeshClient
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.messages import JobEnd, Outcome
from playstream.mesh.overview import cancel_job


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s JOB [--identity FILE] [FLAGS]"
    parser.description = (
        "End a job of a mesh, as its submitter or as an operator. A node that runs it ends it as Ctrl-C would, and who "
        "follows it gets the results up to then; one that waits is never started."
    )
    parser.add_argument("job", metavar="JOB", help="the name of the job")
    parser.add_flags("mesh cancel")


def run(flags: argparse.Namespace) -> int:
    """End the job; return the exit status."""
    end = asyncio.run(_cancel(identity_of(flags, Kind.SUBMITTER, Kind.OPERATOR), flags.job))
    if end.outcome is Outcome.CANCELED:
        print("The job is canceled")
    else:
        print(f"The job had ended before: {end.reason or 'its worker has ended it'}")
    return 0


async def _cancel(identity: Identity, job: str) -> JobEnd:
    client = MeshClient(identity.endpoint)
    await client.connect()
    try:
        return await cancel_job(client, identity, job)
    finally:
        await client.close()
