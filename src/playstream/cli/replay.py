"""`playstream replay`: show a run again that is kept, with the timing of its events."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing, nullcontext
from functools import partial

from playstream.captures.finding import find_run
from playstream.captures.pacing import check_speed, read_start
from playstream.captures.player import Player, Selection
from playstream.cli.output import print_message, print_outcome, shows_colours
from playstream.cli.parser import Parser
from playstream.cli.replay_screen import ReplayScreen
from playstream.cli.signals import cancel_on_signals
from playstream.cli.stored import readable_store
from playstream.interface.display import Display, write_standard_output
from playstream.interface.terminal_text import choose_form, make_plain
from playstream.pipeline.errors import CANCELED_EXIT_STATUS
from playstream.worker.user_terminal import find_user_terminal


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s (FILE | DIR | IDENT) [FLAGS]"
    parser.description = (
        "Show Ansible's output of a run that is kept, with the timing of its events. On a terminal, space pauses, the "
        "arrow keys skip a task back and forth, + and - change the speed, and q ends. Nothing is run. The exit status "
        "is 0 if the whole run was shown or q was typed, whatever the run's was. IDENT is the name of a run in a store "
        "that has its events, its beginning, last or last-failed; a file or directory of that name wins."
    )
    parser.add_argument(
        "run_at_rest",
        metavar="RUN",
        help="a capture, a recording of the plugin, the directory of a run's artifacts, or a run in a store",
    )
    parser.add_flags("replay")


def run(flags: argparse.Namespace) -> int:
    """Show the run; return the exit status."""
    speed = check_speed(flags.speed, "--speed")
    selection = Selection(flags.host, flags.task, None if flags.start is None else read_start(flags.start, "--from"))
    terminal = find_user_terminal()
    cancellation = cancel_on_signals(terminal)
    form = choose_form(raw=flags.raw_output, json=False)
    plain = not flags.raw_output and not shows_colours(sys.stdout)
    display = Display(write_standard_output, make_plain if plain else form)
    found = find_run(flags.run_at_rest, readable_store(flags.store))
    opened = partial(found.open, vars(flags), partial(print_message, "replay"), indexed=True)
    with closing(terminal) if terminal is not None else nullcontext():
        screen = ReplayScreen(display, terminal if terminal is not None and terminal.takes_keys else None, cancellation)
        try:
            whole = Player(opened, screen, selection, speed, time.monotonic).play()
        finally:
            screen.close()
    if cancellation.reason is not None:
        print_message("replay", cancellation.reason)
        return CANCELED_EXIT_STATUS
    if display.error is not None:
        raise display.error
    if whole and not screen.has_hosts and flags.start is None and (flags.host is not None or flags.task is not None):
        wanted = " and ".join(
            f"the {kind} {name!r}" for kind, name in (("host", flags.host), ("task", flags.task)) if name is not None
        )
        print_message("replay", f"the run has nothing of {wanted}: playstream inspect and show tell the names it has")
    if whole and screen.last is not None:
        print_outcome("replay", screen.last.status.value, screen.last.explanation)
    return 0
