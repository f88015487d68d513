"""A job in a container of podman or docker."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import subprocess
from pathlib import Path

from playstream.pipeline.job.ident import ARTIFACTS
from playstream.pipeline.job.isolation import INSIDE, Isolation
from playstream.worker.command import Command
from playstream.worker.environment import SPOOL_VARIABLE
from playstream.worker.isolation import mounts
from playstream.worker.isolation.environment import plan_handover, shell_handover
from playstream.worker.isolation.mounts import Mount
from playstream.worker.isolation.registry import Login, write_login
from playstream.worker.paths import PLUGINS, Paths

SPOOL_LABEL = "playstream.spool"
IDENT_LABEL = "playstream.ident"

_EXITS = {
    125: "the engine itself failed, for example because it has no such image or option",
    126: "the image has no /bin/sh that can be run",
    127: "the image has no /bin/sh",
}
"""Exit statuses of podman and docker that are not those of the command."""
# An image's user may have no home, or one of another user: with `--user 1234` the home is the working directory in
# podman, and / in docker. Ansible and ssh then cannot store their files. A container's terminal also echoes, whatever
# is set on the one outside, so the answer to a prompt would become part of the output.
_START = f'test -w "$HOME" || export HOME={mounts.HOME_INSIDE}; command : 2>/dev/null >{{}}; exec "$@"'
_STOP_ECHO = "stty -echo 2>/dev/null"
# Programs that look up ~user instead of HOME (Ansible's local connection, ssh) find the same directory in the line that
# podman adds to /etc/passwd for a user that the image does not know.
_PASSWD_ENTRY = f"$USERNAME:*:$UID:$GID:$NAME:{mounts.HOME_INSIDE}:/bin/sh"
_FIRST_WITH_PASSWD_ENTRY = (4, 2)
_FOR_ALL = 0o777
"""The mode of what every user inside may write into; on the host the spool around it has mode 0700."""


class Container:
    """A sandbox in a container; see `Sandbox`.

    Args:
        isolation: the isolation that the settings request.
        executable: path of podman or docker.
        paths: the job's paths on this host.
        ident: the job's.
        tty: True if the job's standard streams are a terminal.
        caller: True for the caller's own command, which uses the caller's ssh.

    Raises:
        ConfigurationError: a path to mount is missing, or must not be mounted.
        JobError: a path of the job cannot be mounted.
        OSError: a file of the sandbox cannot be written.
    """

    inherits_env = False

    def __init__(
        self,
        isolation: Isolation,
        executable: str,
        paths: Paths,
        ident: str,
        *,
        tty: bool,
        echo: bool = False,
        caller: bool = False,
    ) -> None:
        self._isolation = isolation
        self._executable = executable
        self._paths = paths
        self._ident = ident
        self._tty = tty
        self._echo = echo
        self._podman = isolation.engine == "podman"
        self.name = f"playstream_{re.sub('[^A-Za-z0-9_-]', '_', ident)[:64]}_{secrets.token_hex(4)}"
        """Unlike ansible-runner's, not only the ident, so that two runs with the same ident do not conflict."""
        job_mounts = mounts.list_job_mounts(paths, ident)
        self._host_cwd = mounts.mount_host_cwd(isolation)
        host_cwd = [] if self._host_cwd is None else [self._host_cwd]
        ssh, self._callers_env = find_callers_ssh() if caller else ([], {})
        self._for_caller = caller
        asked = mounts.list_asked_mounts(isolation)
        self._mounts = mounts.merge([*job_mounts, *host_cwd, *ssh, *asked])
        self._login = Login()
        if isolation.auth is not None:
            self._login = write_login(isolation.engine, isolation.auth, paths.spool / "registry")
        mounts.copy_plugins(paths.run_dir)
        (paths.run_dir / mounts.HOME_INSIDE.name).mkdir()

    @property
    def nests_terminal(self) -> bool:
        """True if the engine makes a terminal in the container."""
        return self._tty

    @property
    def cleanup(self) -> tuple[tuple[str, ...], ...]:
        """Commands that remove the container in any state. podman's stop timeout of 0 makes that immediate."""
        ignore = ("--ignore",) if self._podman else ()
        commands: list[tuple[str, ...]] = [
            (self._executable, *self._login.global_options, "rm", "--force", *ignore, self.name)
        ]
        if self._podman and os.geteuid() != 0:
            # Without root, the image's users other than root have ids of a range that only podman can use. Their files
            # are given to the worker's user, which could neither read nor remove them.
            places = (self._paths.run_dir, self._paths.artifact_dir, self._paths.private_data_dir)
            owned = [str(place) for place in places if place.is_relative_to(self._paths.spool)]
            commands.append((self._executable, "unshare", "chown", "--recursive", "--no-dereference", "0:0", *owned))
        return tuple(commands)

    def seen(self, path: Path) -> Path:
        """Return a path of this host as the job sees it; the same path if it is not mounted."""
        if path.is_relative_to(PLUGINS):
            return mounts.PLUGINS_INSIDE / path.relative_to(PLUGINS)
        found = [(mount, inside) for mount in self._mounts if (inside := mount.seen(path)) is not None]
        if found:
            # The deepest mount hides the others.
            return max(found, key=lambda pair: len(pair[0].host))[1]
        if path.is_relative_to(self._paths.private_data_dir):
            return INSIDE / path.relative_to(self._paths.private_data_dir)
        return path

    def enclose(self, command: Command, *, tty: bool = True) -> Command:
        """Return the engine's command that runs `command` in a new container; see `Sandbox.enclose`."""
        tty = tty and self._tty
        workdir = self._isolation.workdir or (self._host_cwd.inside if self._host_cwd else str(command.cwd))
        engine = {**os.environ, **self._login.env, SPOOL_VARIABLE: str(self._paths.spool)}
        job = {**self._default_env(), **self._callers_env, **command.env}
        handover = plan_handover(job, engine, through_shell=True)
        words = [self._executable, *self._login.global_options, "run", "--rm"]
        words += ["--tty"] if tty else []
        words += ["--interactive", "--workdir", workdir]
        for mount in self._mounts:
            words += mount.words
        words += self._login.options
        by_value = (f"{name}={value}" for name, value in handover.by_value.items())
        for variable in (*handover.by_name, *handover.neutral_names.values(), handover.more, *by_value):
            words += ["--env", variable]
        words += ["--quiet"] if self._podman else [f"--user={os.getuid()}"]
        if self._podman and _read_version(self._executable) >= _FIRST_WITH_PASSWD_ENTRY:
            words.append(f"--passwd-entry={_PASSWD_ENTRY}")
        if self._podman and self._for_caller:
            words += ["--group-add=root", "--ipc=host"]
        words += ["--name", self.name]
        words += ["--label", f"{IDENT_LABEL}={self._ident}", "--label", f"{SPOOL_LABEL}={self._paths.spool}"]
        # The output is read here: a copy in the engine's log would leave secrets on its disk.
        words += ["--stop-timeout=0", "--log-driver=none"]
        words += [*self._isolation.options, self._isolation.image]
        start = [
            *([_STOP_ECHO] if tty and not self._echo else []),
            shell_handover(handover.prefix),
            _START.format(self.seen(self._paths.started)),
        ]
        words += ["/bin/sh", "-c", "; ".join(start), "sh", *handover.renamed, "--", *command.argv]
        return Command(tuple(words), job, Path.cwd(), handover)

    @property
    def started(self) -> bool:
        """Whether the engine has started the command, and not something else."""
        return self._paths.started.exists()

    def forget_start(self) -> None:
        """Remove the file that shows that a command was started, and what the command has left in its home directory.

        With podman and without root, its files were given to this user, so that the next command could not use them.
        """
        self._paths.started.unlink(missing_ok=True)
        home = self._paths.run_dir / mounts.HOME_INSIDE.name
        if home.is_symlink():
            home.unlink()  # whatever has run inside may have put it there
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(exist_ok=True)

    def explain_exit(self, status: int | None) -> str:
        """Return why the engine has probably exited with a status; see `Sandbox.explain_exit`."""
        return _EXITS.get(
            status or 0,
            "its /bin/sh could not write to the run directory, or the image's entrypoint ran something else. Check it, "
            "and container_options",
        )

    def _default_env(self) -> dict[str, str]:
        # As in ansible-runner: extended attributes fail with fuse-overlayfs, and Ansible needs this to fall back.
        return {"ANSIBLE_UNSAFE_WRITES": "1"} if self._podman else {}

    def share(self) -> None:
        """Open the run directory and the artifacts to every user; see `Sandbox.share`.

        On the host no other user can reach them, because the spool has mode 0700. Artifacts in a directory of the user
        that others can enter stay closed; then only root inside can write facts there, as with ansible-runner. No
        directory is sticky, because in a sticky one the kernel prevents users from opening each other's pipes
        (fs.protected_fifos).
        """
        fact_cache = self._paths.artifact_dir / "fact_cache"
        fact_cache.mkdir(mode=0o700, exist_ok=True)
        if _is_private(self._paths.artifact_dir.parent):
            _open_directory(self._paths.artifact_dir)
            _open_directory(fact_cache)
        _open_tree(self._paths.run_dir)
        # Sockets of an ssh-agent and of shared connections are created in the run directory.
        for directory in (self._paths.run_dir, self._paths.run_dir / mounts.HOME_INSIDE.name):
            _open_directory(directory)
        if self._paths.private_data_dir.is_relative_to(self._paths.spool):
            for item in self._paths.private_data_dir.iterdir():
                if item.is_dir() and not item.is_symlink() and item.name != ARTIFACTS:
                    item.chmod(stat.S_IMODE(item.stat().st_mode) | 0o055)


