"""Logging in to the registry that an image comes from: files for the engine, out of the container's sight."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

from playstream.pipeline.job.isolation import RegistryAuth
from playstream.worker.run_files import write_private


@dataclass(frozen=True, slots=True)
class Login:
    """What the engine is started with."""

    global_options: tuple[str, ...] = ()
    """Before `run`."""
    options: tuple[str, ...] = ()
    """After `run`."""
    env: dict[str, str] = field(default_factory=dict)


def write_login(engine: str, auth: RegistryAuth, directory: Path) -> Login:
    """Write the files into a new, private directory.

    `verify_ssl` is podman's alone: for docker a registry without TLS is a matter of the daemon's configuration.

    Raises:
        OSError: the directory is there already, or cannot be made.
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
        # The second is read by podman before 3.1.
        env = {"CONTAINERS_REGISTRIES_CONF": str(config), "REGISTRIES_CONFIG_PATH": str(config)}
    return Login(options=(f"--authfile={path}",), env=env)
