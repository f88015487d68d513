"""The command: the words, the environment and the directory that something is started with."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playstream.pipeline.errors import ExecutableNotFound
from playstream.pipeline.redaction import redact, redact_words


@dataclass(frozen=True, slots=True)
class Command:
    """What is started. `env` and `argv` may hold secrets; `redacted_env` and `redacted_argv` do not."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Names of variables that are not for the program itself (an engine) but for what it runs, and the names that it
    is started with in their place."""
    own: Mapping[str, str] = field(default_factory=dict)
    """The program's own variables of those names."""

    @property
    def start_env(self) -> dict[str, str]:
        """The environment that the program is started with."""
        return {**self.own, **{self.renamed.get(name, name): value for name, value in self.env.items()}}

    @property
    def redacted_env(self) -> dict[str, str]:
        """The environment as it may be shown; see `redact`."""
        return redact(self.env)

    @property
    def redacted_argv(self) -> tuple[str, ...]:
        """The words as they may be shown; see `redact_words`."""
        return redact_words(self.argv)


def find_executable(name: str, env: Mapping[str, str], cwd: Path) -> str:
    """The path of a program, looked for on the job's PATH and beside this Python.

    Raises:
        ExecutableNotFound: it is in neither place.
    """
    if "/" in name:
        found = shutil.which(os.path.join(cwd, name))
        if found is None:
            raise ExecutableNotFound(f"{name} is no program that can be run on this host, looked at from {str(cwd)!r}")
        return name
    # A worker started by its path (ssh host /opt/venv/bin/playstream worker) has its Ansible beside it.
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=env.get("PATH", os.defpath)) or shutil.which(name, path=beside)
    if found is None:
        advice = (
            ". Install ansible-core where the worker runs, for example with pip install 'playstream[ansible]'"
            if name.startswith("ansible")
            else ". Install it there, or see its spelling"
        )
        raise ExecutableNotFound(
            f"{name} was not found on this host, neither on PATH ({env.get('PATH')!r}) nor in {beside!r}{advice}"
        )
    return found
