"""`playstream bootstrap`: send playstream to hosts before a job needs it, or remove it there."""

from __future__ import annotations

import argparse
from contextlib import closing

from playstream.cli.logs import show_warnings
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.cli.signals import cancel_on_signals
from playstream.interface.terminal_text import make_message
from playstream.links.bootstrap import BootstrapLink
from playstream.links.urls import find_bootstrap_link
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, BootstrapError, ConfigurationError, LinkError
from playstream.pipeline.io.cancellation import Canceled, Cancellation


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s LINK … [--ansible] [--wheels DIR] | --remove LINK …"
    parser.description = (
        "Send playstream to hosts that have Python 3.11 or later, as --bootstrap does before a job, or remove what was "
        "sent. On the host, everything is in the directory playstream/bootstrap of the user's cache."
    )
    parser.add_argument("links", metavar="LINK", nargs="+", help="ssh://[USER@]HOST[:PORT]")
    parser.add_flags("bootstrap")
    parser.set_defaults(quiet=False)


def run(flags: argparse.Namespace) -> int:
    """Send or remove playstream; return the exit status."""
    for name in ("ansible", "wheels"):
        if flags.remove and getattr(flags, name):
            raise ConfigurationError(f"--{name}: cannot be combined with --remove, which sends nothing")
    links = [find_bootstrap_link(url, with_ansible=flags.ansible, wheels=flags.wheels) for url in flags.links]
    show_warnings(flags)
    status = 0
    with closing(cancel_on_signals()) as cancellation:
        for link in links:
            try:
                done = _remove(link, cancellation) if flags.remove else _send(link, cancellation)
            except Canceled as canceled:
                print_message(flags.name, str(canceled))
                return CANCELED_EXIT_STATUS
            except LinkError as error:
                print_message(flags.name, str(error))
                done = error.exit_status
            status = status or done
    return status


def _send(link: BootstrapLink, cancellation: Cancellation) -> int:
    print(make_message(f"{link.name}: ready: {link.prepare(cancellation)}"))
    return 0


def _remove(link: BootstrapLink, cancellation: Cancellation) -> int:
    """Remove what was sent to a host, and print it."""
    removed, kept = link.remove(cancellation)
    for path in removed:
        print(make_message(f"{link.name}: removed {path}"))
    for reason in kept:
        print(make_message(f"{link.name}: kept: {reason}"))
    if not removed and not kept:
        print(make_message(f"{link.name}: nothing was sent there"))
    return BootstrapError.exit_status if kept else 0
