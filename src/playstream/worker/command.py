"""The job as a command: the words, the environment and the directory that Ansible is started with."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ExecutableNotFound, JobError
from playstream.pipeline.protocol import Job
from playstream.worker.ansible_config import find_ansible_config

SPOOL_VARIABLE = "PLAYSTREAM_SPOOL"
"""In the environment of every process of a job: marks them as that spool's."""
PLUGIN_DIR = Path(__file__).parent.parent / "plugin" / "callback"
"""Added to Ansible's callback path; the plugin is never imported here."""

REDACTED = "********"
_HARMLESS = re.compile(
    r"PATH|HOME|SHELL|USER|LOGNAME|PWD|OLDPWD|TERM|TZ|LANG|LANGUAGE|LC_\w+|HOSTNAME|TMPDIR|VIRTUAL_ENV|COLUMNS|LINES"
    r"|SHLVL|PYTHON\w*|ANSIBLE_\w+|PLAYSTREAM_\w+|XDG_\w+"
)
_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|VAULT|AUTH", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Paths:
    """The places of one job on the worker's host."""

    private_data_dir: Path
    run_dir: Path
    """Private to this run: the pipes, the extra variables."""
    artifact_dir: Path
    spool: Path

    @property
    def events(self) -> Path:
        """The FIFO that the callback plugin writes events into."""
        return self.run_dir / "events"

    @property
    def origin(self) -> Path:
        """The FIFO that tells the plugin where its counting starts."""
        return self.run_dir / "origin"


@dataclass(frozen=True, slots=True)
class Command:
    """What is started. `env` may hold secrets; `redacted_env` does not."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path

    @property
    def redacted_env(self) -> dict[str, str]:
        """The environment, with the values of all but well-known harmless variables hidden."""
        return {name: value if _shows(name) else REDACTED for name, value in sorted(self.env.items())}


def _shows(name: str) -> bool:
    return bool(_HARMLESS.fullmatch(name)) and not _SECRET.search(name)


def make_command(job: Job, paths: Paths) -> Command:
    """Write what the command needs into the run directory and put it together.

    Raises:
        ExecutableNotFound: Ansible is not on the job's PATH.
        JobError: the playbook is not on this host.
    """
    project = paths.private_data_dir / job.project_dir
    cwd = project if project.is_dir() else paths.private_data_dir
    env = _make_env(job, paths, cwd)
    words = [_find_executable("ansible" if job.module else "ansible-playbook", env)]
    words += _options(job, paths)
    if job.module:
        words += [job.hosts or "all", "-m", job.module]
        if job.module_args:
            words += ["-a", job.module_args]
    elif job.role:
        words.append(str(_write_role_playbook(job, paths)))
    else:
        words.append(_check_playbook(job, project))
    return Command(tuple(words), env, cwd)


def _find_executable(name: str, env: Mapping[str, str]) -> str:
    # A worker started by its path (ssh host /opt/venv/bin/playstream worker) has its Ansible beside it.
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=env.get("PATH", os.defpath)) or shutil.which(name, path=beside)
    if found is None:
        raise ExecutableNotFound(
            f"{name} was not found on this host, neither on PATH ({env.get('PATH')!r}) nor in {beside!r}. Install "
            "ansible-core where the worker runs, for example with pip install 'playstream[ansible]'"
        )
    return found


def _check_playbook(job: Job, project: Path) -> str:
    playbook = job.playbook or ""
    if not (project / playbook).exists() and (not job.tree) and playbook.count(".") < 2:
        raise JobError(
            f"playbook {playbook!r} is not in {str(project)!r} on the worker, and no tree was sent. Transmit without "
            "--only-transmit-kwargs, or give the worker the --private-data-dir that holds it"
        )
    return playbook


def _options(job: Job, paths: Paths) -> list[str]:
    words: list[str] = []
    for item in _inventory(job, paths):
        words += ["-i", item]
    for option, value in (("--limit", job.limit), ("--tags", job.tags), ("--skip-tags", job.skip_tags)):
        if value is not None and not (job.module and option != "--limit"):
            words += [option, value]
    if job.forks is not None:
        words += ["--forks", str(job.forks)]
    if job.verbosity:
        words.append("-" + "v" * job.verbosity)
    if job.extravars:
        # A file and not a word: the command line is there for every user of the host to see.
        path = paths.run_dir / "extravars.json"
        _write_private(path, job.extravars)
        words += ["-e", f"@{path}"]
    return words + list(job.cmdline)


def _inventory(job: Job, paths: Paths) -> list[str]:
    if job.inventory:
        return [item if "," in item else str(paths.private_data_dir / item) for item in job.inventory]
    default = paths.private_data_dir / "inventory"
    return [str(default)] if default.exists() else []


def _write_private(path: Path, value: Any) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(value, file)


def _write_role_playbook(job: Job, paths: Paths) -> Path:
    path = paths.run_dir / "role.json"
    role = {"role": job.role, **({"vars": job.role_vars} if job.role_vars else {})}
    _write_private(path, [{"hosts": job.hosts or "all", "gather_facts": not job.role_skip_facts, "roles": [role]}])
    return path


def _make_env(job: Job, paths: Paths, cwd: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PLAYSTREAM_")}
    env.update(job.envvars)
    config = find_ansible_config(env, cwd)
    home = env.get("ANSIBLE_HOME") or config.get("home") or "~/.ansible"

    def extend(variable: str, setting: str, added: list[str], *defaults: str) -> None:
        given = env[variable].split(":") if env.get(variable) else config.get_paths(setting)
        env[variable] = ":".join([*added, *(defaults if given is None else given)])

    extend("ANSIBLE_CALLBACK_PLUGINS", "callback_plugins", [str(PLUGIN_DIR)],
           f"{home}/plugins/callback", "/usr/share/ansible/plugins/callback")
    if job.role or job.roles_path:
        own = [str(paths.private_data_dir / path) for path in (*job.roles_path, f"{job.project_dir}/roles", "roles")]
        extend("ANSIBLE_ROLES_PATH", "roles_path", own,
               f"{home}/roles", "/usr/share/ansible/roles", "/etc/ansible/roles")
    if job.module:
        env["ANSIBLE_LOAD_CALLBACK_PLUGINS"] = "1"
    if "ANSIBLE_CACHE_PLUGIN" not in env and config.get("fact_caching") is None:
        env["ANSIBLE_CACHE_PLUGIN"] = "jsonfile"
        env["ANSIBLE_CACHE_PLUGIN_CONNECTION"] = str(paths.artifact_dir / "fact_cache")
    if job.omit_event_data:
        env["RUNNER_OMIT_EVENTS"] = "true"
    if job.only_failed_event_data:
        env["RUNNER_ONLY_FAILED_EVENTS"] = "true"
    env["PLAYSTREAM_IDENT"] = job.ident
    env["PLAYSTREAM_EVENTS"] = str(paths.events)
    env["PLAYSTREAM_ORIGIN"] = str(paths.origin)
    env[SPOOL_VARIABLE] = str(paths.spool)
    return env
