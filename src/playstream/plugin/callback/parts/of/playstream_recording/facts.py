# SPDX-License-Identifier: GPL-3.0-or-later
"""Spares ansible the search for facts that nobody has gathered."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from ansible.plugins.cache import BaseFileCacheModule

_empty: dict[str, bool] = {}
"""By directory: whether it held nothing when it was first asked for in this task."""

look_again: Callable[[], None] = _empty.clear
"""To be called when a task starts: another program may have written facts."""


def spare_lookups() -> None:
    """Let a file cache say at once that it has nothing, while its directory is empty.

    Ansible asks it about each host for each task. It looks for a file then, in Python that is long and cold: half of
    all that recording a run costs, where no facts are gathered.
    """
    get, contains = BaseFileCacheModule.get, BaseFileCacheModule.contains

    @functools.wraps(get)
    def quick_get(self: Any, key: str) -> Any:
        if key not in self._cache and (_empty.get(self._cache_dir) or _is_empty(self._cache_dir)):
            raise KeyError(key)
        return get(self, key)

    @functools.wraps(contains)
    def quick_contains(self: Any, key: str) -> Any:
        if key not in self._cache and (_empty.get(self._cache_dir) or _is_empty(self._cache_dir)):
            return False
        return contains(self, key)

    BaseFileCacheModule.get, BaseFileCacheModule.contains = quick_get, quick_contains


def _is_empty(directory: str) -> bool:
    if directory not in _empty:
        try:
            with os.scandir(directory) as entries:
                _empty[directory] = next(entries, None) is None
        except OSError:
            _empty[directory] = False  # the cache has words for it
    return _empty[directory]
