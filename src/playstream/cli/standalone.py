"""Shared by `adhoc` and `playbook`: runs without a private data directory, with flags like Ansible's own."""

from __future__ import annotations

import argparse
import os
from typing import Any

from playstream.cli.job_options import ansible_options, isolation_options, private_options


def standalone_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the shared flags, without those that were not given.

    Raises:
        ConfigurationError: a value is invalid, or a file cannot be read.
    """
    options = {
        "inventory": flags.inventory,
        **private_options(flags),
        **ansible_options(flags),
        "verbosity": flags.verbosity,
        "fast": flags.fast,
        "cmdline": flags.cmdline or None,
        "ident": flags.ident,
        "artifact_dir": flags.artifact_dir,
        "capture": flags.capture,
        "force": flags.force or None,
        "omit_event_data": flags.omit_event_data,
        "only_failed_event_data": flags.only_failed_event_data,
        "binary": os.environ.get("RUNNER_BINARY") or None,
        **isolation_options(flags),
    }
    return {name: value for name, value in options.items() if value is not None}
