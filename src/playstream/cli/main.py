"""Choosing the subcommand, and turning errors into a line and an exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from playstream._version import __version__
from playstream.cli import process, transmit, worker
from playstream.pipeline.errors import PlaystreamError

_INTERRUPTED_EXIT_STATUS = 130


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="playstream",
        description="Run Ansible anywhere a byte pipe reaches.",
        epilog="example: playstream transmit demo -p site.yml | ssh host playstream worker | playstream process demo",
    )
    parser.add_argument("--version", action="version", version=f"playstream {__version__}")
    subcommands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (transmit, worker, process):
        module.add_parser(subcommands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the words after the program's name; those of the process by default.

    Returns:
        The exit status; docs/errors.md lists those of errors.
    """
    arguments = make_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except PlaystreamError as error:
        print(f"playstream {arguments.name}: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"playstream {arguments.name}: interrupted", file=sys.stderr)
        return _INTERRUPTED_EXIT_STATUS
