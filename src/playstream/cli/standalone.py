"""Shared by `adhoc` and `playbook`: runs without a private data directory, with flags like Ansible's own."""

from __future__ import annotations

import argparse
import os
import shlex
from typing import Any

from playstream.cli.extra_vars import read_extra_vars
from playstream.cli.job_options import ansible_options, asked_passwords, isolation_options
from playstream.cli.output import print_message

_WITH_VALUE = {"user": "--user", "connection": "--connection", "become_user": "--become-user"}
_WITHOUT = {"become": "--become", "check": "--check", "diff": "--diff"}


def standalone_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the shared flags, without those that were not given.

    Raises:
        ConfigurationError: a value is invalid.
    """

    def warn(line: str) -> None:
        if not flags.quiet:
            print_message(flags.name, line)

    words: list[str] = []
    for name, option in _WITH_VALUE.items():
        if getattr(flags, name):
            words += [option, getattr(flags, name)]
    words += [option for name, option in _WITHOUT.items() if getattr(flags, name)]
    cmdline = " ".join(part for part in (shlex.join(words), flags.cmdline) if part)
    options = {
        "inventory": flags.inventory,
        "extravars": read_extra_vars(flags.extravars or (), warn) or None,
        **ansible_options(flags),
        "verbosity": flags.verbosity,
        "cmdline": cmdline or None,
        "ident": flags.ident,
        "artifact_dir": flags.artifact_dir,
        "omit_event_data": flags.omit_event_data,
        "only_failed_event_data": flags.only_failed_event_data,
        "binary": os.environ.get("RUNNER_BINARY") or None,
        **isolation_options(flags),
        "passwords": asked_passwords(flags),
    }
    return {name: value for name, value in options.items() if value is not None}
