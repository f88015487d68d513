"""A job's variables on their way through a container engine.

`--env NAME` takes the value from the engine's own environment: values of many lines work, and nothing is in a file or
on a command line. The engine must not take them for its own, though.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ENGINES_OWN = re.compile(
    # The loader, libc and the shell, for the engine and all that it starts (conmon, runc, helpers, a docker that is a
    # script); the Go runtime and its libraries.
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|TMPDIR|IFS|ENV|BASH_ENV|BASH_FUNC_.*|LD_.*|GLIBC_TUNABLES|GCONV_PATH"
    r"|MALLOC_.*|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|RESOLV_HOST_CONF|NSS_.*"
    r"|GO(?:DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK|ROOT|COVERDIR)|SSL_CERT_(?:FILE|DIR)"
    # The engines: where they keep things, whom they talk to, and what was handed to them.
    r"|XDG_.*|DBUS_.*|GNUPGHOME|GPG_.*|NOTIFY_SOCKET|LISTEN_(?:FDS|PID|FDNAMES)|SSH_AUTH_SOCK|REGISTRY_AUTH_FILE"
    r"|REGISTRIES_CONFIG_PATH|CONTAINER_SSHKEY|_?CONTAINERS?_.*|PODMAN_.*|BUILDAH_.*|STORAGE_(?:DRIVER|OPTS)"
    r"|DOCKER_.*|NETAVARK_.*|_LIBCONTAINER_.*|_OCI_.*",
    re.DOTALL,
)
_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|AUTH", re.IGNORECASE)
_NEVER_SECRET = {"SSH_AUTH_SOCK", "REGISTRY_AUTH_FILE", "CONTAINER_SSHKEY"}
"""Paths, in spite of their names."""


def pass_variables(job: Mapping[str, str], engine: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The engine's options and environment that give a container the job's variables.

    Args:
        job: the variables of the job.
        engine: the environment that the engine needs itself.
    """
    options: list[str] = []
    env = dict(engine)
    for name, value in sorted(job.items()):
        if _is_engines_own(name):
            # By its value, on the command line: in the engine's environment it would change the engine, so a job with
            # a PATH of its image would keep podman from finding runc. None of these is a secret.
            options += ["--env", f"{name}={value}"]
        else:
            options += ["--env", name]
            env[name] = value
    return options, env


def _is_engines_own(name: str) -> bool:
    # A secret is worth more: DOCKER_AUTH_CONFIG or CONTAINER_TOKEN in the engine's environment does the less harm.
    # (A name that ends in * stands for many to podman.)
    own = bool(_ENGINES_OWN.fullmatch(name)) and not (_SECRET.search(name) and name not in _NEVER_SECRET)
    return own or name.endswith("*")
