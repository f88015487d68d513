"""Logging in to the registry of an image: files for the engine that the container does not see."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

from playstream.pipeline.job.isolation import RegistryAuth
from playstream.worker.run_files import write_private


@dataclass(frozen=True, slots=True)
class Login:
    """Options and variables of the engine."""

    global_options: tuple[str, ...] = ()
    """Options before `run`."""
    options: tuple[str, ...] = ()
    """Options after `run`."""
    env: dict[str, str] = field(default_factory=dict)


def write_login(engine: str, auth: RegistryAuth, directory: Path) -> Login:
    """Write the files into a new, private directory.

    `verify_ssl` only affects podman: docker's daemon has its own configuration of registries without TLS.

    Raises:
        OSError: the directory exists, or cannot be created.
        JobError: a file cannot be written.
    """
    directory.mkdir(mode=0o700)
    token = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
    path = directory / ("config.json" if engine == "docker" else "auth.json")
    write_private(path, json.dumps({"auths": {auth.host: {"auth": token}}}))
    if engine == "docker":
        return Login(global_options=(f"--config={directory}",))
    env: dict[str, str] = {}
    if not auth.verify_ssl:
        config = directory / "registries.conf"
        write_private(config, f'[[registry]]\nlocation = "{auth.host}"\ninsecure = true\n')
        # podman before 3.1 reads the second.
        env = {"CONTAINERS_REGISTRIES_CONF": str(config), "REGISTRIES_CONFIG_PATH": str(config)}
    return Login(options=(f"--authfile={path}",), env=env)
