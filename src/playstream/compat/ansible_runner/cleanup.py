"""Remove directories and images left by jobs on a host."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from playstream.compat.ansible_runner.defaults import GRACE_PERIOD_DEFAULT, default_process_isolation_executable
from playstream.worker import cleanup

__all__ = ["cleanup_dirs", "cleanup_images", "prune_images", "run_cleanup"]


def cleanup_dirs(
    pattern: str, exclude_strings: Sequence[str] | None = None, grace_period: int = GRACE_PERIOD_DEFAULT
) -> int:
    """Remove directories that no job uses.

    Args:
        pattern: shell pattern of their paths.
        exclude_strings: keep directories whose path contains one of these strings.
        grace_period: keep directories that changed within this number of minutes; 0 keeps none.

    Returns:
        The number of removed directories.

    Raises:
        ConfigurationError: the pattern names a directory of the system. Nothing has been removed.
    """
    exclude = cleanup.split_list(map(str, exclude_strings or ()))
    done = cleanup.remove_directories(pattern, exclude=exclude, grace_minutes=grace_period)
    for path, reason in done.kept:
        _print(f"Excluding {path} from cleanup: {reason}")
    for path, reason in done.failed:
        _print(f"{path} cannot be removed: {reason}")
    return len(done.removed)


def cleanup_images(images: Sequence[str], runtime: str) -> int:
    """Remove names (tags) from container images.

    Args:
        images: the names.
        runtime: podman or docker.

    Returns:
        The number of removed names.

    Raises:
        ConfigurationError: a name is invalid.
        JobError: the engine is missing or fails.
    """
    return cleanup.remove_images(cleanup.split_list(images), runtime)


def prune_images(runtime: str) -> bool:
    """Remove images without a name; return whether there were any.

    Args:
        runtime: podman or docker.

    Raises:
        JobError: the engine is missing or fails.
    """
    return cleanup.prune_images(runtime)


def run_cleanup(vargs: Mapping[str, Any]) -> None:
    """Remove directories and images, and print what was done.

    Args:
        vargs: `file_pattern`, `exclude_strings`, `grace_period`, `remove_images`, `image_prune`,
            `process_isolation_executable`; all are optional.

    Raises:
        ConfigurationError: the pattern names a directory of the system, or a name is invalid.
        JobError: the container engine is missing or fails.
    """
    executable = vargs.get("process_isolation_executable") or default_process_isolation_executable
    directories = images = 0
    if pattern := vargs.get("file_pattern"):
        directories = cleanup_dirs(
            pattern, vargs.get("exclude_strings"), vargs.get("grace_period", GRACE_PERIOD_DEFAULT)
        )
        if directories:
            _print(f"Removed {directories} private data dir(s) in pattern {pattern}")
    if names := vargs.get("remove_images"):
        images = cleanup_images(names, executable)
        if images:
            _print(f"Removed {images} image(s)")
    pruned = bool(vargs.get("image_prune")) and prune_images(executable)
    if pruned:
        _print("Pruned images")
    _print(f"(changed: {bool(directories or images or pruned)})")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
