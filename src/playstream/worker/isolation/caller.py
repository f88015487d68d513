"""The caller's ssh, for a command of the caller's own (`run_command`) in a container, as ansible-runner gives it."""

from __future__ import annotations

import os

from playstream.worker.isolation.mounts import Mount

_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
_SSH_PLACES = ("/home/runner/.ssh", "/root/.ssh")
"""Homes in the images that are made for Ansible, and in others."""


def find_callers_ssh() -> tuple[list[Mount], dict[str, str]]:
    """Return mounts and variables for the caller's keys and configuration, known hosts and agent, if they exist."""
    mounts = []
    ssh = os.path.expanduser("~/.ssh")
    if os.path.isdir(ssh):
        mounts += [Mount(ssh, place) for place in _SSH_PLACES]
    if os.path.isfile(_KNOWN_HOSTS):
        mounts.append(Mount(_KNOWN_HOSTS, _KNOWN_HOSTS))
    agent = os.environ.get("SSH_AUTH_SOCK", "")
    if not agent or not os.path.exists(agent):
        return mounts, {}
    return [*mounts, Mount(agent, agent)], {"SSH_AUTH_SOCK": agent}
