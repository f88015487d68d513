"""The playbooks of the corpus, and how one is run with and without `--fast`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Protocol

import playstream
from tests.e2e.fast.fleet import system_python

CORPUS = Path(__file__).parent / "corpus"
_PASSWORDS = {"vault": "of the default vault", "vault:prod": "of the vault prod"}
CASES: dict[str, dict[str, Any]] = {
    "flow": {},
    "flow, tags": {"tags": "special"},
    "files": {},
    "files, check": {"check": True, "diff": True},
    "files, diff": {"diff": True},
    "elsewhere": {},
    "roles": {},
    "broken": {},
    "become": {},
    "slow": {},
    "limited": {},
    "vault/site": {"cmdline": "--vault-password-file password --vault-id prod@password-prod"},
    "vault/site, by name": {"passwords": _PASSWORDS},
}
"""Name of a case, which begins with that of its playbook, to the options of its run."""


class Hosts(Protocol):
    """Hosts of a group `web`."""

    def inventory(self, *more: str) -> str:
        """Return the text of an inventory, with further variables for all hosts."""


def may_run(case: str) -> bool:
    """Return whether this user can run a case: only root becomes another user without a password."""
    return case != "become" or os.geteuid() == 0


def prepare(place: Path) -> None:
    """Make a new private data directory of the corpus. What was there is removed."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    place.chmod(0o755)
    project = place / "project"
    shutil.copytree(CORPUS, project)
    (project / "large").write_bytes(bytes(range(256)) * 1200)
    (project / "secret.yml").write_text("secret: opened\n")
    (project / "password").write_text(_PASSWORDS["vault"])
    (project / "password-prod").write_text(_PASSWORDS["vault:prod"])
    (place / "work" / "open").mkdir(parents=True)
    (place / "work" / "open").chmod(0o777)


def run(place: Path, hosts: Hosts, case: str, *, fast: bool, **options: Any) -> playstream.Runner:
    """Run a case in a directory that `prepare` has made.

    Args:
        place: the directory.
        hosts: where it runs.
        case: its name.
        fast: whether with `--fast`.
        options: further ones of the run.
    """
    playbook = case.partition(",")[0]
    return playstream.run(
        private_data_dir=place,
        playbook=f"{playbook}.yml",
        inventory=hosts.inventory(
            f"ansible_remote_tmp={place}/work/open", f"ansible_python_interpreter={system_python()}"
        ),
        limit=None if playbook == "broken" else "web:added:localhost",
        extravars={"place": str(place / "work")},
        quiet=True,
        fast=fast,
        **CASES[case],
        **options,
    )
