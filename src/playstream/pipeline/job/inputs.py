"""The files of a private data directory's `env/`: read, checked, and never written.

They are sent inside the Job and not in the tree, so that their secrets are never written to the worker's disk.
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
from playstream.pipeline.io.small_files import MAX_BYTES, read_text
from playstream.pipeline.job.fast import FAST, check_fast
from playstream.pipeline.job.ident import is_text
from playstream.pipeline.job.isolation import ISOLATION_KEYS, check_isolation
from playstream.pipeline.job.passwords import check_passwords
from playstream.pipeline.job.plain import copy_plain, too_deep
from playstream.pipeline.job.yaml_loader import ExactLoader, Loader, TooLarge
from playstream.pipeline.limits import check_seconds

ENV_FILES = ("envvars", "extravars", "passwords", "settings", "cmdline", "ssh_key")
"""The names in `env/` that playstream reads."""

VAULT_HEAD = "$ANSIBLE_VAULT;"
"""The beginning of a text that is encrypted as a whole by ansible-vault."""

_TIME_LIMITS = ("idle_timeout", "job_timeout", "pexpect_timeout", "subprocess_timeout")
_SWITCHES = ("suppress_output_file", "suppress_ansible_output", "pexpect_use_poll", "directory_isolation_cleanup")
_NAMES = ("fact_cache", "fact_cache_type", "directory_isolation_base_path")
SETTINGS = (*_TIME_LIMITS, *_SWITCHES, *_NAMES, FAST, *sorted(ISOLATION_KEYS))
"""The names of the settings that playstream reads."""
_MAX_KEY = 1 << 15
"""Maximum length of a private key, which has to fit into a pipe. An RSA key of 16,384 bits has 13,000 characters."""


@dataclass(frozen=True, slots=True)
class EnvFiles:
    """The content of `env/`; empty for each missing file."""

    envvars: Mapping[str, str] = field(default_factory=dict)
    extravars: str | None = None
    """The text of the file, which may be vaulted."""
    passwords: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    cmdline: tuple[str, ...] = ()
    ssh_key: str | None = None


def read_env_files(private_data_dir: Path) -> EnvFiles:
    """Read `env/` of a private data directory. Each file may be YAML, JSON or a FIFO.

    Raises:
        ConfigurationError: a file cannot be read, is too large or has invalid content; names the file and the line.
    """
    env = private_data_dir / "env"
    return EnvFiles(
        envvars=check_envvars(str(env / "envvars"), _read_mapping(private_data_dir, "env/envvars")),
        extravars=read_extravars_text(env / "extravars", private_data_dir) or None,
        passwords=check_passwords(str(env / "passwords"), _read_mapping(private_data_dir, "env/passwords")),
        settings=read_settings(private_data_dir),
        cmdline=split_words(str(env / "cmdline"), read_text(env / "cmdline", private_data_dir) or ""),
        ssh_key=check_ssh_key(str(env / "ssh_key"), read_text(env / "ssh_key", private_data_dir)),
    )


def read_settings(private_data_dir: Path) -> dict[str, Any]:
    """Read `env/settings`.

    Raises:
        ConfigurationError: it cannot be read or has invalid content; names the file and the line.
    """
    return check_settings(str(private_data_dir / "env" / "settings"), _read_mapping(private_data_dir, "env/settings"))


def read_command_file(private_data_dir: Path) -> tuple[str, ...]:
    """Read the arguments in the file `args`, which replace the whole command line; empty if there is no file.

    Raises:
        ConfigurationError: it cannot be read, or a quote is not closed.
    """
    path = private_data_dir / "args"
    return split_words(str(path), read_text(path, private_data_dir) or "")


def _read_mapping(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name
    return parse_mapping(str(path), read_text(path, directory) or "")


def read_extravars_text(path: Path, directory: Path) -> str | None:
    """Read a file of extra variables, vaulted or not; empty if it has none, None if there is no file.

    Args:
        path: a file or a FIFO.
        directory: the directory that a FIFO must lie in.

    Raises:
        ConfigurationError: it cannot be read, or is neither names with values nor vaulted; names the line.
    """
    text = read_text(path, directory)
    return None if text is None else check_extravars_text(str(path), text)


def check_extravars_text(source: str, text: str) -> str:
    """Check the text of extra variables, vaulted or not, and return it; empty if it has none.

    `source` is its name for errors.

    Raises:
        ConfigurationError: it is neither names with values nor vaulted; names the line.
    """
    if text.startswith(VAULT_HEAD):
        return text
    return text if load_mapping(source, text, ExactLoader) else ""


def parse_mapping(source: str, text: str) -> dict[str, Any]:
    """Parse a mapping of names to values from YAML or JSON. `source` is the name of the file or argument, for errors.

    Raises:
        ConfigurationError: it is something else; names the line.
    """
    return check_json(source, load_mapping(source, text, Loader), paths=True)


def load_mapping(source: str, text: str, loader: type[ExactLoader]) -> dict[Any, Any]:
    """Parse a mapping as `parse_mapping` does, but with the given loader.

    Raises:
        ConfigurationError: it is something else; names the line.
    """
    if not text.strip():
        return {}
    try:
        values = _load(text, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{source}{where}: not valid YAML: {error.problem}") from None
    except TooLarge:
        raise ConfigurationError(
            f"{source}: expected at most {MAX_BYTES} characters after its aliases (*name) are expanded, got more"
        ) from None
    except RecursionError:
        raise too_deep(source) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{source}: not valid YAML: {str(error).splitlines()[0]}") from None
    except (LookupError, TypeError, AttributeError, OverflowError):  # PyYAML's for `!!int ""`, `!!bool x` and the like
        raise ConfigurationError(f"{source}: not valid YAML: a value does not match its tag (!!name)") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        hint = ""
        if isinstance(values, str) and values.startswith(VAULT_HEAD):
            hint = (
                ", encrypted by ansible-vault. Only files with extra variables may be encrypted, because Ansible reads "
                "them itself"
            )
        raise ConfigurationError(f"{source}: expected a mapping of names to values, got {_kind_of(values)}{hint}")
    return values


def _load(text: str, loader: type[ExactLoader]) -> Any:
    """Parse JSON or YAML. Nearly all JSON is YAML too, but the JSON parser is much faster."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            pass  # `{a: b}` is YAML only
    return yaml.load(text, Loader=loader)  # noqa: S506 - derives from SafeLoader


