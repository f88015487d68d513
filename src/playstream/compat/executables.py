"""Convert the program of a command line between its name, which ansible-runner shows, and its path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from playstream.pipeline.errors import ExecutableNotFound
from playstream.worker.command import find_executable


def short_name(path: str, given: str | None, env: Mapping[str, str], cwd: str) -> str:
    """Return the name of a program if it finds the same program and the path was not `given`; else the path."""
    name = os.path.basename(path)
    return name if path != given and find_path(name, env, cwd) == path else path


def find_path(name: str, env: Mapping[str, str], cwd: str) -> str | None:
    """Return the path of a program on the PATH or beside this Python; None if it is not found."""
    try:
        return find_executable(name, env, Path(cwd))
    except ExecutableNotFound:
        return None


def report_missing(name: str) -> list[str]:
    """Return a command that reports a missing program in ansible-runner's words, and exits with 127."""
    message = f"The command was not found or was not executable: {name}."
    return ["/bin/sh", "-c", 'printf "%s\\n" "$1"; exit 127', "sh", message]
