"""`playstream process`: rebuild a run from the stream on standard input."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playstream.cli.subcommand import Subcommands
from playstream.pipeline.errors import ConfigurationError, LinkError
from playstream.pipeline.links.stdio import claim_input, write_all


def add_parser(subcommands: Subcommands) -> None:
    """Add this subcommand to the command line."""
    parser = subcommands.add_parser(
        "process",
        help="rebuild a run from the stream on standard input",
        description="Show the run that comes on standard input and write its artifacts. Ends with Ansible's exit "
        "status; with 254 when the job was canceled or timed out.",
    )
    parser.add_argument("private_data_dir", metavar="DIR", type=Path, help="the artifacts go to DIR/artifacts")
    parser.add_argument("-i", "--ident", help="the artifacts go to DIR/artifacts/IDENT")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not show Ansible's output")
    parser.set_defaults(run=_run, name="process")


_MOST_HELD = 1 << 20


class _Output:
    """Ansible's output on its way to standard output, until nobody reads it any more."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._lines: list[str] = []
        self._held = 0

    def show(self, text: str) -> None:
        """Take lines without their last line end.

        They are held for one write, but not without end: what was read at once may be gigabytes when it is unpacked.
        """
        if self._fd is not None:
            self._lines.append(text)
            self._held += len(text)
            if self._held > _MOST_HELD:
                self.flush()

    def flush(self) -> None:
        """Write what was taken. Whether somebody reads it makes no difference to the run that is being rebuilt."""
        if self._fd is None or not self._lines:
            return
        text = "\n".join(self._lines).replace("\r\n", "\n") + "\n"
        self._lines.clear()
        self._held = 0
        try:
            write_all(self._fd, text.encode(sys.stdout.encoding, "replace"))
        except LinkError:
            self._fd = None


def _run(options: argparse.Namespace) -> int:
    from playstream.cli.signals import cancel_on_signals  # noqa: PLC0415 - only what this subcommand needs is loaded
    from playstream.interface.process import process  # noqa: PLC0415
    from playstream.pipeline.ident import check_ident  # noqa: PLC0415
    from playstream.pipeline.protocol import LogLevel  # noqa: PLC0415
    from playstream.process import Observer  # noqa: PLC0415

    if sys.stdin.isatty():
        raise ConfigurationError("standard input is a terminal; pipe the output of playstream worker into it")
    artifact_dir: Path = options.private_data_dir / "artifacts"
    if options.ident is not None:
        artifact_dir /= check_ident(options.ident)
    output = _Output(None if options.quiet else sys.stdout.fileno())

    class Viewer(Observer):
        show = staticmethod(output.show)
        idle = staticmethod(output.flush)

        def log(self, level: LogLevel, message: str) -> None:
            print(f"playstream process: {level.value}: {message}", file=sys.stderr)

    result = process(claim_input(), artifact_dir, Viewer(), cancellation=cancel_on_signals())
    if result.explanation:
        print(f"playstream process: {result.status.value}: {result.explanation}", file=sys.stderr)
    return result.exit_status
