"""What a job needs at the other end of a link, and whether it is there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playstream.galaxy.requirements import find_requirements
from playstream.links.inquiry import Findings
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.galaxy import Installed
from playstream.pipeline.job.inputs import read_settings
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.versions import accepts

PROJECT = "project"
"""The directory of playbooks in a private data directory."""
OLDEST_CORE = (2, 15)
"""The oldest ansible-core that is tested."""
_CLOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What a private data directory needs."""

    size: int = 0
    """Bytes of the files that are sent."""
    collections: dict[str, str] = field(default_factory=dict)
    """Collections by name, with the versions that are accepted, such as `>=1.0.0,<2.0.0`; `*` for any."""
    engine: str | None = None
    """The program for isolation that the settings choose."""


def read_needs(directory: Path, installed: Installed | None = None) -> Needs:
    """Return what a private data directory needs.

    Args:
        directory: the private data directory.
        installed: the collections and roles that travel with it; None if they have to be there.

    Raises:
        ConfigurationError: there is no such directory, or one of its files cannot be read.
    """
    if not os.path.isdir(directory):
        raise ConfigurationError(f"--job: expected a private data directory, got {str(directory)!r}, which is none")
    collections: dict[str, str] = {}
    for file in find_requirements(directory / PROJECT) if installed is None else ():
        collections |= file.versions
    isolation = read_isolation(str(directory / "env" / "settings"), read_settings(directory))
    size = _size_of(directory) + (0 if installed is None else _size_of(installed.directory))
    return Needs(size, collections, None if isolation is None else isolation.executable)


def _size_of(directory: Path) -> int:
    """Return the bytes of the files of a directory that are sent."""
    ignore = Ignore.for_directory(directory, ())
    return sum(_sizes(directory, b"", ignore))


def _sizes(directory: Path, prefix: bytes, ignore: Ignore) -> Iterator[int]:
    try:
        entries = list(os.scandir(directory))
    except OSError as error:
        raise ConfigurationError(f"{str(directory)!r} cannot be read: {error.strerror}") from None
    for entry in entries:
        path = prefix + os.fsencode(entry.name)
        is_directory = entry.is_dir(follow_symlinks=False)
        if ignore.ignored(path, is_directory):
            continue
        if is_directory:
            yield from _sizes(Path(entry.path), path + b"/", ignore)
        elif entry.is_file(follow_symlinks=False):
            yield entry.stat(follow_symlinks=False).st_size


def find_problems(found: Findings, needs: Needs) -> Iterator[str]:
    """Yield why a job would not run at the other end of a link; nothing if it would.

    Args:
        found: what is there.
        needs: what the job needs.
    """
    if found.error is not None:
        yield found.error
        return
    hello = found.hello
    if hello is None:
        yield "the worker does not say what it is: it is older than this playstream. Update it there"
        return
    if hello.ansible_core is None:
        yield "Ansible was not found there. Install ansible-core beside playstream, or send it with --bootstrap=ansible"
    limit: Any = hello.limits.get("max_tree_bytes")
    if isinstance(limit, int) and needs.size > limit:
        yield f"the directory has {needs.size} bytes, and the worker accepts {limit} (its --max-tree-bytes)"
    if found.free_bytes is not None and needs.size > found.free_bytes:
        yield f"the directory has {needs.size} bytes, and {found.free_bytes} are free where jobs are unpacked (TMPDIR)"
    if needs.engine is not None and os.path.basename(needs.engine) not in found.engines:
        yield f"{needs.engine}, which env/settings chooses for isolation, was not found there"
    yield from _missing_collections(found, needs)


def _missing_collections(found: Findings, needs: Needs) -> Iterator[str]:
    if needs.collections and found.collections is None:
        yield "the collections there cannot be listed: ansible-galaxy failed"
        return
    for name, wanted in needs.collections.items():
        version = (found.collections or {}).get(name)
        if version is None:
            yield f"the collection {name} is not installed there, and requirements.yml names it"
        elif not accepts(wanted, version):
            yield f"the collection {name} is {version} there, and requirements.yml wants {wanted}"


def find_warnings(found: Findings) -> Iterator[str]:
    """Yield what may cause trouble although a job would run."""
    core = None if found.hello is None else found.hello.ansible_core
    numbers = None if core is None else re.match(r"(\d{1,9})\.(\d{1,9})", core)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < OLDEST_CORE:
        yield f"ansible-core {core} there is older than {'.'.join(map(str, OLDEST_CORE))}, the oldest that is tested"
    if found.clock_seconds is not None and abs(found.clock_seconds) > _CLOCK_SECONDS:
        where = "ahead of" if found.clock_seconds > 0 else "behind"
        yield f"the clock there is {abs(found.clock_seconds):.0f} seconds {where} this one: times of events differ"
