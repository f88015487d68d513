"""`playstream start`: run a job in the background."""

from __future__ import annotations

import argparse
import fcntl
import os
import selectors
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from playstream.cli.answers import write_answers
from playstream.cli.job_options import asks, check_before_asking
from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.cli.suggestions import suggest_what
from playstream.pipeline.errors import JobError


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s DIR (-p FILE | -m NAME | -r NAME) [FLAGS]"
    parser.description = (
        "Run a playbook, a module or a role in the background. The command returns once the job has been checked and "
        "started. The results are written to DIR/artifacts/IDENT; see also stop and is-alive. The run shows no output, "
        "so --json only affects the artifact stdout, and --debug requires --logfile."
    )
    parser.add_argument(
        "private_data_dir",
        metavar="DIR",
        type=Path,
        help="directory with project/, inventory/ and env/; only artifacts/ is written",
    )
    parser.suggest = suggest_what
    parser.add_flags("start")


def run(flags: argparse.Namespace) -> int:
    """Start `playstream run` in a new session, wait until it has checked the job, and return the exit status."""
    return start_in_background(flags, ("-m", "playstream"))


def start_in_background(flags: argparse.Namespace, program: Sequence[str]) -> int:
    """Start the `run` command of a program in a new session, and wait until it has checked the job.

    Args:
        flags: the flags of the subcommand.
        program: the arguments for Python that start the program.

    Returns:
        The exit status.
    """
    answers: Mapping[str, str] = {}
    if asks(flags):
        from playstream.cli.ask import ask_for_passwords  # noqa: PLC0415 - most commands ask nothing

        check_before_asking(flags)
        answers = ask_for_passwords(flags)
    ready, tell = os.pipe()
    complaints, their_stderr = os.pipe()
    their_answers, answering = os.pipe()
    # Use descriptors above those of the new process, so that none is overwritten before it is copied.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (tell, their_stderr, their_answers)]
    pid = os.posix_spawn(
        sys.executable,
        # -P: do not import playstream from the current directory.
        [sys.executable, "-P", *program, "run", "--report-to", "3", "--answers-from", "4", *flags.words],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, moved[1], 2),
            (os.POSIX_SPAWN_DUP2, moved[0], 3),
            (os.POSIX_SPAWN_DUP2, moved[2], 4),
        ],
        setsid=True,
    )
    for fd in (tell, their_stderr, their_answers, *moved):
        os.close(fd)
    write_answers(answering, answers)
    report, complained = (data.decode(errors="replace") for data in _read_reports(ready, complaints))
    sys.stderr.write(complained)
    if not report:
        return _ended_early(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), explained=bool(complained))
    if not flags.quiet:
        print(f"started {report.strip()}")
    return 0


def _read_reports(ready: int, complaints: int) -> tuple[bytes, bytes]:
    """Return the report and the messages of the run until it has started or ended; close both descriptors.

    The run reports its start with a line. Its processes may keep the descriptors open for as long as they live.
    """
    heard = {ready: b"", complaints: b""}
    with selectors.DefaultSelector() as selector:
        for fd in heard:
            os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ)
        started = False
        while selector.get_map():
            found = selector.select(0 if started else None)
            if not found:
                break
            for key, _ in found:
                data = os.read(key.fd, 65536)
                heard[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
            started = heard[ready].endswith(b"\n")
    for fd in heard:
        os.close(fd)
    return heard[ready], heard[complaints]


def _ended_early(code: int, *, explained: bool) -> int:
    """Return the exit status for a run that ended before it started, and print a message if it printed none.

    Args:
        code: its exit status, or the negative number of the signal that killed it.
        explained: whether it has printed a message.
    """
    if code > 0 and explained:
        return code
    how = f"by signal {-code}" if code < 0 else f"with exit status {code}"
    print_message("start", f"the process of the run ended {how} before it checked the job. It was probably killed")
    return 128 - code if code < 0 else code or JobError.exit_status
