"""A job as ansible-runner's keyword arguments, and back.

ansible-runner's worker calls `run(**kwargs)` in the directory that the tree was unpacked into: it writes them into
`env/` there, and looks up the playbook, inventory and roles there. playstream does the same with what ansible-runner's
transmit sends.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.checks import check_options
from playstream.pipeline.job.extravars import merge_as_json
from playstream.pipeline.job.job import make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.job.options import ANSIBLE_OPTIONS, JobOptions
from playstream.pipeline.job.passwords import ask_for_passwords, sort_passwords
from playstream.pipeline.protocol import Job

_FILES = ".playstream"
"""Directory in the tree for what ansible-runner's protocol has no argument for."""
_EXTRAVARS = "extravars"
_NO_SETTINGS = ("container_workdir", "fact_cache", "fact_cache_type", "host_cwd")
"""Settings that ansible-runner also or only accepts as arguments."""
_DEFAULT_IMAGE = "quay.io/ansible/ansible-runner:devel"
"""The image that ansible-runner's command line sends by default."""
_SSH = r"^SSH password:\s*?$"
_BECOME = r"^BECOME password.*:\s*?$"
_SSH_KEY = r"^Enter passphrase for .*:\s*?$"
_DEFAULT_VAULT = r"^Vault password(?: \(default\))?:\s*?$"
_VAULT = r"^Vault password \({}\):\s*?$"


def read_kwargs(kwargs: Mapping[str, Any], directory: Path) -> Job:
    """Convert keyword arguments and an unpacked directory to a job.

    Args:
        kwargs: arguments of ansible-runner's run(). Names for the destination of results are accepted and have no
            effect.
        directory: the private data directory on this host.

    Raises:
        ConfigurationError: an argument is unknown or not valid, or what it names is not in the directory.
    """
    options = check_options(_given(kwargs), JobOptions, "run")
    options["private_data_dir"] = directory
    if "roles_path" in options:
        options["roles_path"] = _below_project(options, directory)
    if options.get("module") and not options.get("binary"):
        options["project_dir"] = directory  # where ansible-runner starts a module, whatever its project is
    options["env_files_win"] = True
    return make_job(options, Delivery.IN_PLACE, from_elsewhere=True)


