"""Running ansible-galaxy: its environment, its output, and its end."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from playstream.galaxy.requirements import RequirementsFile
from playstream.pipeline.errors import ExecutableNotFound, GalaxyError, JobError
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation, check_canceled
from playstream.pipeline.io.interpreter import pip_install
from playstream.pipeline.job.ansible_config import is_elsewhere
from playstream.pipeline.job.galaxy import COLLECTIONS, ROLES
from playstream.pipeline.job.redaction import redact_text
from playstream.worker.command import find_executable

PROGRAM = "ansible-galaxy"
_KEPT_LINES = 200
_MAX_LINE = 1 << 16
"""Bytes of a line that are kept."""
_READ = 1 << 16
_SHOWN_LINES = 20
"""Lines of its output that are shown if it fails."""
_END_SECONDS = 0.5
"""How long it may take to end after each signal."""
_CONFIG = "ANSIBLE_CONFIG"
_OWN = "ANSIBLE_GALAXY_"
_UMASK = 0o022
"""The content may be read by every user of a container's image; the cache that it is in is private."""
_logger = logging.getLogger("playstream")


def find_program() -> str:
    """Return the path of ansible-galaxy.

    Raises:
        ExecutableNotFound: it is not on this host.
    """
    try:
        return find_executable(PROGRAM, os.environ, Path())
    except JobError:
        raise ExecutableNotFound(
            f"galaxy: {PROGRAM} was not found on this host's PATH, nor beside playstream: collections and roles are "
            f"installed here, before the job is sent or run. Install it with {pip_install('ansible')}, or omit this "
            "option and install them where the job runs"
        ) from None


def make_environment(envvars: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of ansible-galaxy: that of this process, and what configures it among the job's variables.

    Args:
        envvars: the job's variables.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PLAYSTREAM_")}
    env |= {name: value for name, value in envvars.items() if name.startswith(_OWN)}
    if _CONFIG in envvars and not is_elsewhere(envvars[_CONFIG]):
        env[_CONFIG] = envvars[_CONFIG]
    return env


def install(
    files: Sequence[RequirementsFile],
    target: Path,
    project: Path,
    env: Mapping[str, str],
    program: str,
    cancellation: Cancellation | None,
) -> None:
    """Install collections and roles into `collections/` and `roles/` of a directory.

    Args:
        files: the requirements.
        target: an empty directory.
        project: the directory to run in, from which relative paths start.
        env: the environment.
        program: the path of ansible-galaxy.
        cancellation: requests to stop; None if it cannot be requested.

    Raises:
        GalaxyError: it has failed. Its last lines were logged as warnings.
        Canceled: a stop was requested.
    """
    places = {kind: target / kind for kind in (COLLECTIONS, ROLES)}
    # What is installed in other places must not count as being there, and nothing may be asked on a terminal.
    own = {
        "ANSIBLE_COLLECTIONS_PATH": os.fspath(places[COLLECTIONS]),
        "ANSIBLE_ROLES_PATH": os.fspath(places[ROLES]),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_GALAXY_DISPLAY_PROGRESS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
    without = {"ANSIBLE_FORCE_COLOR", "FORCE_COLOR", "ANSIBLE_COLLECTIONS_PATHS"}
    whole = {**{name: value for name, value in env.items() if name not in without}, **own}
    for file in files:
        for kind, items in ((COLLECTIONS, file.collections), (ROLES, file.roles)):
            if not items:
                continue
            place = places[kind]
            place.mkdir(mode=0o755, exist_ok=True)
            place.chmod(0o755)
            words = [program, kind.removesuffix("s"), "install", "-r", file.name, "-p", os.fspath(place)]
            _logger.info("galaxy: installing the %s of %s", kind, file.name)
            status, lines = _Run(words, project, whole, cancellation).finish()
            if status:
                raise _failure(f"the {kind} of {os.fspath(project / file.name)!r}", status, lines)


def _failure(what: str, status: int, lines: Sequence[str]) -> GalaxyError:
    for line in lines[-_SHOWN_LINES:]:
        _logger.warning("%s: %s", PROGRAM, line)
    how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    said = f"; its last message: {_last_message(lines)}" if lines else ""
    return GalaxyError(f"{PROGRAM} cannot install {what} ({how}){said}. Nothing was run or sent")


def _last_message(lines: Sequence[str]) -> str:
    """Return the last error, which it wraps into several lines; the last line if there is none."""
    start = max((number for number, line in enumerate(lines) if "ERROR" in line), default=len(lines) - 1)
    return " ".join(line.strip() for line in lines[start:]).rstrip(". ")


class _Run:
    """One run of ansible-galaxy in a session of its own: what it starts ends with it, and nothing asks on a terminal.

    Args:
        words: the program and its arguments.
        cwd: the directory to run in.
        env: the environment.
        cancellation: requests to stop; None if it cannot be requested.
    """

    def __init__(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], cancellation: Cancellation | None
    ) -> None:
        self._cancellation = cancellation
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rest = b""
        self._words, self._cwd, self._env = words, cwd, env
        self._process: subprocess.Popen[bytes] | None = None
        self._error: Exception | None = None
        # Ctrl-C in the middle of a start would lose the process, so it happens in a thread that gets no signals.
        self._starter = threading.Thread(target=self._open, name="playstream-galaxy", daemon=True)

    def _open(self) -> None:
        try:
            self._process = subprocess.Popen(
                self._words,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=_UMASK,
            )
        except Exception as error:  # noqa: BLE001 - it is raised by `finish`
            self._error = error

    def finish(self) -> tuple[int, list[str]]:
        """Start it, and wait for the end; return the exit status and the last lines of the output.

        Raises:
            GalaxyError: it cannot be started.
            Canceled: a stop was requested. All processes have ended.
        """
        try:
            self._starter.start()
            self._starter.join()
            if isinstance(self._error, OSError):
                why = self._error.strerror
                raise GalaxyError(f"{self._words[0]!r} cannot be started: {why}. Nothing was run or sent")
            if self._process is None:
                raise self._error or AssertionError("it was started, or there is an error")
            self._read_all(self._process)
            return self._process.wait(), list(self._lines)
        finally:
            self._end()

    def _read_all(self, process: subprocess.Popen[bytes]) -> None:
        """Read the output until the program has ended; a process that it has left may hold the pipe."""
        output = process.stdout.fileno() if process.stdout is not None else -1
        poll = select.poll()
        poll.register(output, select.POLLIN)
        ended = False
        while True:
            ready = dict(poll.poll(0 if ended else LOOK_SECONDS * 1000))
            check_canceled(self._cancellation)
            if output in ready:
                data = os.read(output, _READ)
                if not data:
                    break
                self._take(data)
            elif ended:
                break
            ended = process.poll() is not None
        self._take(b"\n")

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MAX_LINE:]
        for line in lines:
            text = redact_text(line.decode("utf-8", "backslashreplace").strip())
            if text:
                self._lines.append(text)
                _logger.info("%s: %s", PROGRAM, text)

    def _end(self) -> None:
        """End every process of the session, if the program has not ended by itself."""
        if self._starter.ident is not None:
            self._starter.join()
        process = self._process
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                break
            os.killpg(process.pid, number)
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        if process.stdout is not None:
            process.stdout.close()
