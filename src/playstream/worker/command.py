"""The command: the words, the environment and the directory that something is started with."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import ExecutableNotFound

REDACTED = "********"
_HARMLESS = re.compile(
    r"PATH|HOME|SHELL|USER|LOGNAME|PWD|OLDPWD|TERM|TZ|LANG|LANGUAGE|LC_\w+|HOSTNAME|TMPDIR|VIRTUAL_ENV|COLUMNS|LINES"
    r"|SHLVL|PYTHON\w*|ANSIBLE_\w+|PLAYSTREAM_\w+|XDG_\w+"
)
_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|VAULT|AUTH", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Command:
    """What is started. `env` may hold secrets; `redacted_env` does not."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path

    @property
    def redacted_env(self) -> dict[str, str]:
        """The environment, with the values of all but well-known harmless variables hidden."""
        return {name: value if _shows(name) else REDACTED for name, value in sorted(self.env.items())}


def _shows(name: str) -> bool:
    return bool(_HARMLESS.fullmatch(name)) and not _SECRET.search(name)


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
