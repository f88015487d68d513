"""Checking the isolation settings of a job: `process_isolation*`, `container_*` and related ones.

Names and meanings are those of ansible-runner. `worker/isolation` checks what is only known where the job runs, such as
whether the engine or a path exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.container_options import check_container_options

CONTAINER_ENGINES = ("podman", "docker")
DEFAULT_EXECUTABLE = "podman"
DEFAULT_ISOLATION_PATH = "/tmp"  # noqa: S108 - ansible-runner's default; nothing is created there
INSIDE = Path("/runner")
"""The private data directory in a container, as in ansible-runner."""
ISOLATION_KEYS = frozenset(
    {
        "process_isolation",
        "process_isolation_executable",
        "process_isolation_path",
        "process_isolation_hide_paths",
        "process_isolation_show_paths",
        "process_isolation_ro_paths",
        "container_image",
        "container_volume_mounts",
        "container_options",
        "container_auth_data",
        "container_workdir",
        "host_cwd",
    }
)
"""The settings that `read_isolation` reads."""

_REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/\[\]-]*")
_MOUNT_OPTIONS = re.compile(r"[A-Za-z0-9_=,.+-]+")


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    """How to log in to the registry of the image."""

    host: str
    username: str
    password: str = field(repr=False)
    verify_ssl: bool = True


@dataclass(frozen=True, slots=True)
class Isolation:
    """The isolation of a job."""

    executable: str = DEFAULT_EXECUTABLE
    """podman, docker or bwrap: a name that is looked up on PATH, or a path that ends with one of these."""
    image: str = ""
    """The container's image; empty for bwrap."""
    volume_mounts: tuple[str, ...] = ()
    """HOST:CONTAINER or HOST:CONTAINER:OPTIONS; ~ and variables in HOST are the worker's."""
    options: tuple[str, ...] = ()
    """Arguments of the engine's `run`, after playstream's own."""
    auth: RegistryAuth | None = None
    workdir: str | None = None
    """The working directory inside the container; takes precedence over `host_cwd`."""
    host_cwd: str | None = None
    """A directory of the host that is mounted at the same path and used as the working directory inside."""
    isolation_path: str = DEFAULT_ISOLATION_PATH
    """bwrap: a directory that is private inside, like /tmp."""
    hide_paths: tuple[str, ...] = ()
    show_paths: tuple[str, ...] = ()
    ro_paths: tuple[str, ...] = ()

    @property
    def engine(self) -> str:
        """The executable's bare name."""
        return PurePath(self.executable).name

    @property
    def containerized(self) -> bool:
        """True for podman and docker, False for bwrap."""
        return self.engine in CONTAINER_ENGINES


_NEEDS_ISOLATION = (
    "container_volume_mounts",
    "container_options",
    "container_auth_data",
    "process_isolation_hide_paths",
    "process_isolation_show_paths",
    "process_isolation_ro_paths",
    "process_isolation_path",
    "process_isolation_executable",
)
"""Settings that have an effect only for an isolated job."""
_DEFAULTS = {"process_isolation_path": DEFAULT_ISOLATION_PATH, "process_isolation_executable": DEFAULT_EXECUTABLE}
"""Defaults of settings. A setting that has its default value does not request isolation."""


def read_isolation(source: str, settings: Mapping[str, Any]) -> Isolation | None:
    """Return the isolation that settings request. An image requests a container unless `process_isolation` is false.

    Args:
        source: the name of the file or argument, for errors.
        settings: settings; only those in ISOLATION_KEYS are read.

    Returns:
        None if the job runs without isolation.

    Raises:
        ConfigurationError: a value has the wrong type or form, the executable is unknown, the image is missing, or a
            setting of the isolation is given but no isolation is requested.
    """
    isolation = check_isolation(source, settings)
    said = settings.get("process_isolation")
    if said is None and isolation.image and not isolation.containerized:
        raise ConfigurationError(
            f"{source}: container_image requires a container engine, but process_isolation_executable is "
            f"{isolation.executable!r}. Omit one of the two, or set process_isolation"
        )
    given = [name for name in _NEEDS_ISOLATION if settings.get(name) and settings[name] != _DEFAULTS.get(name)]
    if said is None and not isolation.image and given:
        raise ConfigurationError(
            f"{source}: {given[0]} only applies to an isolated job, and isolation is not enabled. Enable it "
            f"with process_isolation or container_image, or omit {given[0]}"
        )
    wanted = bool(isolation.image) if said is None else said
    return _check_use(source, isolation) if wanted else None


