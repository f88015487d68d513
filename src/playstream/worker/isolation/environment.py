"""Passing a job's variables through an engine (podman, docker, bwrap), which must not use them itself.

BASH_ENV, LD_PRELOAD, PYTHONPATH, HTTPS_PROXY, DOCKER_HOST and many others affect any program, including the engine. So
the engine gets the job's variables under neutral names, and the first program inside restores their own names. Values
are passed only in environments, neither on a command line nor in a file.
"""

from __future__ import annotations

import base64
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from playstream.pipeline.errors import ConfigurationError

# Only Ansible and playstream read these.
_HARMLESS = re.compile(r"(?:ANSIBLE|PLAYSTREAM|RUNNER)_[A-Z0-9_]*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Variables that a shell does not let commands set, or changes; functions of bash; a name that podman expands to
# several. None of these is a secret.
_NOT_EXPORTED = re.compile(
    r"BASH|BASHOPTS|BASHPID|BASH_(?!ENV$).*|SHELLOPTS|E?UID|PPID|GROUPS|FUNCNAME|DIRSTACK|PIPESTATUS|S?RANDOM|SECONDS"
    r"|EPOCH\w+|LINENO|OPTARG|OPTIND|HISTCMD|COMP_\w+|_|.*\*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Handover:
    """How each variable is passed inside."""

    prefix: str
    """The neutral names are this prefix with 1, 2, 3 …; later changes are passed in this prefix with MORE."""
    by_name: tuple[str, ...]
    renamed: tuple[str, ...]
    """The own names, in the order of their numbers."""
    by_value: Mapping[str, str]
    """Variables that are passed on the engine's command line."""
    engine: Mapping[str, str]
    """The engine's own environment."""
    through_shell: bool
    """True if a shell restores the names; False if Python does, and the job would inherit the engine's variables."""

    @property
    def neutral_names(self) -> dict[str, str]:
        """The neutral names by the own names."""
        return {name: f"{self.prefix}{number}" for number, name in enumerate(self.renamed, 1)}

    @property
    def more(self) -> str:
        """The variable with what was added, changed or removed after the plan was made."""
        return f"{self.prefix}MORE"

    def start_env(self, job: Mapping[str, str]) -> dict[str, str]:
        """Return the environment to start the engine with, so that the job inside has exactly these variables.

        Raises:
            ConfigurationError: a variable was added that a shell cannot export.
        """
        neutral = self.neutral_names
        env = {name: value for name, value in self.engine.items() if name in job or not self._passes(name)}
        env.update((neutral.get(name, name), job[name]) for name in job if name in neutral or self._passes(name))
        same = {**{name: self.engine.get(name) for name in self.by_name}, **self.by_value}
        later = {
            name: value
            for name, value in job.items()
            if name not in neutral and not self._passes(name) and same.get(name) != value
        }
        given = self.by_name if self.through_shell else (*self.by_name, *self.renamed)
        gone = [name for name in given if name not in job and name in env]
        if later or gone:
            env[self.more] = _as_shell(later, gone) if self.through_shell else _as_base64(later, gone)
        return env

    def _passes(self, name: str) -> bool:
        """Return whether the job's variable may be passed to the engine under its own name, with any value."""
        return name in self.by_name and _is_never_read(name, through_shell=self.through_shell)


def plan_handover(job: Mapping[str, str], engine: Mapping[str, str], *, through_shell: bool) -> Handover:
    """Decide how a job's variables are passed inside.

    Args:
        job: the variables of the job.
        engine: the engine's own environment.
        through_shell: True if a shell restores their names inside, which is not possible for every name.
    """
    by_name, renamed, by_value = [], [], {}
    for name, value in sorted(job.items()):
        if _is_never_read(name, through_shell=through_shell) or engine.get(name) == value:
            by_name.append(name)
        elif through_shell and _NOT_EXPORTED.fullmatch(name):
            by_value[name] = value
        else:
            renamed.append(name)
    prefix = f"PLAYSTREAM_{secrets.token_hex(4)}_"
    return Handover(prefix, tuple(by_name), tuple(renamed), by_value, engine, through_shell)


def _is_never_read(name: str, *, through_shell: bool) -> bool:
    """Return whether no engine reads a variable with this name; the loader and the shell only read identifiers."""
    if _HARMLESS.fullmatch(name):
        return True
    return through_shell and not _NOT_EXPORTED.fullmatch(name) and not _IDENTIFIER.fullmatch(name)


def _is_exported(name: str) -> bool:
    """Return whether a shell can export and unset the variable."""
    return _IDENTIFIER.fullmatch(name) is not None and _NOT_EXPORTED.fullmatch(name) is None


def _as_shell(later: Mapping[str, str], gone: Sequence[str]) -> str:
    """Return the changes as commands for a shell."""
    commands = [f"unset {name}" for name in gone if _is_exported(name)]
    for name, value in later.items():
        if not _is_exported(name):
            if name == "_":  # the shell sets it itself
                continue
            raise ConfigurationError(
                f"env: the variable {name!r} cannot be passed to a job in a container after prepare(), because a shell "
                "cannot export it. Pass it in envvars"
            )
        commands.append(f"export {name}={shlex.quote(value)}")
    return "; ".join(commands)


def _as_base64(later: Mapping[str, str], gone: Sequence[str]) -> str:
    """Encode the changes for PYTHON_HANDOVER: `NAME=VALUE`, and `NAME` of removed variables, separated by NUL."""
    items = [*(f"{name}={value}" for name, value in later.items()), *gone]
    return base64.b64encode("\0".join(items).encode("utf-8", "surrogateescape")).decode()


def shell_handover(prefix: str) -> str:
    """Return shell commands that restore the variables' names, which are the arguments up to `--` and are removed."""
    count = f"{prefix}N"
    variable = f"{prefix}${{{count}}}"
    return (
        f'{count}=0; until test "$1" = --; do {count}=$(({count}+1)); '
        f'eval "test -z \\"\\${{{variable}+x}}\\" || export $1=\\"\\${variable}\\"; unset {variable}"; shift; done; '
        f'shift; unset {count}; eval "${{{prefix}MORE-}}"; unset {prefix}MORE'
    )


PYTHON_HANDOVER = """\
import binascii, os, sys
started, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
names, words = sys.argv[4 : 4 + count], sys.argv[4 + count :]
# As the process got it: Python adds to its own where the locale is C.
with open("/proc/self/environ", "rb") as file:
    env = dict(line.split(b"=", 1) for line in file.read().split(b"\\0") if b"=" in line)
for number, name in enumerate(names, 1):
    value = env.pop(f"{prefix}{number}".encode(), None)
    if value is not None:
        env[os.fsencode(name)] = value
for item in filter(None, binascii.a2b_base64(env.pop(f"{prefix}MORE".encode(), b"")).split(b"\\0")):
    name, equals, value = item.partition(b"=")
    env.pop(name, None)
    if equals:
        env[name] = value
os.close(os.open(started, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
try:
    os.execve(words[0], words, env)
except OSError as error:
    print(f"{words[0]} cannot be started: {error.strerror}", file=sys.stderr)
    sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
"""
"""The same as a Python program, which also creates a file to show that it has run. Its arguments are the path of this
file, the prefix, the number of names, the names, and the command."""
