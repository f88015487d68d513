"""Values that programs take from ansible-runner, and that can be set there."""

from playstream.worker.cleanup import DEFAULT_GRACE_MINUTES as GRACE_PERIOD_DEFAULT

__all__ = [
    "AUTO_CREATE_DIR",
    "AUTO_CREATE_NAMING",
    "GRACE_PERIOD_DEFAULT",
    "default_process_isolation_executable",
    "registry_auth_prefix",
]

default_process_isolation_executable = "podman"
registry_auth_prefix = "ansible_runner_registry_"
"""Nothing of this name is made here; programs that remove what is called so find nothing."""

AUTO_CREATE_NAMING = ".ansible-runner-"
"""How the name of a private data directory begins that a RunnerConfig makes because it was given none."""
AUTO_CREATE_DIR: str | None = None
"""Where it is made; None for the directory of temporary files."""