def check_isolation(source: str, settings: Mapping[str, Any]) -> Isolation:
    """Check isolation settings that other settings may complete. The arguments are those of `read_isolation`.

    Raises:
        ConfigurationError: a value is of the wrong type or form.
    """
    _flag(source, settings, "process_isolation", default=False)
    isolation = Isolation(
        executable=_text(source, settings, "process_isolation_executable") or DEFAULT_EXECUTABLE,
        image=_text(source, settings, "container_image") or "",
        volume_mounts=_words(source, settings, "container_volume_mounts"),
        options=_words(source, settings, "container_options"),
        auth=_read_auth(source, settings.get("container_auth_data")),
        workdir=_absolute(source, settings, "container_workdir"),
        host_cwd=_text(source, settings, "host_cwd"),
        isolation_path=_text(source, settings, "process_isolation_path") or DEFAULT_ISOLATION_PATH,
        hide_paths=_words(source, settings, "process_isolation_hide_paths", one=True),
        show_paths=_words(source, settings, "process_isolation_show_paths", one=True),
        ro_paths=_words(source, settings, "process_isolation_ro_paths", one=True),
    )
    for mount in isolation.volume_mounts:
        split_mount(f"{source}: container_volume_mounts", mount)
    return isolation


def split_mount(source: str, mount: str) -> tuple[str, str, str]:
    """Split HOST:CONTAINER[:OPTIONS] into its three parts; the last may be empty.

    Raises:
        ConfigurationError: it has another form.
    """
    host, _, rest = mount.partition(":")
    inside, _, options = rest.partition(":")
    if not host or not inside.startswith("/") or (options and not _MOUNT_OPTIONS.fullmatch(options)):
        raise ConfigurationError(
            f"{source}: expected HOST_PATH:CONTAINER_PATH or HOST_PATH:CONTAINER_PATH:OPTIONS with an absolute path "
            f"in the container, as in '/srv/keys:/keys:ro', got {mount!r}"
        )
    return host, inside, options


def _check_use(source: str, isolation: Isolation) -> Isolation:
    if not isolation.containerized and isolation.engine != "bwrap":
        raise ConfigurationError(
            f"{source}: process_isolation_executable: expected podman, docker or bwrap, or the path of one, got "
            f"{isolation.executable!r}"
        )
    if isolation.containerized and not isolation.image:
        raise ConfigurationError(
            f"{source}: container_image: process_isolation with {isolation.engine} requires an image to run the job "
            "in, got none. Choose one that contains ansible-core, or set process_isolation_executable to bwrap"
        )
    if isolation.image.startswith("-") or any(character.isspace() for character in isolation.image):
        raise ConfigurationError(
            f"{source}: container_image: expected the name of an image, as in 'quay.io/org/ee:latest', got "
            f"{isolation.image!r}"
        )
    if isolation.containerized:
        check_container_options(source, isolation.options)
    return isolation


def _flag(source: str, settings: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = settings.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ConfigurationError(f"{source}: {key}: expected true or false, got {value!r}; write it without quotes")
    return value


def _text(source: str, settings: Mapping[str, Any], key: str) -> str | None:
    value = settings.get(key)
    if value is not None and (not isinstance(value, str) or "\0" in value):
        raise ConfigurationError(f"{source}: {key}: expected a string, got {value!r}")
    return value or None


def _absolute(source: str, settings: Mapping[str, Any], key: str) -> str | None:
    value = _text(source, settings, key)
    if value is not None and not value.startswith("/"):
        raise ConfigurationError(
            f"{source}: {key}: expected an absolute path in the container, as in '/runner/project', got {value!r}"
        )
    return value


def _words(source: str, settings: Mapping[str, Any], key: str, *, one: bool = False) -> tuple[str, ...]:
    """Return a list of strings; with `one`, a single string is a list of one."""
    value = settings.get(key)
    if value is None or value == "":
        return ()
    if one and isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise ConfigurationError(f"{source}: {key}: expected a list of strings, got {value!r}; write it as [{value!r}]")
    for item in value:
        if not isinstance(item, str) or not item or "\0" in item:
            raise ConfigurationError(f"{source}: {key}: expected a list of strings, got {item!r} in it")
    return tuple(value)


def _read_auth(source: str, data: Any) -> RegistryAuth | None:
    """Read the login data. Errors never show the values, because one is a password."""
    key = f"{source}: container_auth_data"
    if not data and data in (None, {}, ""):
        return None
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"{key}: expected host, username and password, got {type(data).__name__}")
    for name in ("host", "username", "password"):
        if not isinstance(data.get(name), str) or not data[name]:
            raise ConfigurationError(
                f"{key}: {name}: expected a string, got "
                f"{'nothing' if data.get(name) in (None, '') else type(data[name]).__name__}; put it in quotes"
            )
    if not _REGISTRY.fullmatch(data["host"]):
        raise ConfigurationError(
            f"{key}: host: expected a registry's name without https://, as in 'quay.io' or 'registry:5000', got "
            f"{data['host']!r}"
        )
    verify = _flag(key, data, "verify_ssl", default=True)
    return RegistryAuth(data["host"], data["username"], data["password"], verify)
