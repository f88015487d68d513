"""Values that programs read from ansible-runner, or set there."""

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
"""Prefix of directories that ansible-runner creates and programs remove. playstream creates none."""

AUTO_CREATE_NAMING = ".ansible-runner-"
"""Prefix of the private data directory that a RunnerConfig creates if none is given."""
AUTO_CREATE_DIR: str | None = None
"""Directory to create it in; None for the directory of temporary files."""
