"""The program of a command line, as programs written for ansible-runner see it: by its name, not by its path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from playstream.pipeline.errors import ExecutableNotFound
from playstream.worker.command import find_executable


def shorten(path: str, given: str | None, env: Mapping[str, str], cwd: str) -> str:
    """The name of a program, when that leads to the same program and it was not `given` as a path."""
    name = os.path.basename(path)
    return name if path != given and lengthen(name, env, cwd) == path else path


def lengthen(name: str, env: Mapping[str, str], cwd: str) -> str | None:
    """The path of a program on the PATH or beside this Python; None when there is none."""
    try:
        return find_executable(name, env, Path(cwd))
    except ExecutableNotFound:
        return None


def tell_missing(name: str) -> list[str]:
    """A command that says, as the run of a program that is not there, that it is not, and ends with 127."""
    told = f"The command was not found or was not executable: {name}."
    return ["/bin/sh", "-c", 'printf "%s\\n" "$1"; exit 127', "sh", told]
