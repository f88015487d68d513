"""A job with its own view of the file system, made with bubblewrap (bwrap)."""

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
"""Read-only inside, if they exist. Nothing else of the host is visible unless the settings request it."""
_WHOLE = (Path("/"), Path("/home"), Path("/root"), Path("/tmp"), Path("/var"))  # noqa: S108 - not used for files
"""Directories that are never the directory of an installation."""


@dataclass(frozen=True, slots=True)
class _Bind:
    option: str
    source: str
    place: str


class Bubblewrap:
    """A sandbox of bubblewrap; see `Sandbox`.

    Args:
        isolation: the isolation that the settings request.
        executable: path of bwrap.
        paths: the job's paths on this host.
    """

    inherits_env = True
    nests_terminal = False
    cleanup: tuple[tuple[str, ...], ...] = ()
    """Empty, because every process inside ends with bwrap, and all directories are in the spool."""

    def __init__(self, isolation: Isolation, executable: str, paths: Paths) -> None:
        self._isolation = isolation
        self._executable = executable
        self._paths = paths
        self._room = paths.spool / "sandbox"
        self._made = 0

    @property
    def started(self) -> bool:
        """Whether bwrap has started the command: it exits with 1 if it cannot, as Ansible may."""
        return self._paths.started.exists()

    def forget_start(self) -> None:
        """Remove the file that shows that a command was started."""
        self._paths.started.unlink(missing_ok=True)

    def explain_exit(self, status: int | None) -> str:  # noqa: ARG002 - bwrap has one for everything
        """Return why bwrap has probably exited; see `Sandbox.explain_exit`."""
        return "it failed itself, for example because the kernel does not allow user namespaces"

    def seen(self, path: Path) -> Path:
        """Return the path without links, because the links of the host do not exist inside."""
        return Path(os.path.realpath(path))

    def share(self) -> None:
        """Do nothing, because the job runs as the worker's user."""

    def enclose(self, command: Command, *, tty: bool = True) -> Command:  # noqa: ARG002 - it makes no terminal
        """Return the bwrap command that runs `command`.

        Raises:
            ExecutableNotFound: the program is not on this host.
            OSError: the private directories cannot be created.
        """
        self._room.mkdir(mode=0o700, exist_ok=True)
        words = [self._executable, "--die-with-parent", "--unshare-pid"]
        for name in _SYSTEM:
            if os.path.islink(name):
                words += ["--symlink", os.readlink(name), name]
            elif os.path.isdir(name):
                words += ["--ro-bind", name, name]
        # The file for name resolution may be a link to a directory that is not visible otherwise.
        resolver = os.path.realpath("/etc/resolv.conf")
        if os.path.isfile(resolver) and not resolver.startswith("/etc/"):
            words += ["--ro-bind", resolver, resolver]
        # All of /dev, because the job's terminal is one of the host's.
        words += ["--dev-bind", "/dev", "/dev", "--proc", "/proc"]
        program = _find_program(command)
        installed = _list_installations((program, *command.argv[1:]))
        binds = [*self._private_places(command), *installed, *self._asked_places(), *self._job_places()]
        # Deeper paths are mounted later; of two mounts at one path the later in the list wins.
        for bind in sorted(binds, key=lambda bind: bind.place.rstrip("/").count("/")):
            words += [bind.option, bind.source, bind.place]
        own = {name: value for name, value in os.environ.items() if name in command.env}
        handover = plan_handover(command.env, own, through_shell=False)
        words += ["--chdir", os.path.realpath(command.cwd), *self._give_variables(handover), program, *command.argv[1:]]
        return Command(tuple(words), command.env, command.cwd, handover)

    def _give_variables(self, handover: Handover) -> list[str]:
        """Return the program that restores the names of the job's variables."""
        directory, name = os.path.split(find_python())
        words = [os.path.join(os.path.realpath(directory), name), "-I", "-S", "-c", PYTHON_HANDOVER]
        return [
            *words,
            str(self.seen(self._paths.started)),
            handover.prefix,
            str(len(handover.renamed)),
            *handover.renamed,
        ]

    def _private_places(self, command: Command) -> list[_Bind]:
        """Return private empty directories in the spool: for temporary files, and a home instead of the user's."""
        places = dict.fromkeys(["/tmp", os.path.realpath(self._isolation.isolation_path)], 0o1777)  # noqa: S108 - private
        home = command.env.get("HOME", "")
        if home.startswith("/") and os.path.realpath(home) != "/":
            places[os.path.realpath(home)] = 0o700
        return [_Bind("--bind", str(self._make_empty(stat.S_IFDIR | mode)), place) for place, mode in places.items()]

    def _asked_places(self) -> list[_Bind]:
        """Return hidden, read-only and shown paths that exist; later ones take precedence."""
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
        if paths.galaxy is not None and not paths.galaxy.is_relative_to(paths.private_data_dir):
            binds.append(_Bind("--ro-bind", *_same(paths.galaxy)))
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
        # The name of the link matters: a virtual environment's python, a program of busybox.
        return os.path.join(directory, name)
    return os.path.realpath(found)  # such as a link of pipx in ~/.local/bin


def _list_installations(words: Sequence[str]) -> list[_Bind]:
    """Return read-only binds of Ansible's installation: virtual environments and the Pythons that they use."""
    directories = {Path(sys.prefix), Path(sys.base_prefix)}
    # Ansible need not be the first argument: an ssh-agent may start it.
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
