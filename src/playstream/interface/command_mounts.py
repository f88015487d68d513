"""Mounts for the paths in a command line, so that the command finds them in a container."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_PATH_OPTIONS = {
    "-i",
    "--inventory",
    "--inventory-file",
    "--vault-password-file",
    "--vault-pass-file",
    "--private-key",
    "--key-file",
    "-M",
    "--module-path",
    "--playbook-dir",
    "-c",
    "--config",
    "--become-password-file",
    "--connection-password-file",
}
"""Options of Ansible's programs whose value is a path on this host."""


def find_mounts(words: Sequence[str], cwd: str) -> list[str]:
    """Return mounts, HOST:CONTAINER, for the paths in a command line that are not below `cwd`.

    Paths below `cwd` need no mount, because `cwd` is mounted under its own name.

    Args:
        words: the arguments of the command.
        cwd: the directory that the command runs in.
    """
    mounts = []
    for path in dict.fromkeys(_named_paths(words)):
        full = os.path.abspath(os.path.join(cwd, os.path.expanduser(path)))
        if os.path.exists(full) and not Path(full).is_relative_to(cwd):
            mounts.append(f"{full}:{full}")
    return mounts


def _named_paths(words: Sequence[str]) -> Iterable[str]:
    previous = ""
    for word in words:
        option, equals, value = word.partition("=")
        if previous in _PATH_OPTIONS and "," not in word:
            yield from word.split(":") if previous in {"-M", "--module-path"} else [word]
        elif equals and option in _PATH_OPTIONS and "," not in value:
            yield value
        elif word.startswith("@") and previous in {"-e", "--extra-vars"}:
            yield word[1:]
        elif not word.startswith("-") and word.endswith((".yml", ".yaml")):
            # Mount the directory of a playbook, which contains its roles and files.
            yield os.path.dirname(word) or "."
        previous = word
