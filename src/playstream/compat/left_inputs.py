"""Save arguments in the private data directory, where programs and the next run expect them, as ansible-runner does."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from playstream.compat.ansible_runner.config.runner import RunnerConfig
from playstream.compat.ansible_runner.utils import dump_artifact

_logger = logging.getLogger("playstream")


def save_inputs(config: RunnerConfig, inventory: Any) -> None:
    """Write the inventory and the environment variables of a prepared run to files that only this user can read.

    An inventory that is not a file replaces `inventory/hosts`, or `hosts.json`. The variables are written to
    `env/envvars` if that does not exist, unless `suppress_env_files` is set.

    Args:
        config: the configuration of the run.
        inventory: the inventory as it was given.
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
    """Return whether an inventory is the content of one: not a path, and not a list of hosts with commas.

    Args:
        given: the inventory that the program passed.
        understood: the inventory that the run uses.
    """
    if "\n" in given or understood != given:
        return not os.path.exists(str(understood))
    return any(mark in given for mark in "= ") and not os.path.exists(given)
