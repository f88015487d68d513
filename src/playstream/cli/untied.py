"""What `adhoc` and `playbook` share: runs that need no private data directory, with flags like Ansible's own."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from playstream.cli.job_options import isolation_options, parse_variables, split_assignments
from playstream.pipeline.errors import ConfigurationError

_WITH_VALUE = {"user": "--user", "connection": "--connection", "become_user": "--become-user"}
_WITHOUT = {"become": "--become", "check": "--check", "diff": "--diff"}
_VAULT_HEAD = "$ANSIBLE_VAULT;"


def untied_options(flags: argparse.Namespace) -> dict[str, Any]:
    """What the flags that both have ask for; what was not given is left out.

    Raises:
        ConfigurationError: a value cannot be read.
    """
    variables, words = _read_extra_vars(flags.extravars or ())
    for name, option in _WITH_VALUE.items():
        if getattr(flags, name):
            words += [option, getattr(flags, name)]
    words += [option for name, option in _WITHOUT.items() if getattr(flags, name)]
    cmdline = " ".join(part for part in (shlex.join(words), flags.cmdline) if part)
    options = {
        "inventory": flags.inventory,
        "extravars": variables or None,
        "limit": flags.limit,
        "forks": flags.forks,
        "verbosity": flags.verbosity,
        "cmdline": cmdline or None,
        "ident": flags.ident,
        "artifact_dir": flags.artifact_dir,
        "omit_event_data": flags.omit_event_data,
        "only_failed_event_data": flags.only_failed_event_data,
        "binary": os.environ.get("RUNNER_BINARY") or None,
        **isolation_options(flags),
    }
    return {name: value for name, value in options.items() if value is not None}


def _read_extra_vars(items: list[str] | tuple[()]) -> tuple[dict[str, Any], list[str]]:
    """The variables, which travel out of sight; and words for Ansible, for files that only it can decrypt."""
    variables: dict[str, Any] = {}
    words: list[str] = []
    for item in items:
        if item.startswith("@"):
            text = _read_file(item[1:])
            if text.startswith(_VAULT_HEAD):
                words += ["-e", f"@{os.path.abspath(item[1:])}"]
            else:
                variables |= parse_variables(f"--extra-vars {item}", text)
        elif item.lstrip()[:1] in {"{", "["} or "=" not in item:
            variables |= parse_variables("--extra-vars", item)
        else:
            # Here Ansible takes every value for text.
            variables |= {name: _unquote(value) for name, value in split_assignments("--extra-vars", item)}
    return variables, words


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _read_file(name: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"--extra-vars: {name!r} cannot be read: {reason}") from None
