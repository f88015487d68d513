"""`playstream extract`: unpack the tree of a captured job, or the artifacts of a captured run."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from playstream.captures.extraction import extract
from playstream.captures.stream import open_stream
from playstream.cli.output import print_message, print_outcome
from playstream.cli.parser import Parser
from playstream.cli.tables import binary_size
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import LogLevel
from playstream.process import Observer


class _Viewer(Observer):
    """Shows what the stream says to people."""

    def log(self, level: LogLevel, message: str) -> None:
        print_message("extract", f"{level.value}: {message}")


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s FILE DIR [FLAGS]"
    parser.description = (
        "Unpack the private data directory of a captured job, or rebuild the artifacts of a captured run or a "
        "recording. Nothing is written outside of DIR, and all of it is private. A link that leads out of DIR is "
        "refused."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a capture of a stream, or a recording of the plugin")
    parser.add_argument("directory", metavar="DIR", type=Path, help="an empty directory, or one that does not exist")
    parser.add_flags("extract")


def run(flags: argparse.Namespace) -> int:
    """Unpack the file; return the exit status."""
    with open_stream(flags.file, vars(flags), partial(print_message, "extract")) as stream:
        extracted = extract(stream, flags.directory, _Viewer(), limits_of(vars(flags)))
    if extracted.status is not None:
        print_outcome("extract", extracted.status, extracted.explanation)
    entries = "1 entry" if extracted.entries == 1 else f"{extracted.entries} entries"
    what = "the tree of a job" if extracted.status is None else f"a run with the status {extracted.status}"
    print(f"{flags.directory}: {what}, {entries}, {binary_size(extracted.size)}")
    return 0
