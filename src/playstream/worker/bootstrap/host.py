"""What the other side needs to know about the host."""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any

from playstream.worker.bootstrap.talk import Failure


def find_place() -> str:
    """Return the directory for everything that is sent, in the user's cache.

    Raises:
        Failure: the user has none.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise Failure(
                f"the home directory there is {home!a}, which is not an absolute path. Correct HOME there, or set "
                "XDG_CACHE_HOME"
            )
        cache = os.path.join(home, ".cache")
    return os.path.join(cache, "playstream", "bootstrap")


def gather_facts(place: str) -> dict[str, Any]:
    """Return what the other side needs to know about this host."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    machine = os.uname().machine
    if sys.maxsize < 2**32:
        machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    found = place
    while not os.path.isdir(found):
        found = os.path.dirname(found)
    space = os.statvfs(found)
    return {
        "version": list(sys.version_info[:3]),
        "suffix": EXTENSION_SUFFIXES[0],
        "machine": machine,
        "libc": find_libc(),
        "python": sys.executable,
        "base": os.path.realpath(base),
        "place": place,
        "free": space.f_bavail * space.f_frsize,
        "noexec": bool(space.f_flag & os.ST_NOEXEC),
        "readonly": bool(space.f_flag & os.ST_RDONLY),
    }


def find_libc() -> list[Any]:
    """Return the name and the version of the C library."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name = version = ""
    if not name and "musl" in EXTENSION_SUFFIXES[0]:
        name, version = "musl", find_musl_version()
    numbers = [int(number) for number in version.split(".")[:2] if number.isdecimal()]
    return [name, *numbers]


def find_musl_version() -> str:
    """Return the version that the loader of musl prints when it is called without a program."""
    import glob  # noqa: PLC0415 - only needed with musl
    import subprocess  # noqa: PLC0415

    for loader in glob.glob("/lib/ld-musl-*.so.1"):
        text = subprocess.run([loader], capture_output=True, text=True, check=False).stderr
        for line in text.splitlines():
            if line.startswith("Version "):
                return line.removeprefix("Version ")
    return "1.1"
