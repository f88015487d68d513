"""Removing what jobs have left on this host: unused directories and container images."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError, ExecutableNotFound, JobError
from playstream.pipeline.io.removal import remove_tree
from playstream.pipeline.tree.directories import absolute_path, passes_link_in
from playstream.worker.directories import is_free, is_locked_below, is_system_directory
from playstream.worker.killing import end_marked
from playstream.worker.spool import is_spool_name

DEFAULT_GRACE_MINUTES = 60
_NO_SPACE_FREED = re.compile(r"total reclaimed space:\s*0\s*B", re.IGNORECASE)


@dataclass(slots=True)
class Removal:
    """What happened to the directories that match a pattern."""

    removed: list[Path] = field(default_factory=list)
    kept: list[tuple[Path, str]] = field(default_factory=list)
    """Paths with the reason. Those kept by the caller's own arguments or the grace period are not listed."""
    failed: list[tuple[Path, str]] = field(default_factory=list)
    """Paths with the reason; a part of their content may have been removed."""


def split_list(words: Iterable[str]) -> list[str]:
    """Split arguments, each of which may contain several words, with spaces, commas or quotes.

    Example:
        >>> split_list(["a b", "c,d", '"e"', ""])
        ['a', 'b', 'c', 'd', 'e']
    """
    return [part for word in words for part in re.split(r"[\s,\"']+", word) if part]


def remove_directories(
    pattern: str, *, exclude: Sequence[str] = (), grace_minutes: float = DEFAULT_GRACE_MINUTES
) -> Removal:
    """Remove the directories whose paths match, unless a job uses them. Files and links are not removed.

    Links are followed only in the literal part of the pattern. What matches through another link is not removed,
    because the link may have been sent with a job's tree.

    Args:
        pattern: a pattern as in the shell, such as `/tmp/awx_*`.
        exclude: texts; a directory whose path contains one is kept.
        grace_minutes: a directory that was changed within this time is kept; 0 for no such time.

    Raises:
        ConfigurationError: the pattern matches a directory of the system. Nothing was removed.
    """
    paths = [Path(absolute_path(name)) for name in sorted(glob.glob(pattern))]
    _refuse_system_directories(pattern, paths)
    done = Removal()
    oldest = time.time() - grace_minutes * 60
    candidates = []
    literal = _literal_part(pattern)
    for path in paths:
        if passes_link_in(literal, path) or not path.is_dir() or any(word in str(path) for word in exclude):
            continue
        try:
            if not grace_minutes or path.stat().st_mtime <= oldest:
                candidates.append(path)
        except FileNotFoundError:
            continue  # another process has removed it
    used = _in_use_by_processes(candidates) if candidates else {}
    for path in candidates:
        _remove(path, used.get(path), done)
    return done


def _literal_part(pattern: str) -> Path:
    """Return the directory that contains everything that matches."""
    parts = Path(absolute_path(pattern)).parts
    wild = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:wild])


def _refuse_system_directories(pattern: str, paths: Sequence[Path]) -> None:
    refused = [str(path) for path in paths if is_system_directory(path) or os.path.ismount(path.resolve())]
    if refused:
        raise ConfigurationError(
            f"the pattern {pattern!r} matches system directories: {', '.join(refused[:5])}. Nothing was removed; use a "
            "pattern that matches only private data directories, such as '/tmp/awx_*'"
        )


def _remove(path: Path, pid: int | None, done: Removal) -> None:
    """Remove one directory while holding its lock, so that no job takes it meanwhile."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if path.exists():
            done.failed.append((path, str(error.strerror)))
        return
    try:
        if not is_free(fd) or is_locked_below(path):
            done.kept.append((path, "a job uses it"))
        elif pid is not None:
            done.kept.append((path, f"process {pid} uses it"))
        else:
            _remove_tree(path, done)
    finally:
        os.close(fd)


def _remove_tree(path: Path, done: Removal) -> None:
    if is_spool_name(path.name):
        end_marked(path)  # in a spool of a dead worker nothing else ends the remaining processes
    remains = remove_tree(path)
    if remains is None:
        done.removed.append(path)
    else:
        done.failed.append((path, remains))


def _in_use_by_processes(paths: Sequence[Path]) -> dict[Path, int]:
    """Return the paths below which a process has its working directory or open files."""
    places = {str(path.resolve()): path for path in paths}
    used: dict[Path, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            for target in _places_of(entry):
                for place, path in places.items():
                    if target == place or target.startswith(place + "/"):
                        used.setdefault(path, int(entry.name))
    return used


def _places_of(process: Path) -> Iterator[str]:
    try:
        links = [process / "cwd", process / "root", *(process / "fd").iterdir()]
    except OSError:
        return  # it has ended, or belongs to another user
    for link in links:
        try:
            yield os.readlink(link)
        except OSError:
            continue


def remove_images(images: Sequence[str], executable: str) -> int:
    """Remove names of container images, so that pruning removes images without a name.

    Running containers are not affected.

    Args:
        images: names with or without a tag.
        executable: podman or docker, or the path of one.

    Returns:
        The number of removed names.

    Raises:
        ConfigurationError: a name is not valid.
        ExecutableNotFound: the engine is not on this host.
        JobError: the engine fails; the message has the reason.
    """
    for image in images:
        if image.startswith("-"):
            raise ConfigurationError(f"--remove-images: expected the name of an image, got {image!r}")
    engine = _find_engine(executable)
    count = 0
    for image in images:
        for name in sorted(set(_call(engine, "images", "--format", "{{.Repository}}:{{.Tag}}", image).split())):
            if name.startswith("<none>"):
                continue
            # podman's rmi would stop containers of the image; docker's only removes the name.
            _call(engine, *(["untag", name] if Path(engine).name == "podman" else ["rmi", "--force", name]))
            count += 1
    return count


def prune_images(executable: str) -> bool:
    """Remove all images that have neither a name nor a container.

    Returns:
        True if there were any.

    Raises:
        ExecutableNotFound: the engine is not on this host.
        JobError: the engine fails; the message has the reason.
    """
    output = _call(_find_engine(executable), "image", "prune", "--force")
    return bool(output) and not _NO_SPACE_FREED.fullmatch(output)


def _find_engine(executable: str) -> str:
    if Path(executable).name not in {"podman", "docker"}:
        raise ConfigurationError(f"--process-isolation-executable: expected podman or docker, got {executable!r}")
    found = shutil.which(executable)
    if found is None:
        raise ExecutableNotFound(f"{executable!r} was not found on this host; it is needed to remove images")
    return found


def _call(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise JobError(f"{words[0]} cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise JobError(f"{' '.join(words)} failed: {reason[0]}")
    return done.stdout.decode("utf-8", "replace").strip()
