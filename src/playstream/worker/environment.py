"""The environment of Ansible."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.ansible_config import AnsibleConfig, find_ansible_config
from playstream.pipeline.job.galaxy import COLLECTION_PATH, ROLE_PATH, add_directory
from playstream.pipeline.job.roles import own_role_directories
from playstream.pipeline.protocol import Job
from playstream.worker.paths import CACHE_PLUGIN_DIR, PLUGIN_DIR, Paths
from playstream.worker.run_files import Seen

SPOOL_VARIABLE = "PLAYSTREAM_SPOOL"
"""A variable of every process of a job, which names its spool."""


def make_environment(job: Job, paths: Paths, seen: Seen, *, inherit: bool) -> dict[str, str]:
    """Return the job's variables: this host's if `inherit`, the caller's, and those for events and facts.

    Args:
        job: the job.
        paths: its paths on this host.
        seen: converts a path to its name where the job runs.
        inherit: False if this host's environment does not apply, as in a container.

    Raises:
        ConfigurationError: ansible.cfg has a value that no variable can have.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PLAYSTREAM_")} if inherit else {}
    env.update(job.envvars)
    config = find_ansible_config(env, paths.cwd, only_project=not inherit)
    source = config.path
    if source is not None:
        config = replace(config, path=seen(source))  # what is relative to it is in the container too
    found = {"ANSIBLE_CALLBACK_PLUGINS": _plugin_path("callback", seen(PLUGIN_DIR), env, config)}
    found |= _search_paths(job, paths, seen, env, config)
    env.update(found, **_fact_cache(job, paths, seen, env, config))
    if any("\0" in value for value in env.values()):
        raise ConfigurationError(
            f"{source}: expected no NUL, got one in home, callback_plugins, cache_plugins, collections_path or "
            "roles_path"
        )
    if job.module:
        env["ANSIBLE_LOAD_CALLBACK_PLUGINS"] = "1"
        env.setdefault("AD_HOC_COMMAND_ID", "1")  # events of a module always have it in ansible-runner
    if job.ssh_key:
        # Connections opened with this key must not be used by other runs, and must end with this one.
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


def _search_paths(job: Job, paths: Paths, seen: Seen, env: Mapping[str, str], config: AnsibleConfig) -> dict[str, str]:
    """Return the variables for the search for roles and collections, where Ansible's own search is not enough."""
    found = {}
    own: list[str] = []
    if job.role or job.plays or job.roles_path:
        own = [str(seen(path)) for path in own_role_directories(job, paths.private_data_dir, paths.project)]
        found["ANSIBLE_ROLES_PATH"] = ":".join([*own, *ROLE_PATH.directories(env, config)])
    if paths.galaxy is None:
        return found
    inside = [seen(directory) for directory in (paths.private_data_dir, paths.project)]
    cwd = seen(paths.cwd)

    def is_inside(directory: str) -> bool:
        whole = Path(os.path.normpath(cwd / os.path.expanduser(directory)))
        return any(whole.is_relative_to(place) for place in inside)

    for path, first in ((COLLECTION_PATH, []), (ROLE_PATH, own)):
        if (paths.galaxy / path.kind).is_dir():
            given = path.directories(env, config)
            added = add_directory(given, str(seen(paths.galaxy / path.kind)), is_inside)
            found[path.variables[0]] = ":".join([*first, *added])
    return found


def _plugin_path(kind: str, own: Path, env: Mapping[str, str], config: AnsibleConfig) -> str:
    """Return playstream's plugin directory, then those of the environment, of ansible.cfg or Ansible's default."""
    given = env.get(f"ANSIBLE_{kind.upper()}_PLUGINS")
    places = given.split(":") if given else config.get_paths(f"{kind}_plugins")
    if places is None:
        home = env.get("ANSIBLE_HOME") or config.get("home") or "~/.ansible"
        places = [f"{home}/plugins/{kind}", f"/usr/share/ansible/plugins/{kind}"]
    return ":".join([str(own), *places])


def _fact_cache(job: Job, paths: Paths, seen: Seen, env: Mapping[str, str], config: AnsibleConfig) -> dict[str, str]:
    """Return the variables that write facts to the artifacts, unless the user has configured a cache."""
    kind = job.settings.get("fact_cache_type", "jsonfile")
    if not kind or "ANSIBLE_CACHE_PLUGIN" in env or config.get("fact_caching") is not None:
        return {}
    if kind != "jsonfile":
        return {"ANSIBLE_CACHE_PLUGIN": kind}
    return {
        "ANSIBLE_CACHE_PLUGIN": "playstream",  # the same files as jsonfile, at a lower cost
        "ANSIBLE_CACHE_PLUGINS": _plugin_path("cache", seen(CACHE_PLUGIN_DIR), env, config),
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(seen(fact_cache_dir(job, paths))),
    }


def fact_cache_dir(job: Job, paths: Paths) -> Path:
    """Return the directory of the facts, which has a file for each host."""
    return paths.artifact_dir / (job.settings.get("fact_cache") or "fact_cache")
