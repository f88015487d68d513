"""`playstream store import`: write an exported run to a store."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from playstream.cli.parser import Parser
from playstream.cli.stored import named_store
from playstream.pipeline.errors import ConfigurationError, remedy
from playstream.pipeline.limits import Limits, limits_of
from playstream.process import store as stores  # each name is loaded when it is used
from playstream.process.store.own import OWN


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s FILE [FLAGS]"
    parser.description = (
        "Write a run that playstream store export has written to a store. FILE is not trusted: everything in it is "
        "checked before anything is written."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the exported run")
    parser.add_flags("store import")


def run(flags: argparse.Namespace) -> int:
    """Write the run to the store; return the exit status."""
    limits = limits_of(vars(flags))
    path: Path = flags.file
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{str(path)!r} is not a file: expected one that playstream store export has written")
    try:
        path.open("rb").close()  # before a store is created for it
        with stores.open_store(named_store(flags.store) or OWN) as store:
            ident, new = stores.import_run(store, lambda: _lines(path, limits), limits)
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}. {remedy(error)}") from None
    print(f"Imported the run {ident!r}" if new else f"The store has the run {ident!r} already")
    return 0


def _lines(path: Path, limits: Limits) -> Iterator[bytes]:
    """Yield the lines of a file, of which one that is too long is cut, one byte above its limit."""
    with path.open("rb") as file:
        while line := file.readline(limits.max_record_bytes + 1):
            yield line
