"""The files of the host that a container sees, and where."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError, JobError
from playstream.pipeline.job.galaxy import PLACE
from playstream.pipeline.job.ident import ARTIFACTS
from playstream.pipeline.job.inputs import ENV_FILES
from playstream.pipeline.job.isolation import INSIDE, Isolation, split_mount
from playstream.worker.paths import CACHE_PLUGIN_DIR, PLUGIN_DIR, PLUGINS, SURVEY_DIR, Paths

RUN_DIR_INSIDE = INSIDE / ".playstream"
PLUGINS_INSIDE = RUN_DIR_INSIDE / "plugin"
HOME_INSIDE = RUN_DIR_INSIDE / "home"

_NOT_SHOWN = {ARTIFACTS, RUN_DIR_INSIDE.name, *(f"env/{name}" for name in ENV_FILES)}
"""Entries of the private data directory that are not mounted: artifacts of other jobs, and secrets that the job gets in
another way."""
_NEVER_MOUNTED = ("/", "/home", "/usr")


@dataclass(frozen=True, slots=True)
class Mount:
    """One directory or file of the host in the container; `host` may also be the name of an engine's volume."""

    host: str
    inside: str
    options: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Return the mount as options of the engine."""
        return "--volume", ":".join(filter(None, (self.host, self.inside, self.options)))

    def seen(self, path: Path) -> Path | None:
        """Return the path inside the container for a path of the host; None if it is not in this mount."""
        return Path(self.inside) / path.relative_to(self.host) if path.is_relative_to(self.host) else None


def list_job_mounts(paths: Paths, ident: str) -> list[Mount]:
    """Return the mounts of the job's own directories.

    The entries of the private data directory are mounted one by one. As a whole it would have to be open to every user
    of an image, and the engine would create the targets of the other mounts in it, although it may be the user's
    directory. `Z` sets the label that SELinux requires for a container's files.

    Raises:
        JobError: a path cannot be represented as an option of the engine.
    """
    mounts = [
        Mount(str(paths.run_dir), str(RUN_DIR_INSIDE), "Z"),
        Mount(str(paths.artifact_dir), str(INSIDE / ARTIFACTS / ident), "Z"),
    ]
    mounts += [Mount(str(item), str(INSIDE / name), "Z") for name, item in _list_items(paths)]
    if not paths.project.is_relative_to(paths.private_data_dir) and paths.project.is_dir():
        # A copy, instead of the one in the private data directory.
        project = Mount(str(paths.project), str(INSIDE / "project"), "Z")
        mounts = [mount for mount in mounts if mount.inside != project.inside] + [project]
    if paths.galaxy is not None and not paths.galaxy.is_relative_to(paths.private_data_dir):
        # Containers share it, and it may be in use by another one with another label.
        mounts.append(Mount(str(paths.galaxy), str(INSIDE / PLACE / paths.galaxy.name), "ro,z"))
    for mount in mounts:
        if ":" in mount.host:
            raise JobError(
                f"{mount.host!r} cannot be mounted into a container, because its name contains a colon. Rename it, or "
                "exclude it from the job with a line in .playstreamignore"
            )
    return mounts


def _list_items(paths: Paths) -> Iterator[tuple[str, Path]]:
    """Yield the entries of the private data directory, those of `env/` one by one, by their names in it."""
    for item in sorted([*paths.private_data_dir.iterdir(), *paths.private_data_dir.glob("env/*")]):
        name = str(item.relative_to(paths.private_data_dir))
        if name not in _NOT_SHOWN and name != "env" and (item.is_dir() or item.is_file()) and _may_follow(item, paths):
            yield name, item


def _may_follow(item: Path, paths: Paths) -> bool:
    """Return whether a link may be followed: one that was sent must not expose what is not mounted."""
    top = paths.private_data_dir.resolve()
    target = item.resolve()
    if paths.in_place:
        return True
    if target == top or not target.is_relative_to(top):
        return False
    shown = Path(str(target.relative_to(top)))
    return str(shown) != "env" and not any(shown.is_relative_to(name) for name in _NOT_SHOWN)


def list_asked_mounts(isolation: Isolation) -> list[Mount]:
    """Return the mounts that the settings request.

    Raises:
        ConfigurationError: a path is missing on this host, or must not be mounted.
    """
    return [_expand(mount) for mount in isolation.volume_mounts]


def mount_host_cwd(isolation: Isolation) -> Mount | None:
    """Return a mount of the caller's working directory at its own path; None if not requested, or missing.

    Raises:
        ConfigurationError: it must not be mounted.
    """
    if isolation.host_cwd is None or isolation.workdir is not None:
        return None
    path = os.path.abspath(isolation.host_cwd)
    if not os.path.exists(path):
        return None  # a directory of another host: the job starts in its project instead
    _check_mountable("host_cwd", path)
    return Mount(path, path)


def _expand(text: str) -> Mount:
    host, inside, options = split_mount("container_volume_mounts", text)
    path = os.path.expanduser(os.path.expandvars(host))
    if "/" not in path and path not in (".", ".."):
        return Mount(path, inside, options)  # a volume of the engine
    path = os.path.abspath(path)
    _check_mountable("container_volume_mounts", path)
    if not os.path.exists(path):
        raise ConfigurationError(
            f"container_volume_mounts: {text!r}: expected a path of the worker's host, but {path!r} does not exist "
            "there. Create it, or remove the mount"
        )
    return Mount(path, inside, options)


def merge(mounts: list[Mount]) -> list[Mount]:
    """Return the last of the mounts at each path, because engines reject duplicates; requested ones are last."""
    return list({mount.inside.rstrip("/"): mount for mount in mounts}.values())


def _check_mountable(key: str, path: str) -> None:
    if path in _NEVER_MOUNTED or os.path.realpath(path) in _NEVER_MOUNTED:
        raise ConfigurationError(
            f"{key}: {path!r} cannot be mounted into a container: it is a system directory. Mount a directory below it"
        )


def copy_plugins(run_dir: Path) -> None:
    """Copy Ansible's plugins to where any user of an image can read them; site-packages may be closed to others.

    Raises:
        OSError: it cannot be copied.
    """
    ignore = shutil.ignore_patterns("__pycache__")
    for directory in (PLUGIN_DIR, CACHE_PLUGIN_DIR, SURVEY_DIR):
        copy = run_dir / PLUGINS_INSIDE.name / directory.relative_to(PLUGINS)
        shutil.copytree(directory, copy, ignore=ignore, copy_function=shutil.copyfile)
