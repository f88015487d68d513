# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run with mitogen's strategies needs inside Ansible, if `--fast` has chosen them.

Since ansible-core 2.19 the loader warns of each strategy that is not Ansible's own. A user who asked for `--fast` has
not chosen the strategy, and cannot do anything about that warning. And mitogen creates a socket in the directory for
temporary files, which it cannot remove when it is killed; the directory of the run is always removed. And it binds its
processes, and what tasks start on this host, to some of the processors: a task would find fewer than without it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from ansible.plugins.loader import strategy_loader

_MAX_SOCKET = 107
"""Maximum length of a unix socket's path, in bytes."""
_NAME = "mitogen_12345678.sock"


def prepare_mitogen(directory: str) -> None:
    """Load mitogen's strategies without the warning and without bound processors, with the socket in `directory`."""
    get = strategy_loader.get

    def get_quietly(name: str, *args: Any, **kwargs: Any) -> Any:
        if not str(name).startswith("mitogen_"):
            return get(name, *args, **kwargs)
        # `get` does the same, and then warns.
        found = strategy_loader.get_with_context(name, *args, **kwargs).object
        _place_socket(directory)
        _free_processors()
        return found

    strategy_loader.get = get_quietly


def _place_socket(directory: str) -> None:
    unix = sys.modules.get("mitogen.unix")
    if unix is not None and len(os.fsencode(os.path.join(directory, _NAME))) <= _MAX_SOCKET:
        unix.make_socket_path = lambda: os.path.join(directory, f"mitogen_{os.urandom(4).hex()}.sock")  # type: ignore[attr-defined]


def _free_processors() -> None:
    affinity = sys.modules.get("ansible_mitogen.affinity")
    if affinity is not None:
        # The base class of its policies is the one for systems where a process cannot be bound.
        affinity.policy = affinity.Policy()  # type: ignore[attr-defined]
