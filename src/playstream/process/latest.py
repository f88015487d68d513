"""The link `latest` in a directory of artifacts, to those of the newest run.

It only names an entry beside it, and nothing is ever written through it. Whatever else has this name is the user's, and
is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.io import system
from playstream.pipeline.job.ident import LATEST
from playstream.pipeline.tree.renaming import move_new

_NEW = ".latest"
"""The link before it gets its name, which no run can have."""
_FLAGS = os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC


def link_latest(path: Path) -> None:
    """Let `latest`, beside the artifacts of a run, be a link to them. It is replaced at once, so there always is one.

    The link is for people. If it cannot be made, for example because the file system has no links, there is none.

    Args:
        path: the directory of the artifacts.
    """
    try:
        base = os.open(path.parent, _FLAGS)
    except OSError:
        return
    try:
        _link(base, path.name)
    except OSError:
        pass  # or another run that has begun at the same time was faster
    finally:
        os.close(base)


def _link(base: int, name: str) -> None:
    earlier = _target(base)
    if earlier is None and _exists(base):
        return
    try:
        os.unlink(_NEW, dir_fd=base)
    except FileNotFoundError:
        pass
    os.symlink(name, _NEW, dir_fd=base)
    if earlier is not None:
        os.rename(_NEW, LATEST, src_dir_fd=base, dst_dir_fd=base)
    elif not move_new(base, _NEW, base, LATEST):
        os.unlink(_NEW, dir_fd=base)  # somebody has just created something else


def relink_latest(base: Path, runs: Sequence[str]) -> None:
    """Let `latest` be a link to the newest run that is left, if the one that it names was removed.

    Args:
        base: the directory of artifact directories.
        runs: the names of the runs that are left, the newest first.
    """
    if runs and (name := read_latest(base)) is not None and not os.path.lexists(base / name):
        link_latest(base / runs[0])


def read_latest(base: Path) -> str | None:
    """Return the name of the run that `latest` is a link to; None if there is no such link."""
    try:
        fd = os.open(base, _FLAGS)
    except OSError:
        return None
    try:
        return _target(fd)
    finally:
        os.close(fd)


def _target(base: int) -> str | None:
    """Return the name that the link has as its target; None if this is not a link that `link_latest` makes."""
    try:
        target = os.readlink(LATEST, dir_fd=base)
    except OSError:
        return None
    return None if "/" in target or target.startswith(".") else target


def _exists(base: int) -> bool:
    try:
        os.stat(LATEST, dir_fd=base, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
