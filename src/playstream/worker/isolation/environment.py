"""A job's variables on their way through an engine (podman, docker, bwrap), which must not take them for its own.

BASH_ENV, LD_PRELOAD, PYTHONPATH, HTTPS_PROXY, DOCKER_HOST and many others change a program, the engine as well. So the
engine gets the job's variables under names that mean nothing to anybody, and what is started first inside gives them
their own names. Their values are in environments alone: neither on a command line nor in a file.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

# Nobody but Ansible and playstream looks at these.
_HARMLESS = re.compile(r"(?:ANSIBLE|PLAYSTREAM|RUNNER)_[A-Z0-9_]*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# What a shell does not let itself be given by a command, or makes something else of; a function of bash's; a name that
# podman takes for many. None of these is a secret.
_NOT_EXPORTED = re.compile(
    r"BASH|BASHOPTS|BASHPID|BASH_(?!ENV$).*|SHELLOPTS|E?UID|PPID|GROUPS|FUNCNAME|DIRSTACK|PIPESTATUS|S?RANDOM|SECONDS"
    r"|EPOCH\w+|LINENO|OPTARG|OPTIND|HISTCMD|COMP_\w+|_|.*\*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Handover:
    """How each variable gets inside."""

    prefix: str
    """The neutral names are this and 1, 2, 3 …"""
    by_name: tuple[str, ...]
    renamed: tuple[str, ...]
    """In the order of their numbers."""
    by_value: Mapping[str, str]
    """On the engine's command line."""

    @property
    def neutral_names(self) -> dict[str, str]:
        """By the own name."""
        return {name: f"{self.prefix}{number}" for number, name in enumerate(self.renamed, 1)}


def plan_handover(job: Mapping[str, str], engine: Mapping[str, str], *, through_shell: bool) -> Handover:
    """Decide how a job's variables get inside.

    Args:
        job: the variables of the job.
        engine: the environment that the engine has itself.
        through_shell: True if a shell gives them their names inside, which not every name can be given by.
    """
    by_name, renamed, by_value = [], [], {}
    for name, value in sorted(job.items()):
        if _HARMLESS.fullmatch(name) or engine.get(name) == value:
            by_name.append(name)
        elif not through_shell:
            renamed.append(name)
        elif _NOT_EXPORTED.fullmatch(name):
            by_value[name] = value
        elif _IDENTIFIER.fullmatch(name):
            renamed.append(name)
        else:
            by_name.append(name)  # neither a loader, a library nor a shell looks at such a name
    return Handover(f"PLAYSTREAM_{secrets.token_hex(4)}_", tuple(by_name), tuple(renamed), by_value)


def shell_handover(prefix: str) -> str:
    """Commands of a shell that give the variables their names: those are its words up to `--`, which are taken away."""
    count = f"{prefix}N"
    variable = f"{prefix}${{{count}}}"
    return (
        f'{count}=0; until test "$1" = --; do {count}=$(({count}+1)); '
        f'eval "test -z \\"\\${{{variable}+x}}\\" || export $1=\\"\\${variable}\\"; unset {variable}"; shift; done; '
        f"shift; unset {count}"
    )


PYTHON_HANDOVER = """\
import os, sys
prefix, count = sys.argv[1], int(sys.argv[2])
names, words = sys.argv[3 : 3 + count], sys.argv[3 + count :]
# As the process got it: Python adds to its own where the locale is C.
with open("/proc/self/environ", "rb") as file:
    env = dict(line.split(b"=", 1) for line in file.read().split(b"\\0") if b"=" in line)
for number, name in enumerate(names, 1):
    value = env.pop(f"{prefix}{number}".encode(), None)
    if value is not None:
        env[os.fsencode(name)] = value
try:
    os.execve(words[0], words, env)
except OSError as error:
    sys.exit(f"{words[0]} cannot be started: {error.strerror}")
"""
"""The same as a program of Python's. Its words: the prefix, the count of names, the names, the program's own words."""
