"""`playstream stop`: stop a running job."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from playstream.cli.active_runs import find, note_directories, resolve
from playstream.cli.output import print_message
from playstream.cli.parser import Parser, suggest_ident
from playstream.pipeline.errors import ConfigurationError, JobError

SHOWN = frozenset({"--ident", "--artifact-dir", "--quiet", "--debug", "--logfile"})
LIKE_START = (
    "The other flags of start are accepted and ignored, so that its command line can be reused with another subcommand."
)
_LIMIT_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_NOT_FOUND_EXIT_STATUS = 1


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR [-i IDENT] [FLAGS]"
    parser.description = (
        "Stop a run started with start or run, and wait up to 10 seconds for it to end. The exit status is 1 if no run "
        "is active."
    )
    parser.epilog = LIKE_START
    parser.add_argument("private_data_dir", metavar="DIR", type=Path, help="private data directory of the run")
    parser.suggest = suggest_ident
    parser.add_flags("stop", shown=SHOWN)


def run(flags: argparse.Namespace) -> int:
    """Signal the run and wait for it to end; return the exit status."""
    places = note_directories(flags.private_data_dir, flags.artifact_dir)
    ident = resolve(places, flags.ident)
    found = find(places, ident)
    if not found:
        print_message("stop", explain_none(flags.private_data_dir, ident))
        return _NOT_FOUND_EXIT_STATUS
    if len(found) > 1:
        idents = ", ".join(item.ident for item in found)
        raise ConfigurationError(f"several runs are active: choose one with -i: {idents}")
    deadline = time.monotonic() + _LIMIT_SECONDS
    found[0].terminate()
    while found[0].is_active():
        if time.monotonic() > deadline:
            raise JobError(
                f"run {found[0].ident!r} (process {found[0].pid}) did not stop within {_LIMIT_SECONDS:.0f} seconds"
            )
        time.sleep(_LOOK_SECONDS)
    if not flags.quiet:
        print(f"stopped {found[0].ident}")
    return 0


def explain_none(directory: Path, ident: str | None) -> str:
    """Return a message that says that no run was found in a private data directory, or that there is no directory."""
    if not os.path.lexists(directory):
        return f"the private data directory {str(directory)!r} does not exist"
    if not os.path.isdir(directory):
        return (
            f"{str(directory)!r} is not a directory: expected the private data directory of a run. Runs of playstream "
            "playbook have none and cannot be found: stop them with Ctrl-C or SIGTERM"
        )
    return f"no active run{'' if ident is None else f' {ident!r}'} in {directory}"
