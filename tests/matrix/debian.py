"""A Debian of another release as a directory: made by debootstrap, entered by unshare and chroot. Both need root."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PLACE = ROOT / ".cache" / "debian"
_PYTHON = ("python3", "python3-venv", "ca-certificates")
_ENTER = """
root=$1 checkout=$2; shift 2
mount --bind "$root" "$root"  # so that / is a mount inside: unshare, bwrap and podman want that
mkdir -p "$root$checkout"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mount --rbind "$checkout" "$root$checkout"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
exec chroot "$root" env -C "$checkout" "$@"
"""
_QUIET = "PODMAN_IGNORE_CGROUPSV1_WARNING=1"  # of podman 5, about this host's kernel; tests read what it says
_KEPT = ("LANG", "LC_ALL", "TERM", "HYPOTHESIS_PROFILE")
"""Of this host's environment: the rest names places that the other Debian has not got."""


class Unprepared(Exception):
    """An environment could not be made; the message says why."""


@dataclass(frozen=True)
class Debian:
    """One release: its name in the archive, its number, and its Python."""

    name: str
    number: int
    python: tuple[int, int]

    @property
    def root(self) -> Path:
        """The directory that is its /."""
        return _PLACE / self.name


RELEASES = (Debian("trixie", 13, (3, 13)), Debian("bookworm", 12, (3, 11)))


def reason_against() -> str | None:
    """What stands against a Debian of another release on this machine; None when nothing does."""
    if os.geteuid() != 0:
        return "only root can make and enter a Debian that has one"
    missing = [name for name in ("debootstrap", "unshare", "chroot", "apt-get") if shutil.which(name) is None]
    return f"a Debian that has one needs {' and '.join(missing)} here" if missing else None


def prepare(debian: Debian, packages: Sequence[str]) -> None:
    """Make the directory, or bring it up to date: with Python and these packages.

    Raises:
        Unprepared: it cannot be made.
    """
    _PLACE.mkdir(parents=True, exist_ok=True)
    made = debian.root / "made"  # the mark comes last: a directory without it is one whose making was broken off
    with (_PLACE / f"{debian.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(debian.root, ignore_errors=True)
            words = ["debootstrap", "--variant=minbase", f"--include={','.join(_PYTHON)}"]
            do([*words, debian.name, str(debian.root), _archive()], f"debootstrap cannot make Debian {debian.number}")
            policy = debian.root / "usr" / "sbin" / "policy-rc.d"
            policy.write_text("#!/bin/sh\nexit 101\n")  # Debian's way to let packages start no services
            policy.chmod(0o755)
            made.touch()
        if set(packages) - set(made.read_text().split()):
            install = "apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends"
            command = ["sh", "-c", f'DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; {install} "$@"', "-"]
            do(inside(debian, [*command, *packages]), f"apt-get cannot install packages in Debian {debian.number}")
            made.write_text("\n".join(packages) + "\n")


def inside(debian: Debian, command: Sequence[str]) -> list[str]:
    """The command as it runs in that Debian, in this checkout; mounts end with it."""
    kept = [f"{name}={os.environ[name]}" for name in _KEPT if name in os.environ]
    own = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", *kept, _QUIET]
    enter = ["unshare", "--mount", "--propagation", "slave", "sh", "-ec", _ENTER, "enter", str(debian.root), str(ROOT)]
    return [*enter, "-i", *own, *command]


def do(command: Sequence[str], trouble: str) -> str:
    """Run a command and return its output.

    Raises:
        Unprepared: it fails.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise Unprepared(f"{trouble}\n$ {' '.join(command)}\n{last}")
    return done.stdout


def _archive() -> str:
    """The archive that this machine's own packages come from.

    Raises:
        Unprepared: apt-get knows of none.
    """
    wanted = ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    found = [line.split() for line in do(wanted, "apt-get does not tell where packages come from").splitlines()]
    name = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    for codename, component, address in found:
        if (codename, component) == (name, "main"):
            return address
    raise Unprepared(
        f"expected an archive of {name or 'Debian'} among those that apt-get knows, got "
        f"{', '.join(' '.join(line) for line in found) or 'none'}. Is this a Debian with /etc/apt/sources.list?"
    )
