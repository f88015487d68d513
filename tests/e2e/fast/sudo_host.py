"""A host with a real sudo: its own users and its own /etc/sudoers, in a mount namespace of its sshd."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from tests.e2e.fast.fleet import Fleet

USER, PASSWORD = "tester", "let me in"
"""The user who is logged in, and the password for sudo. The user exists on these hosts only."""
_ID = 61234
_SUDOERS = """\
Defaults env_reset, !mail_badpass, !mail_no_user, lecture=never, !syslog, logfile={directory}/sudo.log, loglinelen=0
Defaults env_keep += "PLAYSTREAM_TEST_HOST TEMP"
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) NOPASSWD: ALL
"""
WITHOUT_PASSWORD = f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n"
WITH_PASSWORD = f"{USER} ALL=(ALL:ALL) ALL\n"
REQUIRED = "Defaults requiretty\n"
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"
"""A Python that every user can run."""
_QUESTION = "readlink /proc/self/fd/1"


class SudoHost(Fleet):
    """One host, with a user who may use sudo. Only root can start it.

    Args:
        directory: for the files of the server. Other users must be able to enter it.
        sudoers: further lines of its /etc/sudoers.
    """

    def __init__(self, directory: Path, sudoers: str) -> None:
        directory.mkdir()
        home = directory / "home"
        home.mkdir()
        shutil.chown(home, _ID, _ID)
        word = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True).stdout
        for name, line in (
            ("passwd", f"{USER}:x:{_ID}:{_ID}::{home}:/bin/sh\n"),
            ("group", f"{USER}:x:{_ID}:\n"),
            ("shadow", f"{USER}:{word.strip()}:20000:0:99999:7:::\n"),
        ):
            (directory / name).write_text(Path("/etc", name).read_text() + line)
        (directory / "shadow").chmod(0o600)
        self._sudoers = directory / "sudoers"
        self._sudoers.touch(0o440)
        mounts = [f"mount --bind {shlex.quote(f'{directory}/{name}')} /etc/{name}" for name in _FILES]
        # Where sudo notes who has given a password.
        mounts += ["mkdir -p /run/sudo", "mount -t tmpfs -o mode=711 tmpfs /run/sudo"]
        script = " && ".join([*mounts, 'exec "$@"'])
        before = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
        self.directory = directory
        self.allow(sudoers)
        super().__init__(directory, before=before)

    def allow(self, sudoers: str) -> None:
        """Replace the lines of /etc/sudoers that are not the same for all hosts."""
        self._sudoers.write_text(_SUDOERS.format(directory=self.directory) + sudoers)

    def line(self, name: str, *more: str, user: str = USER) -> str:
        """Return the line of an inventory for this host, by which it is called `name`."""
        words = (
            name,
            "ansible_host=127.0.0.2",
            f"ansible_port={self.port}",
            f"ansible_user={user}",
            f"ansible_ssh_private_key_file={self.user_key}",
            f"ansible_python_interpreter={PYTHON}",
            f"ansible_remote_tmp={self.temporary}/ansible-of-{user}",
            "ansible_host_key_checking=false",
            "ansible_timeout=60",  # also the time that Ansible waits for sudo
            *more,
        )
        return " ".join(words) + "\n"

    def sudos(self) -> list[str]:
        """Return what sudo has logged: a line for each command, also for one that it has refused."""
        log = self.directory / "sudo.log"
        return log.read_text().splitlines() if log.exists() else []

    def questions(self) -> int:
        """Return how often the host was asked whether sudo works without a terminal."""
        return sum(_QUESTION in line for line in self.sudos())

    def terminals(self) -> set[str]:
        """Return on what the other commands have run: `unknown` is no terminal."""
        found = {line.partition("TTY=")[2].partition(" ;")[0] for line in self.sudos() if _QUESTION not in line}
        return {"unknown" if name in ("unknown", "") else "terminal" for name in found}


_FILES = ("passwd", "group", "shadow", "sudoers")
