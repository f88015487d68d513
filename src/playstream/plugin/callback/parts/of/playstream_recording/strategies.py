# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run with mitogen's strategies needs inside Ansible, if `--fast` has chosen them.

Since ansible-core 2.19 the loader warns of each strategy that is not Ansible's own. A user who asked for `--fast` has
not chosen the strategy, and cannot do anything about that warning. And mitogen creates a socket in the directory for
temporary files, which it cannot remove when it is killed; the directory of the run is always removed. And it binds its
processes, and what tasks start on this host, to some of the processors: a task would find fewer than without it.

Two results of mitogen are not those of Ansible. Its copy of the action plugin `fetch` is that of an earlier Ansible;
Ansible's own works with mitogen too. And the state of an asynchronous task has numbers, as before ansible-core 2.19;
2.21 warns of them.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ansible.plugins.loader import strategy_loader
from ansible.release import __version__

_MAX_SOCKET = 107
"""Maximum length of a unix socket's path, in bytes."""
_NAME = "mitogen_12345678.sock"
_BOOLEAN_STATES = (2, 19)
"""The version of ansible-core since which the state of an asynchronous task has booleans."""


def prepare_mitogen(directory: str) -> None:
    """Load mitogen's strategies without the warning and without bound processors, with the socket in `directory`.

    Results that would differ from Ansible's become the same.
    """
    get = strategy_loader.get
    is_prepared = False

    def get_quietly(name: str, *args: Any, **kwargs: Any) -> Any:
        nonlocal is_prepared
        if not str(name).startswith("mitogen_"):
            return get(name, *args, **kwargs)
        # `get` does the same, and then warns.
        found = strategy_loader.get_with_context(name, *args, **kwargs).object
        if not is_prepared:
            is_prepared = True
            _place_socket(directory)
            _free_processors()
            _keep_fetch()
            _keep_states()
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


def _keep_fetch() -> None:
    loaders = sys.modules.get("ansible_mitogen.loaders")
    if loaders is None:
        return
    get = loaders.action_loader__get_with_context

    def get_own(name: str, *args: Any, **kwargs: Any) -> Any:
        return get("fetch" if name == "mitogen_fetch" else name, *args, **kwargs)

    loaders.action_loader__get_with_context = get_own  # type: ignore[attr-defined]


def _keep_states() -> None:
    mixins = sys.modules.get("ansible_mitogen.mixins")
    if mixins is None or tuple(map(int, __version__.split(".")[:2])) < _BOOLEAN_STATES:
        return
    process = mixins.ActionModuleMixin._postprocess_response

    def process_states(self: Any, result: dict[str, Any]) -> Any:
        is_async = self._task.async_val or str(self._task.action).endswith("async_status")
        return process(self, with_states(result) if is_async else result)

    mixins.ActionModuleMixin._postprocess_response = process_states


def with_states(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a module has printed with booleans for the state of an asynchronous task.

    Args:
        result: of mitogen; its `stdout` is JSON, or anything else, which is kept.
    """
    try:
        data = json.loads(result["stdout"])
    except (ValueError, RecursionError):
        return result
    if not isinstance(data, dict):
        return result
    states = {name: bool(data[name]) for name in ("started", "finished") if type(data.get(name)) is int}
    return {**result, "stdout": json.dumps({**data, **states})} if states else result
