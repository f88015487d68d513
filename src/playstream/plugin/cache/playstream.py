# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of facts in a run's artifacts: the files of jsonfile, with less work if no facts are gathered.

Ansible queries the cache for each host and task, and since 2.21 stores each host's facts after each task, changed or
not. jsonfile accesses a file each time, with much code that is cold after a fork: this costs as much as recording the
whole run.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.cache import jsonfile

DOCUMENTATION = """
name: playstream
short_description: JSON formatted files, at a lower cost where no facts are gathered
description:
  - The files and the options are those of ansible.builtin.jsonfile.
options:
  _uri:
    required: true
    description: Path in which the cache plugin will save the JSON files
    env:
      - name: ANSIBLE_CACHE_PLUGIN_CONNECTION
    ini:
      - key: fact_caching_connection
        section: defaults
    type: path
  _prefix:
    description: User defined prefix to use when creating the JSON files
    env:
      - name: ANSIBLE_CACHE_PLUGIN_PREFIX
    ini:
      - key: fact_caching_prefix
        section: defaults
  _timeout:
    default: 86400
    description: Expiration timeout for the cache plugin data
    env:
      - name: ANSIBLE_CACHE_PLUGIN_TIMEOUT
    ini:
      - key: fact_caching_timeout
        section: defaults
    type: integer
  persist_metadata:
    default: true
    description: Whether the cache keeps Ansible's notes on facts; read since ansible-core 2.22
    env:
      - name: ANSIBLE_CACHE_JSONFILE_PERSIST_METADATA
    ini:
      - key: persist_metadata
        section: jsonfile_cache
    type: bool
"""


class CacheModule(jsonfile.CacheModule):  # type: ignore[misc]
    """jsonfile without the work for files that do not exist or have not changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names: dict[str, str] = {}

    def _get_cache_file_name(self, key: str) -> str:
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = super()._get_cache_file_name(key)
        return name

    def get(self, key: str) -> Any:
        """Return the facts under this key.

        Raises:
            KeyError: there are none.
        """
        if key not in self._cache and not os.access(self._get_cache_file_name(key), os.F_OK):
            raise KeyError(key)
        return super().get(key)

    def contains(self, key: str) -> bool:
        """Return whether there are facts under this key."""
        if key not in self._cache and not os.access(self._get_cache_file_name(key), os.F_OK):
            return False
        return bool(super().contains(key))

    def set(self, key: str, value: dict[str, Any]) -> None:
        """Store the facts under this key. If they have not changed, only update the file's time."""
        # Since 2.19 the facts are one text. Before that, the argument is the cached object itself, already changed.
        if list(value) == ["__payload__"] and self._cache.get(key) == value:
            try:
                os.utime(self._get_cache_file_name(key))
            except OSError:
                pass  # the file was removed or has another owner, which jsonfile reports
            else:
                return
        super().set(key, value)
