"""A job in a file system view of its own, made with bubblewrap (bwrap)."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.io.interpreter import find_python
from playstream.pipeline.job.isolation import Isolation
from playstream.worker.command import Command, find_executable
from playstream.worker.isolation.environment import PYTHON_HANDOVER, Handover, plan_handover
from playstream.worker.paths import PLUGINS, Paths

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/usr", "/opt")
"""Read-only inside, where they exist; of the rest of the host nothing is there that is not asked for."""
_WHOLE = (Path("/"), Path("/home"), Path("/root"), Path("/tmp"), Path("/var"))  # noqa: S108 - none of these is used
"""Never taken for an installation's directory."""


@dataclass(frozen=True, slots=True)
class _Bind:
    option: str
    source: str
    place: str


class Bubblewrap:
    """See `Sandbox`, of which this is one.

    Args:
        isolation: what the settings ask for.
        executable: path of bwrap.
        paths: the job's places on this host.
    """

    inherits_env = True
    cleanup: tuple[tuple[str, ...], ...] = ()
    """Nothing: every process inside ends with bwrap, and what was made lies in the spool."""
    started = True
    """Known by the return code: bwrap is given no words but playstream's."""

    def __init__(self, isolation: Isolation, executable: str, paths: Paths) -> None:
        self._isolation = isolation
        self._executable = executable
        self._paths = paths
        self._room = paths.spool / "sandbox"
        self._made = 0

    def seen(self, path: Path) -> Path:
        """Return the path without links, because the links of the host do not exist inside."""
        return Path(os.path.realpath(path))

    def share(self) -> None:
        """Nothing: inside, the job's user is the worker's."""

    def enclose(self, command: Command) -> Command:
        """Return the bwrap command that runs `command`.

        Raises:
            ExecutableNotFound: the program is not on this host.
            OSError: the private directories cannot be made.
        """
        self._room.mkdir(mode=0o700, exist_ok=True)
        words = [self._executable, "--die-with-parent", "--unshare-pid"]
        for name in _SYSTEM:
            if os.path.islink(name):
                words += ["--symlink", os.readlink(name), name]
            elif os.path.isdir(name):
                words += ["--ro-bind", name, name]
        # Names are looked up through a file that may be a link to where nothing else is shown.
        resolver = os.path.realpath("/etc/resolv.conf")
        if os.path.isfile(resolver) and not resolver.startswith("/etc/"):
            words += ["--ro-bind", resolver, resolver]
        # The host's terminals with the rest of /dev: the job's own is one of them.
        words += ["--dev-bind", "/dev", "/dev", "--proc", "/proc"]
        program = _find_program(command)
        installed = _list_installations((program, *command.argv[1:]))
        binds = [*self._private_places(command), *installed, *self._asked_places(), *self._job_places()]
        # What lies deeper is mounted later; of two at one place the later in the list wins.
        for bind in sorted(binds, key=lambda bind: bind.place.rstrip("/").count("/")):
            words += [bind.option, bind.source, bind.place]
        own = {name: value for name, value in os.environ.items() if name in command.env}
        handover = plan_handover(command.env, own, through_shell=False)
        words += ["--chdir", os.path.realpath(command.cwd), *_give_variables(handover), program, *command.argv[1:]]
        return Command(tuple(words), command.env, command.cwd, handover)

    def _private_places(self, command: Command) -> list[_Bind]:
        """Empty directories of the job's own, in the spool: for temporary files, and a home in place of the user's."""
        places = dict.fromkeys(["/tmp", os.path.realpath(self._isolation.isolation_path)], 0o1777)  # noqa: S108 - private
        home = command.env.get("HOME", "")
        if home.startswith("/") and os.path.realpath(home) != "/":
            places[os.path.realpath(home)] = 0o700
        return [_Bind("--bind", str(self._make_empty(stat.S_IFDIR | mode)), place) for place, mode in places.items()]

    def _asked_places(self) -> list[_Bind]:
        """Hidden, read-only and shown paths, in the order in which they win; those that do not exist are left out."""
        isolation = self._isolation
        hidden = [
            _Bind("--bind", str(self._make_empty(stat.S_IFDIR | 0o700 if os.path.isdir(path) else 0o600)), path)
            for path in _existing(isolation.hide_paths)
        ]
        read_only = [_Bind("--ro-bind", path, path) for path in _existing(isolation.ro_paths)]
        shown = [_Bind("--bind", path, path) for path in _existing(isolation.show_paths)]
        return hidden + read_only + shown

    def _job_places(self) -> list[_Bind]:
        paths = self._paths
        binds = [_Bind("--ro-bind", *_same(PLUGINS)), _Bind("--bind", *_same(paths.private_data_dir))]
        if paths.project.is_dir() and not paths.project.is_relative_to(paths.private_data_dir):
            binds.append(_Bind("--bind", *_same(paths.project)))
        return [*binds, _Bind("--bind", *_same(paths.artifact_dir)), _Bind("--bind", *_same(paths.run_dir))]

    def _make_empty(self, mode: int) -> Path:
        """Create an empty directory or file in the spool, with the given type and permissions."""
        self._made += 1
        path = self._room / str(self._made)
        if stat.S_ISDIR(mode):
            path.mkdir()
        else:
            path.touch()
        path.chmod(stat.S_IMODE(mode))
        return path


def _give_variables(handover: Handover) -> list[str]:
    """Return the program that restores the names of the job's variables."""
    directory, name = os.path.split(find_python())
    python = os.path.join(os.path.realpath(directory), name)
    return [python, "-I", "-S", "-c", PYTHON_HANDOVER, handover.prefix, str(len(handover.renamed)), *handover.renamed]


def _same(path: Path) -> tuple[str, str]:
    real = os.path.realpath(path)
    return real, real


def _existing(given: tuple[str, ...]) -> list[str]:
    paths = {os.path.realpath(os.path.expanduser(os.path.expandvars(path))) for path in given}
    return sorted(path for path in paths if os.path.exists(path))


def _find_program(command: Command) -> str:
    """Return the program by its path inside the sandbox."""
    found = find_executable(command.argv[0], command.env, command.cwd)
    directory, name = os.path.split(found)
    if not directory.startswith("/"):
        return found
    directory = os.path.realpath(directory)
    if directory.startswith(_SYSTEM) or os.path.exists(os.path.join(directory, "python3")):
        # Its own name counts: a virtual environment's python, one of busybox's many.
        return os.path.join(directory, name)
    return os.path.realpath(found)  # such as pipx' link in ~/.local/bin


def _list_installations(words: Sequence[str]) -> list[_Bind]:
    """Return read-only binds of Ansible's installation: virtual environments and the Pythons they are based on."""
    directories = {Path(sys.prefix), Path(sys.base_prefix)}
    # Ansible need not be the first word: an ssh-agent may be what starts it.
    directories.update(Path(word).parent.parent for word in words if word.startswith("/") and os.access(word, os.X_OK))
    found = set()
    for directory in directories:
        python = directory / "bin" / "python3"
        if python.exists():
            found |= {directory, python.resolve().parent.parent}
    return [
        _Bind("--ro-bind", *_same(path))
        for path in sorted(found)
        if path not in _WHOLE and not any(path.is_relative_to(place) for place in _SYSTEM)
    ]
