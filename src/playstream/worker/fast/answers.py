"""What hosts have answered about sudo, and the file in which this user's workers remember it.

    $XDG_STATE_HOME/playstream/sudo.json

The file is only used if it and its directory belong to this user and are closed to others. It may be lost at any time:
then hosts are asked again. Nothing that is wrong with it is an error of a run.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.tree.directories import make_private
from playstream.pipeline.tree.user_cache import is_private, state_place

KEPT_SECONDS = 7 * 24 * 3600
"""How long an answer counts. Then the host is asked again."""
MAX_ANSWERS = 5000
"""Maximum number of answers in the file; the oldest ones are left out."""
_FORM = 1
_MAX_BYTES = 4 << 20
_MAX_TEXT = 255
_NAME = "sudo.json"
_LOCK_SECONDS = 2.0
_LOOK_SECONDS = 0.02
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_logger = logging.getLogger("playstream")


class Answer(StrEnum):
    """Whether sudo works without a terminal."""

    WORKS = "works"
    TERMINAL = "terminal"
    """It requires one (`requiretty`)."""
    LOGGED = "logged"
    """It stands between a command and its output, to log that."""
    MISSING = "missing"
    """It was not found."""
    UNCLEAR = "unclear"
    """It refused for another reason."""


KEPT = frozenset({Answer.WORKS, Answer.TERMINAL, Answer.LOGGED})
"""The answers that are remembered. The others are asked for in each run."""
MEANINGS = {
    Answer.TERMINAL: "requires a terminal (requiretty)",
    Answer.LOGGED: "logs the output of commands (log_output)",
    Answer.MISSING: "was not found",
    Answer.UNCLEAR: "gave no clear answer",
}
"""What sudo did where modules are not passed through standard input."""
_MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Login:
    """A login on a host, as ssh is given it."""

    address: str
    port: int = 0
    """0 for the default of ssh."""
    user: str = ""
    """Empty for the default of ssh."""


Answers = Mapping[Login, Answer]


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Answer
    at: int


def read_answer(item: Any) -> tuple[Login, Answer]:
    """Check one answer: a list of address, port, user and answer.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(item, list) or len(item) != 4 or not isinstance(item[3], str):
        raise ValueError
    return read_login(item[:3]), Answer(item[3])


