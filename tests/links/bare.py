"""A host that has Python and no playstream, reached by ssh, and wheels to send there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from playstream.links.bootstrap.sending import ANSIBLE, REQUIREMENTS
from tests.links.hosts import Host
from tests.processes import wait_until

PLAIN_PATH = "/usr/bin:/bin"
SYSTEM_PYTHON = "/usr/bin/python3"


def find_python() -> str:
    """Return a Python that has no packages of the tests: Debian's own, or that of this virtual environment."""
    done = subprocess.run([SYSTEM_PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False)
    return SYSTEM_PYTHON if done.returncode == 0 else os.path.realpath(sys.executable)


def fill(directory: Path, *, ansible: bool) -> Path:
    """Collect the wheels for this Python, as pip is configured here."""
    wanted = [*REQUIREMENTS, *([ANSIBLE] if ansible else [])]
    words = [sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:", "-d", str(directory), *wanted]
    subprocess.run(words, check=True, timeout=300)
    return directory


class BareHost:
    """A host whose user has an empty home directory.

    Args:
        host: the server.
        place: a directory for the home directory, and for programs on the PATH.
    """

    def __init__(self, host: Host, place: Path) -> None:
        self.host = host
        self.home = place / "home"
        self.home.mkdir(mode=0o700)
        self.programs = place / "on-path"
        self.programs.mkdir()
        (self.programs / "python3").symlink_to(find_python())
        self.set_login()

    @property
    def cache(self) -> Path:
        """Where everything is that was sent."""
        return self.home / ".cache" / "playstream" / "bootstrap"

    @property
    def sent(self) -> Path:
        """The one directory that was sent."""
        (found,) = self.cache.iterdir()
        return found

    def set_login(self, *lines: str, path: str = "") -> None:
        """Set what the host does before a command, as lines of sh, and its PATH."""
        noise = "\n".join([f"HOME={shlex.quote(str(self.home))}; export HOME", *lines])
        self.host.set_login(noise=noise, path=path or f"{self.programs}:{PLAIN_PATH}")

    def add_program(self, path: Path, name: str = "") -> None:
        """Put a program on the PATH of the host."""
        (self.programs / (name or path.name)).symlink_to(path)

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Return mode, owner and content of everything in the home directory."""
        found = {}
        for path in sorted(self.home.rglob("*")):
            about = path.lstat()
            content = os.fsencode(os.readlink(path)) if path.is_symlink() else b""
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
            found[str(path.relative_to(self.home))] = (about.st_mode, about.st_uid, content)
        return found

    def processes(self) -> list[int]:
        """Return the processes of the host's sessions: those with its home directory in their environment."""
        mark = b"HOME=" + os.fsencode(self.home) + b"\0"
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass  # it has ended
        return found

    def wait_until_quiet(self) -> None:
        """Wait until no process of the host is left."""
        wait_until(lambda: self.processes() == [])


def hide_standard_modules(*names: str) -> str:
    """Return a command before another one, for which modules of the host's Python do not exist."""
    place = subprocess.run(
        [find_python(), "-S", "-c", "import os; print(os.path.dirname(os.__file__))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    hidden = [shlex.quote(f"{place}/{name}") for name in names if Path(place, name).is_dir()]
    return "; ".join(f"mount -t tmpfs none {path}" for path in hidden)


def copy_wheels(source: Path, target: Path, *names: str) -> Path:
    """Copy the wheels whose names begin so."""
    target.mkdir()
    for path in source.glob("*.whl"):
        if path.name.lower().startswith(names):
            shutil.copy(path, target)
    return target
