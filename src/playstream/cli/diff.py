"""`playstream diff`: what differs between two runs."""

from __future__ import annotations

import argparse
from functools import partial

from playstream.captures.comparison import OF_OUTCOMES, Difference, Outline, compare, grouped
from playstream.captures.finding import find_place, find_stored, find_success
from playstream.captures.outlines import outline_of, stored_outline
from playstream.captures.runs import open_run
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.cli.stored import find_store, readable_store
from playstream.cli.summary import check_writable
from playstream.cli.tables import Column, print_table, terminal_width
from playstream.cli.written import write_pieces
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.errors import DIFFERENT_EXIT_STATUS, ConfigurationError
from playstream.pipeline.io.json_text import dump_json
from playstream.process import store as stores  # each name is loaded when it is used

_COLUMNS = (
    Column("CHANGE"),
    Column("HOSTS", least=12, rank=1),
    Column("TASK", least=16),
    Column("BEFORE", least=8, coloured=True),
    Column("AFTER", least=8, coloured=True),
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s (RUN RUN | --against last-success [RUN]) [FLAGS]"
    parser.description = (
        "Show what differs between two runs: the outcome, the duration and the result of each task on each host, tasks "
        "that came or went, and facts. RUN is a capture, a recording, a directory of artifacts, or with a store the "
        "name of a run, its beginning, last or last-failed; a file or directory of that name wins. With --against RUN "
        "is in a store (default: last). --html writes a page for a browser. The exit status is 3 if the outcomes "
        "differ, else 0."
    )
    parser.add_argument("runs", metavar="RUN", nargs="*", help="the first run, and the second")
    parser.add_flags("diff")


def run(flags: argparse.Namespace) -> int:
    """Show the differences; return the exit status."""
    _check_output(flags)
    names, outlines = _read_both(flags)
    differences = list(compare(*outlines))
    if flags.html:
        from playstream.cli.comparison import make_page  # noqa: PLC0415 - an extra

        write_pieces("the page", flags.output, make_page(names, outlines, differences))
    elif flags.json:
        for each in differences:
            print(_as_json(each))
    elif differences:
        rows = (
            (each.change.value, ", ".join(hosts), each.task, each.before, each.after)
            for each, hosts in grouped(differences)
        )
        print_table(_COLUMNS, rows, terminal_width(wide=flags.wide))
    return DIFFERENT_EXIT_STATUS if any(each.change in OF_OUTCOMES for each in differences) else 0


def _check_output(flags: argparse.Namespace) -> None:
    """Check before the runs are read that the page can be written.

    Raises:
        ConfigurationError: it cannot, or the flags contradict each other.
        JobError: what it requires is not installed.
    """
    if not flags.html:
        if flags.output is not None:
            raise ConfigurationError("--output: concerns the page of --html: pass --html too, or omit it")
        return
    if flags.json:
        raise ConfigurationError("--html: cannot be combined with --json: choose one of them")
    from playstream.report.comparison.rendering import load_page  # noqa: PLC0415 - an extra

    load_page()
    if flags.output is not None:
        check_writable(flags, "--output", flags.output)


def _read_both(flags: argparse.Namespace) -> tuple[tuple[str, str], tuple[Outline, Outline]]:
    """Return the names of the two runs and what is compared of them, the earlier one first.

    Raises:
        PlaystreamError: the flags name something else, or a run cannot be found or read to its end.
    """
    names: list[str] = flags.runs
    if flags.against is None:
        if len(names) != 2:
            raise ConfigurationError(f"expected two runs, or one and --against last-success; got {len(names)}")
        return (names[0], names[1]), (_read(flags, names[0]), _read(flags, names[1]))
    if len(names) > 1:
        raise ConfigurationError(f"--against: expected at most one run beside it, got {len(names)}")
    with stores.open_store(find_store(flags.store), writable=False) as store:
        after = find_stored(store, names[0] if names else "last")
        before = find_success(store, after.run)
        return (before.run.ident, after.run.ident), (stored_outline(store, before), stored_outline(store, after))


def _read(flags: argparse.Namespace, name: str) -> Outline:
    """Return what is compared of the run that a user names.

    Raises:
        PlaystreamError: there is none, or it cannot be read to its end.
    """
    url = readable_store(flags.store)
    path = find_place(name, url)
    if path is not None:
        with open_run(path, vars(flags), partial(print_message, "diff")) as run_at_rest:
            return outline_of(run_at_rest)
    with stores.open_store(url or "", writable=False) as store:
        try:
            found = find_stored(store, name)
        except ConfigurationError as error:
            raise ConfigurationError(f"there is no file and no directory {name!r}, and {error}") from None
        return stored_outline(store, found)


def _as_json(difference: Difference) -> str:
    values = {
        "change": difference.change.value,
        "host": difference.host,
        "task": difference.task,
        "before": difference.before,
        "after": difference.after,
    }
    return make_safe_json(dump_json(values))