def check_json(source: str, values: Mapping[Any, Any], *, paths: bool = False) -> dict[str, Any]:
    """Check that JSON can represent `values`, and return a copy. `paths` as in `copy_plain`.

    Raises:
        ConfigurationError: a value is of another kind, not a finite number, contains itself, or is nested too deeply;
            names the value.
    """
    return copy_plain(source, values, paths=paths)[0]


def _kind_of(value: object) -> str:
    return {"list": "a list", "str": "a string"}.get(type(value).__name__, type(value).__name__)


def check_envvars(source: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return environment variables as text. `source` is the name of the file or argument, for errors.

    Raises:
        ConfigurationError: a name or value cannot be in an environment.
    """
    checked: dict[str, str] = {}
    for name, value in values.items():
        if not name or "=" in name or "\0" in name:
            raise ConfigurationError(f"{source}: {name!r} is not a valid name of an environment variable")
        if isinstance(value, (dict, list)) or value is None:
            raise ConfigurationError(f"{source}: {name}: expected a string or a number, got {_kind_of(value)}")
        text = str(value)
        if not is_text(name) or not is_text(text):
            raise ConfigurationError(
                f"{source}: {name!r}: a NUL or a lone surrogate (U+D800 to U+DFFF) cannot be part of the environment"
            )
        checked[name] = text
    return checked


def check_settings(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the types of the settings that playstream knows. Other settings are kept for plugins.

    Raises:
        ConfigurationError: a value is of the wrong type.
    """
    for name in _TIME_LIMITS:
        value = values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            raise ConfigurationError(f"{source}: {name}: expected a number of seconds (0 for no limit), got {value!r}")
        if value is not None:
            check_seconds(f"{source}: {name}", value)
    for name in _SWITCHES:
        value = values.get(name)
        if value is not None and not isinstance(value, bool):
            raise ConfigurationError(f"{source}: {name}: expected true or false, got {value!r}")
    check_fast(source, values.get(FAST))
    for name in _NAMES:
        value = values.get(name)
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{source}: {name}: expected a string, got {_kind_of(value)}")
    for name in (*_NAMES, *ISOLATION_KEYS):
        _check_texts(f"{source}: {name}", values.get(name))
    _check_fact_cache(source, values.get("fact_cache"))
    check_isolation(source, values)
    return check_json(source, values, paths=True)


def is_utf8(text: str) -> bool:
    """Return whether text can be encoded as UTF-8 without NUL. Paths may have other bytes (see `is_text`)."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _check_texts(source: str, value: Any) -> None:
    """Check that the strings of a setting can be used as paths or arguments, or as login data in a file."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    usable = is_utf8 if isinstance(value, dict) else is_text
    if not all(usable(item) for item in items if isinstance(item, str)):
        raise ConfigurationError(f"{source}: it contains a NUL or a lone surrogate (U+D800 to U+DFFF)")


def _check_fact_cache(source: str, name: str | None) -> None:
    """Check that the fact cache is below the artifacts, because it is written where the job runs."""
    if name and (name.startswith("/") or ".." in name.split("/")):
        raise ConfigurationError(
            f"{source}: fact_cache: expected the name of a directory in the artifacts, got {name!r}. For a cache "
            "elsewhere set fact_cache_type to '' and configure it in ansible.cfg"
        )


def check_ssh_key(source: str, text: str | None) -> str | None:
    """Check a private key and add a final line end, which ssh-add requires. Return None for None or an empty text.

    Raises:
        ConfigurationError: it is not a private key. It is never shown.
    """
    if text is None or not text.strip():
        return None
    if not text.lstrip().startswith("-----BEGIN ") or "PRIVATE KEY" not in text:
        raise ConfigurationError(
            f"{source}: expected a private key, which begins with -----BEGIN … PRIVATE KEY-----. A public key or a "
            "path is not accepted: pass the content of the file"
        )
    if len(text) > _MAX_KEY:
        raise ConfigurationError(f"{source}: expected a private key of at most {_MAX_KEY} characters, got {len(text)}")
    return text.strip().replace("\r\n", "\n") + "\n"


def split_words(source: str, text: str) -> tuple[str, ...]:
    """Split a command line into words as a shell does, without expanding anything.

    Raises:
        ConfigurationError: a quote is not closed.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigurationError(f"{source}: {text.strip()!r} cannot be split into words: {error}") from None
