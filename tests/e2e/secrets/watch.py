"""Looks for secrets while a job runs: in what processes show, and in files."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.secrets.markers import Search

_PAUSE_SECONDS = 0.005
"""Between two looks at all processes."""
_FILES_PAUSE_SECONDS = 0.05
_LARGEST = 64 << 20
_SHARED_DEPTH = 3
"""Levels of directories that are looked into where any program may leave files."""
SHARED = tuple(map(Path, ("/dev/shm", "/run", "/var/tmp")))
"""Where any program may leave files, besides the temporary and home directories that the tests give."""


@dataclass(frozen=True, order=True)
class Finding:
    """One secret in one place."""

    secret: str
    kind: str
    """`argv`, `environ`, `file`, or `deleted` for a file that is open and has no name any more."""
    where: str
    """The path of the file. Of a process, its program and first words, behind `job:` if it is one of a job's."""


class Watch:
    """Looks as long as it is entered, in threads of its own.

    Args:
        secrets: names and texts.
        places: directories whose files are looked into.
        private: the directory for temporary files: what playstream makes in it has to be closed to others.
    """

    def __init__(self, secrets: Mapping[str, str], places: Sequence[Path], private: Path) -> None:
        self._search = Search(secrets)
        self._places = places
        self._private = private
        self._stop = threading.Event()
        looks = (
            (self.look_at_processes, _PAUSE_SECONDS),
            (self.look_at_files, _FILES_PAUSE_SECONDS),
            (self.look_at_modes, _FILES_PAUSE_SECONDS),
        )
        self._threads = [threading.Thread(target=self._repeat, args=look) for look in looks]
        self._errors: list[BaseException] = []
        self.findings: set[Finding] = set()
        self.looks = 0
        """How often all processes were looked at."""
        self.spools: set[str] = set()
        """Names of the private directories that were seen."""
        self.open_to_others: set[str] = set()
        """Paths with modes, of what others might have read."""

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self._errors == []

    def _repeat(self, look: Callable[[], None], pause: float) -> None:
        try:
            while not self._stop.wait(pause):
                look()
        except BaseException as error:  # noqa: BLE001 - the test is to hear of it
            self._errors.append(error)

    def look_at_processes(self) -> None:
        """Command lines, environments, and open files without a name."""
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            environ, argv = _read(process / "environ"), _read(process / "cmdline")
            owner = "job:" if b"PLAYSTREAM_SPOOL=" in environ else ""
            where = owner + argv[:120].replace(b"\0", b" ").decode("utf-8", "replace")
            self._note("environ", where, environ)
            self._note("argv", where, argv)
        self.looks += 1

    def look_at_files(self) -> None:
        """Every file in the places, and those without a name that somebody has open."""
        for path in _files_in(self._places):
            self._note("file", str(path), _read(path))
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and process.name != str(os.getpid()):
                self._look_at_deleted(process)

    def _look_at_deleted(self, process: Path) -> None:
        try:
            for link in (process / "fd").iterdir():
                target = os.readlink(link)
                # A pipe is left alone: reading takes what is in it.
                if target.endswith(" (deleted)") and stat.S_ISREG(link.stat().st_mode):
                    self._note("deleted", target, _read(link))
        except OSError:
            return  # it has ended

    def look_at_modes(self) -> None:
        """The private directories: a name that cannot be guessed, and closed to others with all that is in them."""
        for root in _entries(self._private):
            if not root.name.startswith("playstream-"):
                continue
            self.spools.add(root.name)
            for path in (
                root,
                root / "run",
                root / "run" / "extravars-1",
                root / "registry",
                *_entries(root / "registry"),
                root / "artifacts",
                root / "data",
            ):
                try:
                    mode = path.lstat().st_mode
                except OSError:
                    continue
                if stat.S_IMODE(mode) & 0o077:
                    self.open_to_others.add(f"{path} {stat.S_IMODE(mode):o}")

    def _note(self, kind: str, where: str, data: bytes) -> None:
        for name in self._search.names_in(data):
            self.findings.add(Finding(name, kind, where))


def find_in_files(secrets: Mapping[str, str], places: Sequence[Path]) -> set[Finding]:
    """Secrets in the files of the places as they are now."""
    search = Search(secrets)
    return {Finding(name, "file", str(path)) for path in _files_in(places) for name in search.names_in(_read(path))}


def find_in_system(secrets: Mapping[str, str], since: float) -> set[Finding]:
    """Secrets in any file of the root's file system that was changed after `since`, in seconds since 1970."""
    search = Search(secrets)
    device = Path("/").stat().st_dev
    return {
        Finding(name, "file", str(path))
        for path in _files_below(Path("/"), device=device, since=since)
        for name in search.names_in(_read(path))
    }


def _files_in(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        yield from _files_below(place)
    for place in SHARED:
        yield from _files_below(place, depth=_SHARED_DEPTH)


def _files_below(
    place: Path, *, device: int | None = None, since: float = 0.0, depth: int | None = None
) -> Iterator[Path]:
    waiting = [(str(place), 1)]
    while waiting:
        directory, level = waiting.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        if device in (None, status.st_dev) and (depth is None or level < depth):
                            waiting.append((entry.path, level + 1))
                    elif stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST and status.st_ctime >= since:
                        yield Path(entry.path)
        except OSError:
            continue  # it was removed meanwhile, or is no directory


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError:
        return b""  # it has ended, was removed, or hides it
