"""Hints for words that are on the command line without the flag that says what they are."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.lookup import find_in_project

_PLAYBOOKS = (".yml", ".yaml")


def suggest_what(words: Sequence[str], found: argparse.Namespace) -> str:
    """Return a hint for words after DIR of a command that runs or sends a job.

    Args:
        words: the words that are not understood.
        found: what was understood.
    """
    if found.playbook or found.module or found.role:
        return "; -p takes one playbook" if found.playbook and words[0].endswith(_PLAYBOOKS) else ""
    if not words[0].endswith(_PLAYBOOKS):
        return "; say what to run with -p FILE, -m NAME or -r NAME"
    project = found.private_data_dir / (found.project_dir or "project")
    return f"; did you mean -p {find_in_project(project, words[0]) or words[0]}?"


def suggest_ident(words: Sequence[str], found: argparse.Namespace) -> str:
    """Return a hint for words after DIR of a command that takes the name of a run; arguments as in `suggest_what`."""
    return "" if found.ident else f"; did you mean -i {words[0]}?"


def suggest_module(words: Sequence[str], found: argparse.Namespace) -> str:
    """Return a hint for words after the hosts of `adhoc`; arguments as in `suggest_what`."""
    command = shlex.quote(" ".join(words))
    if found.module_args:
        return "; put quotes around the arguments of -a"
    if found.module:
        return f"; did you mean -a {command}?"
    module = f"-m {words[0]} (a module) or " if len(words) == 1 else ""
    return f"; did you mean {module}-a {command}{' (a command)' if module else ''}?"


def suggest_together(words: Sequence[str], found: argparse.Namespace) -> str:  # noqa: ARG001 - as in `suggest_what`
    """Return a hint for playbooks with flags between them, which argparse does not accept."""
    return "; pass all of FILE … together, without flags between them"


def check_directory(command: str, directory: Path) -> None:
    """Refuse a playbook in place of a private data directory.

    Raises:
        ConfigurationError: it is a file, or has the name of a playbook and does not exist.
    """
    if os.path.isfile(directory):
        what = "is a file"
    elif directory.suffix in _PLAYBOOKS and not os.path.exists(directory):
        what = "does not exist"
    else:
        return
    raise ConfigurationError(
        f"{str(directory)!r} {what}, and {command} expects a private data directory. To run a playbook without one: "
        f"playstream playbook {shlex.quote(str(directory))}"
    )