def _read_version(podman: str) -> tuple[int, ...]:
    """Return podman's version as numbers; (0,) if podman does not report it."""
    try:
        done = subprocess.run([podman, "--version"], check=False, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"(\d+)\.(\d+)", done.stdout)
    return tuple(int(number) for number in found.groups()) if found else (0,)


def _is_private(directory: Path) -> bool:
    return any(not item.stat().st_mode & 0o011 for item in (directory, *directory.parents))


def _open_directory(directory: Path) -> None:
    """Let every user create files in a directory. A link that something inside has put there is not followed."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(fd, _FOR_ALL)
    finally:
        os.close(fd)


def _open_tree(directory: Path) -> None:
    """Let every user read the files in a directory and write into its pipes."""
    for item in directory.iterdir():
        kind = item.lstat().st_mode
        if stat.S_ISFIFO(kind):
            item.chmod(0o666)
        elif stat.S_ISREG(kind):
            item.chmod(0o644)
        elif stat.S_ISDIR(kind):
            _open_tree(item)
    directory.chmod(0o755)


_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
_SSH_PLACES = ("/home/runner/.ssh", "/root/.ssh")
"""Homes in images for Ansible and in other images."""


def find_callers_ssh() -> tuple[list[Mount], dict[str, str]]:
    """Return mounts and variables for the caller's keys and configuration, known hosts and agent, if they exist."""
    mounts = []
    ssh = os.path.expanduser("~/.ssh")
    if os.path.isdir(ssh):
        mounts += [Mount(ssh, place) for place in _SSH_PLACES]
    if os.path.isfile(_KNOWN_HOSTS):
        mounts.append(Mount(_KNOWN_HOSTS, _KNOWN_HOSTS))
    agent = os.environ.get("SSH_AUTH_SOCK", "")
    if not agent or not os.path.exists(agent):
        return mounts, {}
    return [*mounts, Mount(agent, agent)], {"SSH_AUTH_SOCK": agent}
