"""The command line: playstream's, with ansible-runner's commands and flags."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from playstream.cli import entry
from playstream.cli.entry import InterruptsWait
from playstream.cli.main import parse, perform
from playstream.cli.output import print_message
from playstream.cli.start import start_in_background
from playstream.compat.ansible_runner.utils import dump_artifact
from playstream.compat.answers import WORKER_OPTIONS
from playstream.pipeline.errors import ConfigurationError, as_error
from playstream.pipeline.tree.directories import make_private

__all__ = ["main"]

_STARTED = ("-m", "playstream.compat", "-m", "ansible_runner")
_USAGE = """\
These are common Ansible Runner commands:

    ansible-runner run DIR -p site.yml                      run a playbook of DIR/project
    ansible-runner run DIR -m command -a uptime --hosts all run a module
    ansible-runner run DIR -r ROLE --hosts all              run a role
    ansible-runner start DIR -p site.yml                    run it in the background
    ansible-runner is-alive DIR                             report whether the run is active
    ansible-runner stop DIR                                 stop the run

ansible-runner COMMAND --help lists the flags of a command.
"""
_TO_BE_RUN = {"run", "start", "transmit"}


def main(sys_args: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        sys_args: the arguments, without the program's name; None uses those of the process.

    Returns:
        The exit status.

    Raises:
        SystemExit: the arguments are invalid (2) or incompatible (1); the reason is printed on standard error.
        OSError: the private data directory is not a directory, or cannot be created.
    """
    words = list(sys.argv[1:] if sys_args is None else sys_args)
    if not words:
        sys.stdout.write(_USAGE)
    with InterruptsWait():
        flags = parse(words, as_ansible_runner=True)
    if flags.name in _TO_BE_RUN:
        _check(flags)
    _check_directory(flags)
    if flags.name == "worker":
        flags.worker_options = WORKER_OPTIONS
        flags.allows_terminal = True
    if flags.name == "start":
        flags.run = partial(start_in_background, program=_STARTED)
    with _recorded(flags):
        return perform(flags)


def _check(flags: argparse.Namespace) -> None:
    """Exit with 1 for incompatible flags, as ansible-runner does."""
    if not (flags.playbook or flags.module or flags.role or _names_job(flags)):
        _exit(flags, "expected something to run, got nothing: pass one of -p/--playbook, -m/--module and -r/--role")
    if flags.hosts and not (flags.module or flags.role):
        _exit(flags, "--hosts applies to a module (-m) or a role (-r): omit it")
    places = (Path(), flags.private_data_dir, flags.private_data_dir / "inventory")
    for item in flags.inventory or ():
        if "," not in item and not any(os.path.exists(place / item) for place in places):
            _exit(flags, f"--inventory: {item!r} was not found. For a list of hosts, add a comma: {item + ','!r}")


def _names_job(flags: argparse.Namespace) -> bool:
    """Return whether the environment or a file names what to run."""
    named = any(os.environ.get(f"RUNNER_{what}") for what in ("PLAYBOOK", "MODULE", "ROLE"))
    return named or os.path.exists(flags.private_data_dir / "args")


def _exit(flags: argparse.Namespace, message: str) -> None:
    print_message(flags.name, message)
    raise SystemExit(ConfigurationError.exit_status)


def _check_directory(flags: argparse.Namespace) -> None:
    """Check that the private data directory is a directory; create it for a module or a role."""
    given: str | Path | None = getattr(flags, "private_data_dir", None)
    if given is None:
        return
    directory = Path(given)
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    if flags.name in _TO_BE_RUN and (flags.module or flags.role):
        make_private(directory)


def _recorded(flags: argparse.Namespace) -> AbstractContextManager[None]:
    in_background = flags.name == "run" and flags.report_to is not None
    return _pid_file(flags.private_data_dir) if in_background else nullcontext()


@contextmanager
def _pid_file(directory: Path) -> Iterator[None]:
    """Keep the ID of this process in the file `pid` of the private data directory while the run is active.

    If several runs are active in one directory, it names the one that was started last.
    """
    path, text = directory / "pid", f"{os.getpid()}\n"
    if directory.is_dir():
        dump_artifact(text, str(directory), path.name)
    try:
        yield
    finally:
        try:
            if path.read_text(encoding="utf-8") == text:
                path.unlink()
        except (OSError, UnicodeDecodeError):
            pass  # it belongs to another run, or was removed


def _run() -> int:
    """Run the command line of this process; print errors as messages."""
    try:
        return main()
    except OSError as caught:
        error = as_error(caught)
        print_message("ansible-runner", error)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(entry.main(_run))
