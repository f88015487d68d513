"""The environment that Ansible is started with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from playstream.pipeline.ansible_config import AnsibleConfig, find_ansible_config
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Job
from playstream.pipeline.roles import own_role_directories, role_directories
from playstream.worker.paths import Paths
from playstream.worker.run_files import Seen

SPOOL_VARIABLE = "PLAYSTREAM_SPOOL"
"""In the environment of every process of a job: marks them as that spool's."""


def make_environment(job: Job, paths: Paths, plugin_dir: Path, seen: Seen, *, inherit: bool) -> dict[str, str]:
    """The variables of the job: this host's if `inherit`, the caller's, and those that collect events and facts.

    Args:
        job: what is to be run.
        paths: its places on this host.
        plugin_dir: the directory of the callback plugin.
        seen: what a path is called where the job runs.
        inherit: False where this host's environment means nothing, as in a container.

    Raises:
        ConfigurationError: ansible.cfg has what no variable can have.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PLAYSTREAM_")} if inherit else {}
    env.update(job.envvars)
    config = find_ansible_config(env, paths.cwd, only_project=not inherit)
    env.update(_search_paths(job, paths, plugin_dir, seen, env, config))
    if any("\0" in value for value in env.values()):
        raise ConfigurationError(f"{config.path}: expected no NUL, got one in home, callback_plugins or roles_path")
    env.update(_fact_cache(job, paths, seen, env, config))
    if job.module:
        env["ANSIBLE_LOAD_CALLBACK_PLUGINS"] = "1"
        env.setdefault("AD_HOC_COMMAND_ID", "1")  # ansible-runner's events of a module have it always
    if job.ssh_key:
        # Connections that this key opened are no other run's to use, and end with this one.
        env["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(seen(paths.control))
    if job.omit_event_data:
        env["RUNNER_OMIT_EVENTS"] = "true"
    if job.only_failed_event_data:
        env["RUNNER_ONLY_FAILED_EVENTS"] = "true"
    env["PLAYSTREAM_IDENT"] = job.ident
    env["PLAYSTREAM_EVENTS"] = str(seen(paths.events))
    env["PLAYSTREAM_ORIGIN"] = str(seen(paths.origin))
    env[SPOOL_VARIABLE] = str(paths.spool)
    return env


def _search_paths(
    job: Job, paths: Paths, plugin_dir: Path, seen: Seen, env: Mapping[str, str], config: AnsibleConfig
) -> dict[str, str]:
    """Search paths with ours in front of what the user's environment, configuration or Ansible's default says."""
    home = env.get("ANSIBLE_HOME") or config.get("home") or "~/.ansible"

    def extend(variable: str, setting: str, added: list[Path], *defaults: str) -> str:
        given = env[variable].split(":") if env.get(variable) else config.get_paths(setting)
        return ":".join([*(str(seen(path)) for path in added), *(defaults if given is None else given)])

    found = {
        "ANSIBLE_CALLBACK_PLUGINS": extend(
            "ANSIBLE_CALLBACK_PLUGINS", "callback_plugins", [plugin_dir],
            f"{home}/plugins/callback", "/usr/share/ansible/plugins/callback",
        )
    }
    if job.role or job.plays or job.roles_path:
        own = [str(seen(path)) for path in own_role_directories(job, paths.private_data_dir, paths.project)]
        found["ANSIBLE_ROLES_PATH"] = ":".join(role_directories(own, env, config))
    return found


def _fact_cache(
    job: Job, paths: Paths, seen: Seen, env: Mapping[str, str], config: AnsibleConfig
) -> dict[str, str]:
    """Facts go to the artifacts unless the user has a cache of their own."""
    kind = job.settings.get("fact_cache_type", "jsonfile")
    if not kind or "ANSIBLE_CACHE_PLUGIN" in env or config.get("fact_caching") is not None:
        return {}
    if kind != "jsonfile":
        return {"ANSIBLE_CACHE_PLUGIN": kind}
    return {
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(seen(fact_cache_dir(job, paths))),
    }


def fact_cache_dir(job: Job, paths: Paths) -> Path:
    """The directory of the facts, a file for each host."""
    return paths.artifact_dir / (job.settings.get("fact_cache") or "fact_cache")
