"""What a worker tells the other side about itself, before it has a job."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from playstream._version import __version__
from playstream.pipeline.errors import JobError
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import Cancel, Content, Hello, Input, Listing, Offer, Ping, Resize
from playstream.pipeline.protocol.frames import MINOR
from playstream.pipeline.tree.digests import algorithms
from playstream.worker.command import find_executable

_KNOWN = (Cancel, Ping, Input, Resize)
"""Records of the job direction that a sender uses only if they are known."""
_OF_CACHE = (Offer, Listing, Content)
"""Records of an offered tree. With them, `features` names the hash functions."""
_MAX_LINE = 8192
"""Bytes of a program that are read to find its interpreter; the kernel reads 256, and a shell any number."""
_INTERPRETER = re.compile(rb"#!\s*(\S+)(?:[^\S\n]+(\S+))?")
_BY_SHELL = re.compile(rb"#!/bin/sh\n'''exec' (?:\"([^\"\n]+)\"|(\S+))")
"""The first two lines of a program whose interpreter has a long path, or one with spaces, as pip writes it."""
_DISTRIBUTION = r"{}-([\w.!+-]+?)\.(?:dist|egg)-info\Z"


def make_hello(limits: Limits, max_job_seconds: float | None, *, has_cache: bool = False) -> Hello:
    """Return the first record of the results.

    Args:
        limits: the limits of the job's stream.
        max_job_seconds: time after which a job is stopped; None for no limit.
        has_cache: whether a tree may be offered.
    """
    numbers: dict[str, float] = asdict(limits)
    if max_job_seconds is not None:
        numbers["max_job_seconds"] = max_job_seconds
    return Hello(
        MINOR,
        __version__,
        records=tuple(kind.__name__ for kind in (*_KNOWN, *(_OF_CACHE if has_cache else ()))),
        features=algorithms() if has_cache else (),
        limits=numbers,
        python=".".join(map(str, sys.version_info[:3])),
        ansible_core=find_ansible_core(),
    )


def find_ansible_core(program: str = "ansible-playbook") -> str | None:
    """Return the version of the ansible-core that a job would use; None if that is not clear.

    Args:
        program: the name of the program.
    """
    return find_beside_ansible("ansible_core", program)


def find_beside_ansible(package: str, program: str = "ansible-playbook") -> str | None:
    """Return the version of a package that the Python of Ansible has; None if it has none, or that is not clear.

    Ansible is not run to find out, which takes half a second: the version is in the name of a directory beside the
    packages of its interpreter.

    Args:
        package: its name, as in the names of directories.
        program: the name of the program of Ansible.
    """
    try:
        path = find_executable(program, os.environ, Path())
        with Path(path).open("rb") as file:
            interpreter = _read_interpreter(file.read(_MAX_LINE))
    except (JobError, OSError):
        return None
    distribution = re.compile(_DISTRIBUTION.format(package))
    for directory in () if interpreter is None else _package_directories(interpreter):
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        found = [match[1] for name in names if (match := distribution.match(name))]
        if found:
            return found[0]
    return None


def _read_interpreter(beginning: bytes) -> str | None:
    """Return the interpreter of a program from its first bytes; None if it is not clear."""
    if (by_shell := _BY_SHELL.match(beginning)) is not None:
        return os.fsdecode(by_shell[1] or by_shell[2])
    line = _INTERPRETER.match(beginning)
    if line is None:
        return None
    interpreter = os.fsdecode(line[1])
    if os.path.basename(interpreter) == "env" and line[2]:
        return shutil.which(os.fsdecode(line[2]))
    return interpreter


def _package_directories(interpreter: str) -> Iterator[Path]:
    """Yield the directories in which an interpreter looks for packages, as far as its path shows them."""
    prefix = Path(interpreter).parent.parent
    real = Path(os.path.realpath(interpreter))
    version = re.match(r"python(\d+\.\d+)", real.name)
    names = [f"python{version[1]}"] if version else []
    roots = [prefix, Path(os.path.expanduser("~/.local"))] if prefix == Path("/usr") else [prefix]
    for root in roots:
        for name in names:
            yield root / "lib" / name / "site-packages"
    if prefix == Path("/usr"):
        for name in names:
            yield Path("/usr/local/lib") / name / "dist-packages"
        yield Path("/usr/lib/python3/dist-packages")