def read_login(words: Any) -> Login:
    """Check a login: a list of address, port and user.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(words, list) or len(words) != 3:
        raise ValueError
    address, port, user = words
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 1 << 16:
        raise ValueError
    return Login(_text(address, least=1), port, _text(user))


def _text(value: Any, least: int = 0) -> str:
    if not isinstance(value, str) or not least <= len(value) <= _MAX_TEXT or not value.isprintable():
        raise ValueError
    return value


def exceptions(answers: Iterable[tuple[str, Answer | None]]) -> Iterator[str]:
    """Yield, for each answer that stands against pipelining, which hosts gave it, and what it means."""
    found = list(answers)
    for answer, meaning in MEANINGS.items():
        hosts = [name for name, given in found if given is answer]
        more = f" and {len(hosts) - _MAX_NAMED} more" if len(hosts) > _MAX_NAMED else ""
        if hosts:
            yield f"{', '.join(hosts[:_MAX_NAMED])}{more}, where it {meaning}"


class State:
    """The file of this user.

    Args:
        place: where the jobs run whose answers are read and written: the name of an image, or empty for this host. The
            same address may be another host there, and what such a job says is not believed elsewhere.
        directory: the directory of the file.
    """

    def __init__(self, place: str = "", directory: Path | None = None) -> None:
        self._place = place
        self._directory = state_place() if directory is None else directory

    def read(self) -> dict[Login, Answer]:
        """Return the answers that count; none if the file cannot be used."""
        try:
            with self._open() as fd:
                entries = _load(fd)
        except (OSError, RuntimeError) as error:
            _logger.debug("answers about sudo are not read from %s: %s", self._directory, error)
            return {}
        return {login: entry.answer for (place, login), entry in entries.items() if place == self._place}

    def add(self, answers: Answers) -> None:
        """Remember answers. Nothing is remembered if the file cannot be written."""
        now = int(time.time())
        new = {(self._place, login): _Entry(answer, now) for login, answer in answers.items() if answer in KEPT}
        if not new:
            return
        try:
            make_private(self._directory)
            with self._open() as fd:
                if not _lock(fd):
                    _logger.info("what hosts have answered about sudo is not remembered: another process writes it")
                    return
                entries = {**_load(fd), **new}
                newest = sorted(entries.items(), key=lambda item: item[1].at, reverse=True)[:MAX_ANSWERS]
                _replace(fd, dict(newest))
        except (OSError, RuntimeError) as error:
            _logger.info("what hosts have answered about sudo is not remembered in %s: %s", self._directory, error)

    @contextmanager
    def _open(self) -> Iterator[int]:
        """Open the directory.

        Raises:
            OSError: it cannot be opened, or is not private.
        """
        if not self._directory.is_absolute():
            raise OSError("the home directory is not an absolute path")
        fd = os.open(self._directory, _DIRECTORY)
        try:
            if not is_private(fd):
                raise PermissionError("the directory belongs to another user, or is open to others")
            yield fd
        finally:
            os.close(fd)


def _lock(directory: int) -> bool:
    """Take the lock of the directory, for a short time; False if another process keeps it."""
    until = time.monotonic() + _LOCK_SECONDS
    while not try_lock(directory):
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


_Entries = dict[tuple[str, Login], _Entry]


def read_regular(path: str | Path, limit: int, *, directory: int | None = None, private: bool = False) -> bytes:
    """Return the first `limit` bytes of a regular file, never through a link.

    Args:
        path: its path.
        limit: how much to read.
        directory: a descriptor of the directory that the path is relative to; None for the current one.
        private: whether it must belong to this user and be closed to others.

    Raises:
        OSError: it cannot be read, or is something else.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is not a file")
        if private and (found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077):
            raise PermissionError("it belongs to another user, or is open to others")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(fd)


def _load(directory: int) -> _Entries:
    """Return what the file contains and still counts; nothing if it is missing, foreign or damaged."""
    try:
        data = read_regular(_NAME, _MAX_BYTES + 1, directory=directory, private=True)
    except OSError:
        return {}
    return _parse(data, int(time.time()))


def _parse(data: bytes, now: int) -> _Entries:
    """Return the answers in the content of the file; nothing if it is not one."""
    entries: _Entries = {}
    with suppress(ValueError, RecursionError):
        content = json.loads(data) if len(data) <= _MAX_BYTES else None
        if isinstance(content, dict) and content.get("form") == _FORM and isinstance(content.get("answers"), list):
            for item in content["answers"]:
                if isinstance(item, list) and len(item) == 6:
                    with suppress(ValueError):
                        login, answer = read_answer(item[1:5])
                        entry = _Entry(answer, _time(item[5], now))
                        entries[_text(item[0]), login] = entry
    return entries


def _time(value: Any, now: int) -> int:
    """Check when a host has answered. A time in the future is that of a clock that was wrong."""
    if isinstance(value, bool) or not isinstance(value, int) or not now - KEPT_SECONDS < value <= now:
        raise ValueError
    return value


def _replace(directory: int, entries: Mapping[tuple[str, Login], _Entry]) -> None:
    lines = [
        json.dumps([place, login.address, login.port, login.user, entry.answer, entry.at])
        for (place, login), entry in entries.items()
    ]
    text = f'{{"form": {_FORM}, "answers": [\n' + ",\n".join(lines) + "\n]}\n"
    temporary = f".{_NAME}"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)  # of a worker that was killed
    fd = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory
    )
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, 0o600)
            file.write(text)
        os.rename(temporary, _NAME, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise


def as_items(answers: Iterable[tuple[Login, Answer]]) -> list[list[str | int]]:
    """Return answers as lists, for JSON."""
    return [[login.address, login.port, login.user, answer.value] for login, answer in answers]
