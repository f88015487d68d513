"""What a command line names on this host, so that the command finds it in a container too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_PATH_OPTIONS = {
    "-i", "--inventory", "--inventory-file", "--vault-password-file", "--vault-pass-file", "--private-key",
    "--key-file", "-M", "--module-path", "--playbook-dir", "-c", "--config", "--become-password-file",
    "--connection-password-file",
}
"""Options of Ansible's programs whose value is a path on this host."""


def find_mounts(words: Sequence[str], cwd: str) -> list[str]:
    """Mounts, HOST:CONTAINER, for the paths that a command line names and that are not below `cwd`.

    What is below `cwd` is there already, because that is mounted under its own name.

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
            # A playbook is found together with the roles and files beside it.
            yield os.path.dirname(word) or "."
        previous = word
