"""The files of a private data directory's `env/`: read, checked, and never written.

They travel inside the Job and not in the tree, so that their secrets are never on the worker's disk.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.ident import is_text
from playstream.pipeline.isolation import read_isolation
from playstream.pipeline.passwords import check_passwords

ENV_FILES = ("envvars", "extravars", "passwords", "settings", "cmdline", "ssh_key")
"""The names in `env/` that playstream reads."""

_TIME_LIMITS = ("idle_timeout", "job_timeout", "pexpect_timeout", "subprocess_timeout")
_SWITCHES = ("suppress_output_file", "suppress_ansible_output", "pexpect_use_poll", "directory_isolation_cleanup")
_NAMES = ("fact_cache", "fact_cache_type", "directory_isolation_base_path")
_MAX_SECONDS = 10**10
"""Of a time limit: 300 years."""
_MAX_KEY = 1 << 15
"""Characters of a private key; it has to fit into a pipe. An RSA key of 16,384 bits has 13,000."""


@dataclass(frozen=True, slots=True)
class EnvFiles:
    """What `env/` holds; empty where a file is missing."""

    envvars: Mapping[str, str] = field(default_factory=dict)
    extravars: Mapping[str, Any] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    cmdline: tuple[str, ...] = ()
    ssh_key: str | None = None


def read_env_files(private_data_dir: Path) -> EnvFiles:
    """Read `env/` of a private data directory. Each file may be YAML, JSON or a FIFO.

    Raises:
        ConfigurationError: a file cannot be read or does not hold what it should; names the file and the line.
    """
    env = private_data_dir / "env"
    return EnvFiles(
        envvars=check_envvars(str(env / "envvars"), _read_mapping(env / "envvars")),
        extravars=_read_mapping(env / "extravars"),
        passwords=check_passwords(str(env / "passwords"), _read_mapping(env / "passwords")),
        settings=read_settings(private_data_dir),
        cmdline=split_words(str(env / "cmdline"), _read_text(env / "cmdline") or ""),
        ssh_key=check_ssh_key(str(env / "ssh_key"), _read_text(env / "ssh_key")),
    )


def read_settings(private_data_dir: Path) -> dict[str, Any]:
    """Read `env/settings`.

    Raises:
        ConfigurationError: it cannot be read or does not hold what it should; names the file and the line.
    """
    path = private_data_dir / "env" / "settings"
    return check_settings(str(path), _read_mapping(path))


def read_command_file(private_data_dir: Path) -> tuple[str, ...]:
    """The words of the file `args`, which take the place of the whole command line; none when there is no file.

    Raises:
        ConfigurationError: it cannot be read, or a quote is not closed.
    """
    path = private_data_dir / "args"
    return split_words(str(path), _read_text(path) or "")


class _Loader(yaml.SafeLoader):
    """YAML as JSON can carry it: dates stay text, and Ansible's own tags become what its JSON reader understands."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - overrides a class attribute of the base
        first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _construct_vault(loader: _Loader, node: yaml.ScalarNode) -> dict[str, Any]:
    return {"__ansible_vault": loader.construct_scalar(node)}


def _construct_unsafe(loader: _Loader, node: yaml.ScalarNode) -> dict[str, Any]:
    return {"__ansible_unsafe": loader.construct_scalar(node)}


