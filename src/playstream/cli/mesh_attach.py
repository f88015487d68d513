"""`playstream mesh attach`: follow a job of a mesh, or show one that has ended."""

from __future__ import annotations

import argparse
from typing import Any

from playstream.cli.local_run import run_here
from playstream.cli.parser import Parser, suggest_ident
from playstream.cli.stored import named_store
from playstream.interface.attached import make_attached_runner
from playstream.interface.runner import Runner
from playstream.pipeline.io.cancellation import Cancellation

_OPTIONS = (
    "private_data_dir",
    "identity",
    "from_event",
    "ident",
    "artifact_dir",
    "rotate_artifacts",
    "max_tree_bytes",
    "max_tree_entries",
    "max_record_bytes",
)


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s JOB [DIR] [--from N] [FLAGS]"
    parser.description = (
        "Follow a job that was sent to a mesh, from its beginning, and keep the results in DIR/artifacts/JOB. The exit "
        "status is that of the job, as with run. Ctrl-C detaches, with exit status 130: the job goes on."
    )
    parser.add_argument("job", metavar="JOB", help="the name of the job")
    parser.add_argument(
        "private_data_dir",
        metavar="DIR",
        nargs="?",
        help="write the artifacts to DIR/artifacts/JOB (default: only show the job)",
    )
    parser.suggest = suggest_ident
    parser.add_flags("mesh attach")


def run(flags: argparse.Namespace) -> int:
    """Follow the job; return the exit status."""
    options = {name: value for name in _OPTIONS if (value := getattr(flags, name)) is not None}
    if flags.capture is not None or flags.force:
        options |= {"capture": flags.capture, "force": flags.force}
    if (store := named_store(flags.store)) is not None:
        options["store"] = store
    if flags.label is not None:
        options["label"] = flags.label
    if flags.store_events:
        options["store_events"] = True

    def make(options: dict[str, Any], cancellation: Cancellation, *_: object) -> Runner:
        return make_attached_runner(flags.job, options, cancellation)

    return run_here(flags, options, make=make)
