"""Hints for words that are on the command line without the flag that says what they are."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from playstream.cli.parser import PLAYBOOKS
from playstream.pipeline.job.lookup import find_in_project


def suggest_what(words: Sequence[str], found: argparse.Namespace) -> str:
    """Return a hint for words after DIR of a command that runs or sends a job.

    Args:
        words: the words that are not understood.
        found: what was understood.
    """
    if found.playbook or found.module or found.role:
        return "; -p takes one playbook" if found.playbook and words[0].endswith(PLAYBOOKS) else ""
    if not words[0].endswith(PLAYBOOKS):
        return "; say what to run with -p FILE, -m NAME or -r NAME"
    project = found.private_data_dir / (found.project_dir or "project")
    return f"; did you mean -p {find_in_project(project, words[0]) or words[0]}?"


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