_Loader.add_constructor("!vault", _construct_vault)
_Loader.add_constructor("!unsafe", _construct_unsafe)


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: expected UTF-8 text, got the byte {error.object[error.start]:#04x} at "
                                 f"position {error.start}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def _read_mapping(path: Path) -> dict[str, Any]:
    return parse_mapping(str(path), _read_text(path) or "")


def parse_mapping(source: str, text: str) -> dict[str, Any]:
    """Names with values, from YAML or JSON; empty text is no names. `source` names the file or argument in errors.

    Raises:
        ConfigurationError: it is something else; names the line.
    """
    if not text.strip():
        return {}
    try:
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - derives from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{source}{where}: not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{source}: not valid YAML: {str(error).splitlines()[0]}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{source}: expected names with values, got {_kind_of(values)}")
    for name in values:
        if not isinstance(name, str):
            raise ConfigurationError(f"{source}: expected text as a name, got {name!r}; put it in quotes")
    return check_json(source, values)


def check_json(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, known to be what JSON can carry to the worker.

    Raises:
        ConfigurationError: a value is of another kind, not a finite number, or contains itself.
    """
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{source}: a value cannot travel as JSON: {error}") from None
    return dict(values)


def _kind_of(value: object) -> str:
    return {"list": "a list", "str": "text"}.get(type(value).__name__, type(value).__name__)


def check_envvars(source: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Environment variables as text. `source` names the file or argument in errors.

    Raises:
        ConfigurationError: a name or value cannot be in an environment.
    """
    checked: dict[str, str] = {}
    for name, value in values.items():
        if not name or "=" in name or "\0" in name:
            raise ConfigurationError(f"{source}: {name!r} cannot name an environment variable")
        if isinstance(value, (dict, list)) or value is None:
            raise ConfigurationError(f"{source}: {name}: expected text or a number, got {_kind_of(value)}")
        text = str(value)
        if not is_text(name) or not is_text(text):
            raise ConfigurationError(
                f"{source}: {name!r}: a NUL or half a character (U+D800 to U+DFFF) cannot be in the environment"
            )
        checked[name] = text
    return checked


def check_settings(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings; those that playstream knows have the right type. Others are kept for plugins.

    Raises:
        ConfigurationError: a value is of the wrong type.
    """
    for name in _TIME_LIMITS:
        value = values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            raise ConfigurationError(f"{source}: {name}: expected seconds as a number, 0 for no limit, got {value!r}")
        if value is not None and not value <= _MAX_SECONDS:
            raise ConfigurationError(f"{source}: {name}: expected at most {_MAX_SECONDS} seconds; 0 is for no limit")
    for name in _SWITCHES:
        value = values.get(name)
        if value is not None and not isinstance(value, bool):
            raise ConfigurationError(f"{source}: {name}: expected true or false, got {value!r}")
    for name in _NAMES:
        value = values.get(name)
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{source}: {name}: expected text, got {_kind_of(value)}")
    _check_fact_cache(source, values.get("fact_cache"))
    read_isolation(source, values)
    return check_json(source, values)


def _check_fact_cache(source: str, name: str | None) -> None:
    """It is written where the job runs: below the artifacts, whoever asks."""
    if name and (name.startswith("/") or ".." in name.split("/") or not is_text(name)):
        raise ConfigurationError(
            f"{source}: fact_cache: expected the name of a directory in the artifacts, got {name!r}. For a cache "
            "elsewhere set fact_cache_type to '' and configure it in ansible.cfg"
        )


def check_ssh_key(source: str, text: str | None) -> str | None:
    """A private key, ended by a line end, without which ssh-add refuses it; None for none or an empty text.

    Raises:
        ConfigurationError: it is no private key. It is never shown.
    """
    if text is None or not text.strip():
        return None
    if not text.lstrip().startswith("-----BEGIN ") or "PRIVATE KEY" not in text:
        raise ConfigurationError(
            f"{source}: expected a private key, which begins with -----BEGIN … PRIVATE KEY-----. A public key or a "
            "path is no private key: give the text of the file"
        )
    if len(text) > _MAX_KEY:
        raise ConfigurationError(f"{source}: expected a private key of at most {_MAX_KEY} characters, got {len(text)}")
    return text.strip().replace("\r\n", "\n") + "\n"


def split_words(source: str, text: str) -> tuple[str, ...]:
    """Words of a command line, split as a shell splits them; nothing is expanded.

    Raises:
        ConfigurationError: a quote is not closed.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigurationError(f"{source}: {text.strip()!r} cannot be split into words: {error}") from None
