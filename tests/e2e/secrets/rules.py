"""Where each secret may be. Everything else is a failure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.secrets.watch import Finding


@dataclass(frozen=True)
class Rule:
    """One place that a secret may be in."""

    secrets: str
    """Regular expression of names."""
    kind: str
    where: str
    """Regular expression of the place; `{directory}`, `{temporary}` and `{home}` stand for those of the test."""
    at_end: bool
    """True if it may be there when the run has ended."""
    reason: str


RULES = (
    Rule(
        ".*",
        "file",
        r"{directory}/env/(passwords|ssh_key|envvars|extravars|settings)",
        at_end=True,
        reason="where the user has put it",
    ),
    Rule(
        "environment variable",
        "environ",
        r"job:.*",
        at_end=False,
        reason="it is what the job's processes are to have in their environment",
    ),
    Rule(
        "extra variable",
        "file",
        r"{temporary}/playstream-spool-\w+/run/extravars-[0-9]+",
        at_end=False,
        reason="Ansible reads extra variables from a file; a word of the command line is seen by everybody",
    ),
    Rule(
        "registry password",
        "file",
        r"{temporary}/playstream-spool-\w+/registry/(auth|config)\.json",
        at_end=False,
        reason="podman and docker read their login from a file",
    ),
    Rule(
        "vaulted variable.*",
        "file",
        r"{home}/\.ansible/tmp/.*",
        at_end=False,
        reason="Ansible puts a module's arguments into a private directory of the host's while the module runs",
    ),
    Rule(
        "ssh password",
        "(file|deleted)",
        r"/dev/shm/\w+( \(deleted\))?",
        at_end=False,
        reason="ansible-core from 2.19 gives it to ssh in shared memory, of mode 0600, unless told to use sshpass",
    ),
    Rule(
        "store password",
        "environ",
        r"(?!job:).*-m playstream (run|process) .*",
        at_end=False,
        reason="PLAYSTREAM_STORE is in the environment of the command that the user gives it to, and no further",
    ),
)


@dataclass(frozen=True)
class Places:
    """What the words in a rule stand for."""

    directory: Path
    """The private data directory."""
    temporary: Path
    """TMPDIR."""
    home: Path


def not_allowed(findings: Iterable[Finding], places: Places, *, at_end: bool = False) -> list[Finding]:
    """Those of the findings that no rule allows, in order."""
    names = {name: re.escape(str(getattr(places, name))) for name in ("directory", "temporary", "home")}
    return sorted(
        finding for finding in findings if not any(_allows(rule, finding, names, at_end=at_end) for rule in RULES)
    )


def _allows(rule: Rule, finding: Finding, names: dict[str, str], *, at_end: bool) -> bool:
    where = rule.where
    for name, path in names.items():
        where = where.replace(f"{{{name}}}", path)
    return (
        (rule.at_end or not at_end)
        and re.fullmatch(rule.secrets, finding.secret) is not None
        and re.fullmatch(rule.kind, finding.kind) is not None
        and re.fullmatch(where, finding.where, re.DOTALL) is not None
    )
