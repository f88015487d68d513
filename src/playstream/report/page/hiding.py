"""What a page does not show: private paths of who sent the run, and with `--hide-hosts` the names of hosts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from playstream.process.event_data import STATS, TASK_ENDS, data_of, mapping_of, public_res, text_of

_MIN_SHORT_NAME = 3
"""Shorter beginnings of a host's name are words like any other."""
_COMMON = frozenset({"localhost", "localhost.localdomain", "127.0.0.1", "::1", ""})
"""Names that every host has. They are only hidden as names of the inventory."""
_FACTS = ("hostname", "fqdn", "nodename")
_MAX_DEPTH = 100
"""How deep groups of a regular expression may be; Python compiles them recursively."""
_PATH_ENDS = r"(?=$|[/:\s'\"`)\],;])"

Hide = Callable[[str], str]
"""Returns a text without what is hidden."""


def show_all(text: str) -> str:
    """Return the text as it is."""
    return text


class Names:
    """Collects the names of hosts from the events of a run, to hide them in the page of it."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        """By name, what is shown in its place."""
        self._others: dict[str, str] = {}
        """By another name of a host, the name of the host."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        data = data_of(event)
        name = event.get("event")
        if name == STATS:
            for host in mapping_of(data, "processed"):
                self._note(host)
        host = text_of(data, "host")
        if not host:
            return
        self._note(host)
        self._note_other(text_of(data, "remote_addr"), host)
        if name not in TASK_ENDS:
            return
        facts = mapping_of(public_res(data), "ansible_facts")
        for fact in _FACTS:
            self._note_other(text_of(facts, f"ansible_{fact}"), host)

    def _note(self, host: str) -> None:
        if host not in self._shown:
            self._shown[host] = f"host-{len(self._shown) + 1}"
            short, dot, _ = host.partition(".")
            if dot and len(short) >= _MIN_SHORT_NAME and not short.isdigit():
                self._note_other(short, host)

    def _note_other(self, other: str, host: str) -> None:
        if other not in _COMMON:
            self._others.setdefault(other, host)

    def hide(self) -> Hide:
        """Return a function that replaces the names in a text, wherever no letter or digit precedes or follows one."""
        shown = {name.casefold(): self._shown[host] for name, host in self._others.items() if host in self._shown}
        shown.update((name.casefold(), word) for name, word in self._shown.items())
        if not shown:
            return show_all
        search = re.compile(rf"(?<![^\W_])(?:{_alternatives(shown)})(?![^\W_])")

        def replace(text: str) -> str:
            folded = text.casefold()
            if search.search(folded) is None:
                return text
            if len(folded) != len(text):  # the places in the two texts would differ
                text = folded
            return _replace_at(text, ((*found.span(), shown[found[0]]) for found in search.finditer(folded)))

        return replace


def _replace_at(text: str, places: Iterable[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    end = 0
    for first, last, word in places:
        parts += text[end:first], word
        end = last
    return "".join([*parts, text[end:]])


def _alternatives(names: Iterable[str]) -> str:
    """Return a regular expression that finds the longest of many names in the time of one: a tree of their letters.

    Names each of which begins with many others would make a tree that is too deep for Python. They are tried in turn.
    """
    names = list(names)
    root: dict[str, Any] = {}
    for name in names:
        node = root
        for char in name:
            node = node.setdefault(char, {})
        node[""] = {}
    pattern, depth = _pattern_of(root)
    return pattern if depth <= _MAX_DEPTH else "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


def _pattern_of(root: dict[str, Any]) -> tuple[str, int]:
    """Return the expression of a tree, and how deep its groups are. It does not recurse: a name may be long."""
    done: dict[int, tuple[str, int]] = {}
    waiting = [(root, False)]
    while waiting:
        node, visited = waiting.pop()
        if not visited:
            waiting.append((node, True))
            waiting += [(child, False) for char, child in node.items() if char]
            continue
        branches = [re.escape(char) + done[id(child)][0] for char, child in sorted(node.items()) if char]
        depth = max((done[id(child)][1] for char, child in node.items() if char), default=0)
        if not branches:
            done[id(node)] = "", 0
        elif len(branches) == 1 and "" not in node:
            done[id(node)] = branches[0], depth
        else:
            done[id(node)] = f"(?:{'|'.join(branches)}){'?' if '' in node else ''}", depth + 1
    return done[id(root)]


class Paths:
    """Shortens the private paths of who sent the run, or ran it.

    Paths in the project start there; others show `~` or `…` in place of their beginning.

    Args:
        home: the home directory of this user.
    """

    def __init__(self, home: str | None = None) -> None:
        self._shown: dict[str, str] = {}
        self._add(home or os.path.expanduser("~"), "~")
        self._search: re.Pattern[str] | None = None

    def start(self, cwd: str, env: Mapping[str, str]) -> None:
        """Take how the run was started.

        Args:
            cwd: the directory in which Ansible ran.
            env: its environment, of which only directories are read.
        """
        self._add(env.get("HOME", ""), "~")
        self._add(env.get("PLAYSTREAM_SPOOL", ""), "…")
        self.project(cwd)

    def project(self, directory: str) -> None:
        """Take the directory of the playbook; paths in it are shown from there on."""
        if os.path.basename(directory) == "project":
            self._add(os.path.dirname(directory), "…")
        self._add(directory, "")

    def _add(self, directory: str, shown: str) -> None:
        directory = directory.rstrip("/")
        if directory.startswith("/") and directory != "/tmp":  # noqa: S108 - everybody has it
            self._shown[directory] = shown
            self._search = None

    def hide(self, text: str) -> str:
        """Return a text in which the paths are shortened."""
        if "/" not in text or not self._shown:
            return text
        if self._search is None:
            names = sorted(map(re.escape, self._shown), key=len, reverse=True)
            self._search = re.compile(rf"(?<![\w.~…-])({'|'.join(names)})(/|{_PATH_ENDS})")
        return self._search.sub(self._replace, text)

    def _replace(self, found: re.Match[str]) -> str:
        shown = self._shown[found[1]]
        if found[2] and not shown:
            return ""
        return (shown or ".") + found[2]
