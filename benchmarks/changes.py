"""Kinds of change of a project, for the rows on a worker's cache. The project is one that `tree.make_tree` made."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.tree import SEED, TreeSize, make_tree

LARGE = "random.bin"
"""The large file that is changed. It cannot be compressed."""
_INSERTED_AT = 1000
_INSERTED = bytes(range(100))
_BETWEEN_FILES_NS = 100_003
"""What making a file takes."""
_GIT = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com", "-c", "gc.auto=0")
_FIRST, _OTHER = "first", "other"


def _nothing(_job: Path) -> None:
    """Change nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """One kind.

    `make` changes a private data directory in place; `prepare` is called with it before its first state is sent.
    """

    name: str
    make: Callable[[Path], None]
    prepare: Callable[[Path], None] = _nothing
    has_target: bool = True


def project_files(job: Path) -> list[Path]:
    """The small files of a project in the order of their names."""
    return sorted((job / "project" / "files").rglob("*.txt"))


def _change_one(job: Path) -> None:
    _append(project_files(job)[0], b"one line more\n")


def _touch_all(job: Path) -> None:
    """Give all a new time, each another one, as a fresh clone does."""
    found = _all(job)
    first = time.time_ns() - len(found) * _BETWEEN_FILES_NS
    for number, path in enumerate(found):
        moment = first + number * _BETWEEN_FILES_NS
        os.utime(path, ns=(moment, moment))


def _rename_directory(job: Path) -> None:
    first = _directories(job)[0]
    first.rename(first.with_name("renamed"))


def _make_branches(job: Path) -> None:
    """Make a repository of the small files with two branches, whose own files are beside the job.

    On the other branch three in ten directories are different: in each of them a twentieth of the files. In every
    fifth of these directories files were removed, in every fifth files were added, and in the others they have a line
    more.
    """
    project = job / "project"
    repository = job.with_name(f"{job.name}.git")
    shutil.rmtree(repository, ignore_errors=True)
    _git(project, "init", "--quiet", "--initial-branch", _FIRST, "--separate-git-dir", str(repository))
    _commit(project)
    _git(project, "checkout", "--quiet", "-b", _OTHER)
    for number, directory in enumerate(_some(_directories(job), 0.3)):
        for path in _some(sorted(directory.iterdir()), 0.05):
            if number % 5 == 0:
                path.unlink()
            elif number % 5 == 1:
                path.with_name(f"added-{path.name}").write_bytes(_other_text(path))
            else:
                _append(path, b"a line of the other branch\n")
    _commit(project)
    _git(project, "checkout", "--quiet", _FIRST)


def _switch_branch(job: Path) -> None:
    _git(job / "project", "checkout", "--quiet", _OTHER)


def _change_byte(job: Path) -> None:
    path = job / "project" / LARGE
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


def _insert(job: Path) -> None:
    path = job / "project" / LARGE
    data = path.read_bytes()
    path.write_bytes(data[:_INSERTED_AT] + _INSERTED + data[_INSERTED_AT:])


def _add_directories(job: Path) -> None:
    """Add copies of a twentieth of the directories, with other texts."""
    for directory in _some(_directories(job), 0.05):
        there = directory.with_name(f"new-{directory.name}")
        there.mkdir()
        for path in sorted(directory.iterdir()):
            (there / path.name).write_bytes(_other_text(path))


def _add_everywhere(job: Path) -> None:
    for path in _some(project_files(job), 0.05):
        path.with_name(f"new-{path.name}").write_bytes(_other_text(path))


def _remove_directories(job: Path) -> None:
    for directory in _some(_directories(job), 0.05):
        shutil.rmtree(directory)


def _remove_everywhere(job: Path) -> None:
    for path in _some(project_files(job), 0.05):
        path.unlink()


def _change_modes(job: Path) -> None:
    for path in _all(job):
        if path.is_file():
            path.chmod(path.stat().st_mode ^ 0o020)


def _change_everything(job: Path) -> None:
    """Put a project of the same size and the same names in its place."""
    size = TreeSize(len(project_files(job)), (job / "project" / LARGE).stat().st_size)
    shutil.rmtree(job)
    make_tree(job, size, SEED + 1)


UNCHANGED = Change("unchanged", _nothing)
ONE_FILE = Change("one file changed", _change_one)
CHANGES: Sequence[Change] = (
    UNCHANGED,
    ONE_FILE,
    Change("all mtimes", _touch_all),
    Change("a directory renamed", _rename_directory),
    Change("a git branch switched: 300 files in 60 directories", _switch_branch, _make_branches),
    Change("one byte in 128 MiB", _change_byte),
    Change("100 bytes inserted in 128 MiB", _insert, has_target=False),
    Change("1,000 new files in 10 new directories", _add_directories),
    Change("1,000 new files in all directories", _add_everywhere),
    Change("1,000 files removed, 10 directories", _remove_directories),
    Change("1,000 files removed in all directories", _remove_everywhere),
    Change("modes only", _change_modes),
    Change("everything", _change_everything),
)
"""All kinds, with the numbers of a tree of full size."""


def _directories(job: Path) -> list[Path]:
    return sorted(path for path in (job / "project" / "files").iterdir() if path.is_dir())


def _all(job: Path) -> list[Path]:
    return sorted(job.rglob("*"))


def _some(paths: Sequence[Path], share: float) -> list[Path]:
    """A share of some paths, at least one if there are any, at equal distances."""
    number = min(len(paths), max(1, round(len(paths) * share)))
    return [paths[index * len(paths) // number] for index in range(number)]


def _other_text(path: Path) -> bytes:
    """The words of a file in another order, the same for the same file."""
    words = path.read_bytes().split()
    random.Random(path.name).shuffle(words)
    return b" ".join(words)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _commit(project: Path) -> None:
    _git(project, "add", "--all", "files")
    _git(project, "commit", "--quiet", "--message", "files")


def _git(project: Path, *words: str) -> None:
    # Nothing of this user's configuration, such as hooks and signatures.
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        subprocess.run([*_GIT, *words], cwd=project, env=env, check=True, capture_output=True)
    except FileNotFoundError:
        raise BenchmarkError("git was not found. Install it: apt-get install git") from None
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"git {words[0]}: {error.stderr.decode(errors='replace').strip()}") from None
