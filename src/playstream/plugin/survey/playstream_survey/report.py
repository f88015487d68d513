# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the report: the command line, the inventory and the playbooks as Ansible reads them."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible import context
from ansible.cli import CLI
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.release import __version__ as core_version
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.vars.manager import VariableManager

from .capacity import memory_bytes, processors, resident_bytes
from .facts import Facts, short
from .plays import survey_playbooks, survey_targets
from .settings import read_settings

FORM = 1
"""The version of the report."""
_PROMPTS = ("prompt", "prompt_ask_vault_pass")
_NOTHING_RUNS = ("listhosts", "listtasks", "listtags", "syntax")
_UNSET = object()


def make_report(program: str, arguments: Sequence[str], passwords: Mapping[str, str]) -> dict[str, Any]:
    """Return the report on a command line.

    Args:
        program: the path of ansible-playbook or ansible.
        arguments: its arguments.
        passwords: vault ID to password, of vaults whose password Ansible asks for; the empty ID is the default one's.
    """
    is_playbook = os.path.basename(program).startswith("ansible-playbook")
    cli = (PlaybookCLI if is_playbook else AdHocCLI)([program, *arguments])
    given = _given(cli)
    cli.parse()
    facts = Facts()
    report: dict[str, Any] = {
        "survey": FORM,
        "core": core_version,
        "python": platform.python_version(),
        **_find_mitogen(),
        "processors": processors(),
        "memory": memory_bytes(),
        "idle": any(context.CLIARGS.get(name) for name in _NOTHING_RUNS),
        "hosts": None,
        "trouble": None,
        "settings": read_settings(given),
    }
    try:
        report["hosts"] = _look(is_playbook, facts, report, passwords)
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything; Ansible itself will say what is wrong
        report["trouble"] = short(f"{type(error).__name__}: {error}".splitlines()[0])
    report["facts"] = facts.as_dict()
    report["resident"] = resident_bytes()
    return report


def _given(cli: Any) -> dict[str, Any]:
    """Return the values of the command line for settings that have a flag, without those that were not given."""
    cli.init_parser()
    cli.parser.set_defaults(forks=_UNSET, ssh_common_args=_UNSET, ssh_extra_args=_UNSET)
    found, _ = cli.parser.parse_known_args(cli.args[1:])
    names = ("forks", "ssh_common_args", "ssh_extra_args")
    return {name: value for name in names if (value := getattr(found, name, _UNSET)) is not _UNSET}


def _find_mitogen() -> dict[str, Any]:
    """Return the version of mitogen that Ansible can import here, and the directory of its strategies."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - only for this question

    try:
        spec = importlib.util.find_spec("ansible_mitogen")
        found = version("mitogen")
    except (ImportError, ValueError, PackageNotFoundError):
        spec = None
    if spec is None or spec.origin is None:
        return {"mitogen": None, "strategies": None}
    return {"mitogen": found, "strategies": os.path.join(os.path.dirname(spec.origin), "plugins", "strategy")}


def _look(is_playbook: bool, facts: Facts, report: Mapping[str, Any], passwords: Mapping[str, str]) -> int:
    """Note what will be run and where; return the number of hosts."""
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415 - after the command line was read

    init_plugin_loader()
    if is_playbook:
        _add_playbook_directories()
    loader, inventory, variables = _make_objects(facts, passwords)
    if is_playbook:
        return survey_playbooks(context.CLIARGS["args"], loader, inventory, variables, facts, report)
    pattern = context.CLIARGS["args"]
    return survey_targets(pattern, str(context.CLIARGS["module_name"]), loader, inventory, variables, facts, report)


def _add_playbook_directories() -> None:
    """Make plugins and collections next to the playbooks known, as ansible-playbook does."""
    from ansible.plugins.loader import add_all_plugin_dirs  # noqa: PLC0415 - only for playbooks

    directories = []
    for playbook in context.CLIARGS["args"]:
        if os.path.exists(playbook):
            directory = os.fsencode(os.path.dirname(os.path.abspath(playbook)))
            add_all_plugin_dirs(directory)
            directories.append(directory)
    if directories:
        AnsibleCollectionConfig.playbook_paths = directories


def _make_objects(facts: Facts, passwords: Mapping[str, str]) -> tuple[Any, Any, Any]:
    """Return Ansible's loader, inventory and variables. Vaults whose password is not known stay closed."""
    options = context.CLIARGS
    loader = DataLoader()
    if options.get("basedir"):
        loader.set_basedir(options["basedir"])
    ids = [*(C.DEFAULT_VAULT_IDENTITY_LIST or []), *options["vault_ids"]]
    asked = [name for name in ids if name.rpartition("@")[2] in _PROMPTS]
    secrets = CLI.setup_vault_secrets(
        loader,
        vault_ids=[name for name in ids if name not in asked],
        vault_password_files=list(options["vault_password_files"] or ()),
        ask_vault_pass=False,
        auto_prompt=False,
    )
    labels = {name.rpartition("@")[0] or C.DEFAULT_VAULT_IDENTITY for name in asked}
    if options["ask_vault_pass"]:
        labels.add(C.DEFAULT_VAULT_IDENTITY)
    loader.set_vault_secrets([*secrets, *_known_secrets(labels, facts, passwords)])
    inventory = InventoryManager(loader=loader, sources=options["inventory"])
    variables = VariableManager(loader=loader, inventory=inventory, version_info=CLI.version_info(gitinfo=False))
    inventory.subset(options["subset"])
    return loader, inventory, variables


def _known_secrets(labels: Iterable[str], facts: Facts, passwords: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Return the secrets of the vaults that Ansible asks for, as far as their passwords are known."""
    known = {name or C.DEFAULT_VAULT_IDENTITY: password for name, password in passwords.items()}
    found = []
    for label in labels:
        if label in known:
            found.append((label, VaultSecret(known[label].strip().encode("utf-8", "surrogateescape"))))
        else:
            facts.note(facts.unknown, "what a vault contains whose password is asked for", "the command line")
    return found
