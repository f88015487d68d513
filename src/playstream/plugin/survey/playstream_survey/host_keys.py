# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether ssh would accept a host's key without a question, by its own configuration (`ssh -G`) and known hosts.

mitogen runs ssh with `StrictHostKeyChecking yes` before the user's arguments, so a host whose key is not known, or is
not to be checked, is unreachable for it.
"""

from __future__ import annotations

import base64
import fnmatch
import functools
import hashlib
import hmac
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

UNCHECKED = "unchecked"
"""ssh would accept any key."""
UNKNOWN = "unknown"
"""ssh would ask, because it does not know the key."""
UNCLEAR = "unclear"
"""ssh cannot be asked, or finds keys in another way than by files."""
_CHECKED = ("true", "yes", "ask")
_ACCEPTED_WITHOUT_FILE = ("knownhostscommand", "verifyhostkeydns")
_THREADS = 8
_SECONDS = 20
_MAX_FILE = 8 << 20
_HASHED = "|1|"


@dataclass(frozen=True)
class Target:
    """A host as ssh is given it."""

    name: str
    """Its name in the inventory."""
    address: str
    port: str | None
    user: str | None
    args: tuple[str, ...]
    """The arguments of the user for ssh."""
    executable: str


def check(targets: Sequence[Target]) -> dict[str, str]:
    """Return what is in the way, and the name of one host for each."""
    found: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for target, problem in zip(targets, pool.map(_check, targets)):
            if problem is not None:
                found.setdefault(problem, f"host {target.name}")
    return found


def _check(target: Target) -> str | None:
    options = _ask_ssh(target)
    if options is None:
        return UNCLEAR
    strict = options.get("stricthostkeychecking", "ask")
    if strict not in _CHECKED:
        return UNCHECKED
    if any(options.get(name, "no") not in ("no", "none", "false") for name in _ACCEPTED_WITHOUT_FILE):
        return UNCLEAR
    name = options.get("hostkeyalias") or options.get("hostname") or target.address
    port = options.get("port", "22")
    if not options.get("hostkeyalias") and port != "22":
        name = f"[{name}]:{port}"
    files = f"{options.get('userknownhostsfile', '')} {options.get('globalknownhostsfile', '')}".split()
    return None if any(_knows(os.path.expanduser(path), name.lower()) for path in files) else UNKNOWN


def _ask_ssh(target: Target) -> dict[str, str] | None:
    words = [target.executable, "-G", *target.args]
    words += ["-p", target.port] if target.port else []
    words += ["-l", target.user] if target.user else []
    try:
        done = subprocess.run(
            [*words, "--", target.address],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if done.returncode:
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def _knows(path: str, name: str) -> bool:
    return any(_matches(patterns, name) for patterns in _read(path))


@functools.lru_cache(maxsize=32)
def _read(path: str) -> tuple[str, ...]:
    """Return the first fields of a file of known hosts, without keys that are revoked."""
    try:
        if os.path.getsize(path) > _MAX_FILE:
            return ()
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as everywhere in this program
            lines = [line.split() for line in file]
    except OSError:
        return ()
    found = []
    for words in lines:
        if len(words) > 2 and words[0] == "@cert-authority":
            found.append(words[1])
        elif len(words) > 2 and not words[0].startswith(("#", "@")):
            found.append(words[0])
    return tuple(found)


def _matches(patterns: str, name: str) -> bool:
    if patterns.startswith(_HASHED):
        return _matches_hash(patterns, name)
    found = False
    for pattern in patterns.lower().split(","):
        if pattern.startswith("!"):
            if _is_like(name, pattern[1:]):
                return False
        elif _is_like(name, pattern):
            found = True
    return found


def _is_like(name: str, pattern: str) -> bool:
    # In these patterns brackets mean themselves, as in [host]:port.
    return name == pattern or fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _matches_hash(text: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in text[len(_HASHED) :].split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
