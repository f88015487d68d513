# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run with mitogen's strategies needs inside Ansible, if `--fast` has chosen them.

Since ansible-core 2.19 the loader warns of each strategy that is not Ansible's own. A user who asked for `--fast` has
not chosen the strategy, and cannot do anything about that warning. And mitogen creates a socket in the directory for
temporary files, which it cannot remove when it is killed; the directory of the run is always removed.
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
    """Load mitogen's strategies without the warning, and let mitogen create its socket in `directory`."""
    get = strategy_loader.get

    def get_quietly(name: str, *args: Any, **kwargs: Any) -> Any:
        if not str(name).startswith("mitogen_"):
            return get(name, *args, **kwargs)
        # `get` does the same, and then warns.
        found = strategy_loader.get_with_context(name, *args, **kwargs).object
        _place_socket(directory)
        return found

    strategy_loader.get = get_quietly


def _place_socket(directory: str) -> None:
    unix = sys.modules.get("mitogen.unix")
    if unix is not None and len(os.fsencode(os.path.join(directory, _NAME))) <= _MAX_SOCKET:
        unix.make_socket_path = lambda: os.path.join(directory, f"mitogen_{os.urandom(4).hex()}.sock")  # type: ignore[attr-defined]
