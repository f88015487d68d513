"""Arguments that ansible-runner leaves in the private data directory, where programs and the next run find them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from playstream.compat.ansible_runner.config.runner import RunnerConfig
from playstream.compat.ansible_runner.utils import dump_artifact

_logger = logging.getLogger("playstream")


def leave_inputs(config: RunnerConfig, inventory: Any) -> None:
    """Write the inventory and the environment variables of a run that is ready, where only this user can read them.

    An inventory that is no file becomes `inventory/hosts`, or `hosts.json`, in the place of an earlier one. The
    variables become `env/envvars` if there is none, but not with `suppress_env_files`.

    Args:
        config: the run's.
        inventory: as it was given.
    """
    directory = config.private_data_dir or ""
    try:
        if inventory and isinstance(inventory, Mapping):
            dump_artifact(json.dumps(inventory), os.path.join(directory, "inventory"), "hosts.json")
        elif isinstance(inventory, str) and _is_content(inventory, config.inventory):
            dump_artifact(inventory, os.path.join(directory, "inventory"), "hosts")
        place = os.path.join(directory, "env")
        if config.envvars and not config.suppress_env_files and not os.path.lexists(os.path.join(place, "envvars")):
            dump_artifact(json.dumps(config.envvars), place, "envvars")
    except (OSError, TypeError, ValueError) as error:
        _logger.warning("cannot save the arguments of run %s in %s: %s", config.ident, directory, error)


def _is_content(given: str, understood: Any) -> bool:
    """Whether an inventory is a text of its own: not a path, and not a list of hosts with commas.

    Args:
        given: what the program gave.
        understood: what the run takes it for.
    """
    if "\n" in given or understood != given:
        return not os.path.exists(str(understood))
    return any(mark in given for mark in "= ") and not os.path.exists(given)
