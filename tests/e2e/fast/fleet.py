"""Hosts that are reached by a real sshd, and what is left on them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.processes import children, marked_processes, wait_until
from tests.sshd import Sshd, with_terminals

# mitogen knows hosts by their addresses: two names of one would share an interpreter, which does one thing at a time.
_CONFIG = """\
ListenAddress 127.0.0.2
ListenAddress 127.0.0.3
PasswordAuthentication no
MaxStartups 100:30:200
MaxSessions 100
Subsystem sftp internal-sftp
SetEnv PLAYSTREAM_TEST_HOST={directory} TMPDIR={temporary} TEMP={temporary} PATH={path}
"""
LINGER = """\
import time
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"started": {"type": "path"}})
open(module.params["started"], "w").close()
time.sleep(600)
"""
"""A module that says when it is at work, and does not end."""


def system_python() -> str:
    """Return the Python of the operating system, which every user may start."""
    return shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"


class Fleet(Sshd):
    """Three hosts, h1 to h3, that are one server, and one that nobody answers for.

    Args:
        directory: for the files of the server.
        config: further lines of its configuration.
        before: words to start it with.
    """

    def __init__(self, directory: Path, config: str = "", before: Sequence[str] = ()) -> None:
        directory.mkdir(exist_ok=True)
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.temporary.chmod(0o1777)
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        text = _CONFIG.format(directory=directory, temporary=self.temporary, path=path)
        super().__init__(directory, text + config, before=[*with_terminals(directory), *before])
        self._mark = f"PLAYSTREAM_TEST_HOST={directory}".encode()

    def inventory(self, *more: str) -> str:
        """Return the text of an inventory, with further variables for all hosts."""
        lines = (
            "[web]",
            *(f"h{number} ansible_host=127.0.0.{number}" for number in (1, 2, 3)),
            "[lost]",
            "nowhere ansible_host=127.0.0.1 ansible_port=1 ansible_timeout=5",
            "[all:vars]",
            f"ansible_port={self.port}",
            f"ansible_ssh_private_key_file={self.user_key}",
            f"ansible_python_interpreter={sys.executable}",
            f"ansible_remote_tmp={self.temporary}/ansible",
            "ansible_host_key_checking=false",
            *more,
        )
        return "\n".join(lines) + "\n"

    def processes(self) -> list[int]:
        """Return the processes on the hosts: sessions of the server, and what they have started, wherever it is now."""
        found = set(children(self.pid))
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if self._mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    found.add(int(name))
            except OSError:
                continue  # it has ended
        return sorted(found)

    def left(self) -> list[str]:
        """Return what is left in the directories for temporary files, without the one that Ansible keeps empty."""
        return sorted(
            str(path.relative_to(self.temporary))
            for path in self.temporary.rglob("*")
            if not path.name.startswith("ansible-of-") and path.name != "ansible"
        )


def assert_nothing_is_left(fleet: Fleet, temporary: Path) -> None:
    """Wait for the hosts, which notice the end of a connection a moment later."""
    wait_until(lambda: fleet.processes() == [])
    wait_until(lambda: fleet.left() == [])
    assert marked_processes(temporary) == []
    assert list(temporary.iterdir()) == []
