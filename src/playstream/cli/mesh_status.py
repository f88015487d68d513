"""`playstream mesh status`: show the server, the nodes and the queues of a mesh."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from playstream.cli.mesh import identity_of
from playstream.cli.parser import Parser
from playstream.cli.tables import Column, Piece, age, fitted_lines, print_pieces, print_table, terminal_width
from playstream.interface.terminal_text import make_safe_json
from playstream.mesh.client import MeshClient
from playstream.mesh.delivery import NoAnswer
from playstream.mesh.health import MeshStatus, NodeState, read_status
from playstream.mesh.identity import Identity, Kind
from playstream.pipeline.errors import ConfigurationError, counted
from playstream.pipeline.io.interpreter import pip_install
from playstream.pipeline.io.json_text import dump_json

_WATCH_SECONDS = 2.0
GROUPS = (
    Column("GROUP", least=8),
    Column("NODES", rank=2),
    Column("RUNNING", rank=1),
    Column("WAITING"),
    Column("OLDEST"),
)
NODES = (
    Column("NODE", least=8),
    Column("STATE", coloured=True),
    Column("RUNNING"),
    Column("GROUPS", least=8, rank=1),
    Column("PLAYSTREAM", rank=2),
    Column("ANSIBLE", rank=3),
    Column("PYTHON", rank=5),
    Column("FEATURES", least=8, rank=4),
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [--identity FILE] [--watch] [FLAGS]"
    parser.description = (
        "Show the version of the server, the nodes that were there in the last day, and how many jobs run and wait in "
        "each group. A submitter sees the nodes, and an operator the queues too."
    )
    parser.add_flags("mesh status")


def run(flags: argparse.Namespace) -> int:
    """Show the mesh, until Ctrl-C with --watch; return the exit status."""
    identity = identity_of(flags, Kind.OPERATOR, Kind.SUBMITTER)
    if not flags.watch:
        asyncio.run(_show(identity, _print_json if flags.json else _print, watch=False))
        return 0
    try:
        if flags.json:
            asyncio.run(_show(identity, _print_json, watch=True))
        else:
            _watch(identity)
    except KeyboardInterrupt:
        pass
    return 0


async def _show(identity: Identity, show: Callable[[MeshStatus], None], *, watch: bool) -> None:
    client = MeshClient(identity.endpoint)
    await client.connect()
    try:
        while True:
            try:
                show(await read_status(client, identity))
            except NoAnswer:
                if not watch or not await client.wait_connected(_WATCH_SECONDS):
                    raise
            if not watch:
                return
            await asyncio.sleep(_WATCH_SECONDS)
    finally:
        await client.close()


def _watch(identity: Identity) -> None:
    """Show the mesh on the terminal, again and again."""
    if not sys.stdout.isatty():
        raise ConfigurationError("--watch shows the mesh on a terminal, and standard output is none: add --json")
    try:
        from rich.console import Console  # noqa: PLC0415 - the library is an extra
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"--watch requires the library rich, which cannot be imported ({error}): run {pip_install('ui')}"
        ) from None
    with Live(console=Console(highlight=False), auto_refresh=False, vertical_overflow="ellipsis") as live:

        def show(status: MeshStatus) -> None:
            lines = [Text.assemble(*line) for line in _lines(status, terminal_width() or 80)]
            for line in lines:
                line.rstrip()
            live.update(Text("\n").join(lines), refresh=True)

        asyncio.run(_show(identity, show, watch=True))


def _print_json(status: MeshStatus) -> None:
    print(make_safe_json(dump_json(asdict(status))), flush=True)


def _print(status: MeshStatus) -> None:
    width = terminal_width()
    if width is not None:
        print_pieces(_lines(status, width))
        return
    print(_head(status))
    print_table(GROUPS, _groups(status), None)
    print_table(NODES, _nodes(status), None)


def _lines(status: MeshStatus, width: int) -> Iterator[Sequence[Piece]]:
    yield [(_head(status), "bold")]
    yield from fitted_lines(GROUPS, _groups(status), width)
    yield [("", "")]
    yield from fitted_lines(NODES, _nodes(status), width)


def _head(status: MeshStatus) -> str:
    lost = sum(node.state is NodeState.LOST for node in status.nodes)
    return f"nats-server {status.server}, {counted(len(status.nodes), 'node')}, {lost} lost"


def _groups(status: MeshStatus) -> Iterator[Sequence[object]]:
    """Yield the rows of groups; those of single nodes only if something waits there."""
    for group in status.groups:
        if not group.name.startswith("node_") or group.waiting:
            yield group.name, group.nodes, group.running, group.waiting, age(group.oldest_seconds)


def _nodes(status: MeshStatus) -> Iterator[Sequence[object]]:
    for node in status.nodes:
        yield (
            node.name,
            str(node.state),
            f"{'?' if node.running is None else node.running}/{node.slots}",
            ",".join(node.groups),
            node.versions.get("playstream"),
            node.versions.get("ansible-core"),
            node.versions.get("python"),
            ",".join(node.features),
        )