def _given(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that have an effect.

    Versions before 2.2 send some arguments that later versions do not know, as None. ansible-runner's command line
    sends the value of --forks as text, and its default image with every job. That image is used if a setting requests
    isolation, and does not request isolation itself.
    """
    given = {name: value for name, value in kwargs.items() if value is not None}
    forks = given.get("forks")
    if isinstance(forks, str) and forks.isascii() and forks.isdigit():
        given["forks"] = int(forks)
    settings = given.get("settings")
    said = isinstance(settings, Mapping) and settings.get("process_isolation") is not None
    if given.get("container_image") == _DEFAULT_IMAGE and not said:
        given.setdefault("process_isolation", False)
    return given


def _below_project(options: Mapping[str, Any], directory: Path) -> list[str]:
    """Return role directories relative to the project, where Ansible is started."""
    given = options["roles_path"]
    paths = given.split(":") if isinstance(given, str) else given
    project = directory / (options.get("project_dir") or "project")
    return [os.path.normpath(project / os.path.expanduser(path)) for path in paths if path]


def added_files(job: Job) -> dict[str, str]:
    """Return the files to add to the tree, by path, for what ansible-runner's protocol has no argument for.

    These are inventories that are not files, and extra variables that JSON cannot represent.

    Raises:
        ConfigurationError: there are such files, but no tree is sent.
    """
    files = {f"{_FILES}/inventory-{number}": text for number, text in enumerate(job.inventory_contents, 1)}
    if files and not job.tree:
        raise ConfigurationError(
            "inventory: expected a path on the worker's host: ansible-runner's protocol can only carry the content of "
            "an inventory in the tree, and no tree is sent"
        )
    if merge_as_json(job.extravars_texts, job.extravars) is not None:
        return files
    if not job.tree:
        raise ConfigurationError(
            "extravars: a value is encrypted by ansible-vault, or cannot be represented in JSON (a name that is not a "
            "string, a date, …). ansible-runner's protocol can only carry such variables in the tree, and no tree is "
            "sent. Omit --only-transmit-kwargs, or use playstream's own protocol"
        )
    texts = [*job.extravars_texts, *([json.dumps(job.extravars)] if job.extravars else [])]
    return files | {f"{_FILES}/{_EXTRAVARS}-{number}": text for number, text in enumerate(texts, 1)}


def write_kwargs(job: Job) -> dict[str, Any]:
    """Convert a job to the keyword arguments of ansible-runner's worker.

    Raises:
        ConfigurationError: ansible-runner's protocol cannot represent the job.
    """
    if job.command and not job.tree:
        raise ConfigurationError(
            "the file args: ansible-runner's protocol can only carry a whole command line in the tree, and no tree is "
            "sent"
        )
    if job.more_playbooks:
        raise ConfigurationError(
            f"playbook: expected one, got {1 + len(job.more_playbooks)}: ansible-runner's protocol carries a single "
            "playbook. Write one that imports them (import_playbook), or use playstream's own protocol"
        )
    added = list(added_files(job))
    files = [path for path in added if path.startswith(f"{_FILES}/{_EXTRAVARS}-")]
    inventory, words = _inventory(job, [path for path in added if path not in files])
    # Before the other arguments, so that the caller's take precedence.
    first = [word for path in files for word in ("-e", f"@{_from_start(job, path)}")]
    for option in ANSIBLE_OPTIONS:
        if not option.runner_keyword:
            first += option.words(getattr(job, option.name))
    cmdline = [*first, *job.cmdline, *words, *ask_for_passwords(job.passwords, job.cmdline)]
    playbook = [dict(play) for play in job.plays] if job.plays else job.playbook
    values: dict[str, Any] = {
        "ident": job.ident,
        "playbook": playbook,
        "binary": job.binary,
        "module": job.module,
        "module_args": job.module_args,
        "host_pattern": (job.hosts or "all") if job.module else None,
        "inventory": inventory,
        **{option.name: getattr(job, option.name) for option in ANSIBLE_OPTIONS if option.runner_keyword},
        "verbosity": job.verbosity or None,
        "cmdline": shlex.join(cmdline) or None,
        "extravars": None if files else merge_as_json(job.extravars_texts, job.extravars) or None,
        "envvars": dict(job.envvars) or None,
        "passwords": _prompts(job.passwords) or None,
        "settings": dict(job.settings) or None,
        "timeout": job.timeout,
        "ssh_key": job.ssh_key,
        "project_dir": job.project_dir if job.project_dir != "project" else None,
        "roles_path": ":".join(_from_project(job, path) for path in job.roles_path) or None,
        "omit_event_data": job.omit_event_data or None,
        "only_failed_event_data": job.only_failed_event_data or None,
        **(_role(job) if job.role else {}),
        **{name: job.settings[name] for name in _NO_SETTINGS if name in job.settings},
    }
    return {name: value for name, value in values.items() if value is not None}


def _role(job: Job) -> dict[str, Any]:
    return {
        "role": job.role,
        "role_vars": dict(job.role_vars),
        "role_skip_facts": job.role_skip_facts,
        "hosts": job.hosts or "all",
    }


def _inventory(job: Job, contents: Sequence[str]) -> tuple[str | list[str] | None, list[str]]:
    """Return the argument `inventory`, which is a single path, and options for everything else."""
    named = job.inventory
    if named is None and not contents:
        return None, []
    if named is not None and len(named) == 1 and "," not in named[0] and not contents:
        return named[0], []
    items = [*(named or ()), *contents]
    return [], [word for item in items for word in ("-i", item if "," in item else _from_start(job, item))]


def _from_start(job: Job, path: str) -> str:
    """Return a path of the private data directory relative to the directory where ansible-runner starts Ansible."""
    return path if job.module else _from_project(job, path)


def _from_project(job: Job, path: str) -> str:
    return path if os.path.isabs(path) else os.path.relpath(path, job.project_dir)


def _prompts(passwords: Mapping[str, str]) -> dict[str, str]:
    """Convert named passwords to regular expressions of the prompts, the only form that ansible-runner knows."""
    named = sort_passwords(passwords)
    prompts = dict(named.prompts)
    for expression, answer in ((_SSH, named.ssh), (_BECOME, named.become), (_SSH_KEY, named.ssh_key)):
        if answer is not None:
            prompts[expression] = answer
    for vault_id, answer in named.vaults.items():
        prompts[_VAULT.format(re.escape(vault_id)) if vault_id else _DEFAULT_VAULT] = answer
    return prompts
