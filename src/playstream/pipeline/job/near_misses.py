"""Warnings about names that are nearly those of settings, passwords or files of `env/`, and have no effect.

Other names are not errors: settings may be those of plugins, and the name of a password may be a regular expression.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from playstream.pipeline.errors import did_you_mean
from playstream.pipeline.job.inputs import ENV_FILES, SETTINGS
from playstream.pipeline.job.passwords import NAMES, VAULT

_logger = logging.getLogger("playstream")
_LIKENESS: Final = 0.75
"""How much a name must be like another one, so that names of plugins' settings are not taken for mistakes."""
_REGISTRY_KEYS = ("host", "username", "password", "verify_ssl")
_WORD = re.compile(r"[A-Za-z_-]+(?::.*)?")
"""What a regular expression of a prompt seldom is."""
_SEPARATED = re.compile(r"vault[-_.](?!pass)([A-Za-z0-9_.-]+)")
"""A vault ID after another character than a colon."""
_OTHER_NAMES = {
    "ssh_pass": "ssh",
    "ssh_password": "ssh",
    "sudo": "become",
    "sudo_pass": "become",
    "vault_pass": "vault",
    "vault_password": "vault",
}
"""Names that are not like the right ones."""
_MAX_TOLD: Final = 1000
_told: set[str] = set()
"""The warnings of this process; each is given once."""


def warn_of_near_misses(
    directory: Path | None, arguments: Mapping[str, Any], settings: Mapping[str, Any], passwords: Iterable[str]
) -> None:
    """Warn once of each name that is probably a mistake.

    Args:
        directory: the private data directory, if there is one.
        arguments: the caller's options.
        settings: those of `env/settings`.
        passwords: names in `env/passwords`.
    """
    _check_settings("settings", arguments.get("settings") or {})
    _check_passwords("passwords", arguments.get("passwords") or ())
    _check_registry("container_auth_data", arguments.get("container_auth_data"))
    if directory is not None:
        env = directory / "env"
        _check_settings(str(env / "settings"), settings)
        _check_passwords(str(env / "passwords"), passwords)
        _check_files(env)


def _check_settings(source: str, settings: Mapping[str, Any]) -> None:
    for name in settings:
        if isinstance(name, str) and name not in SETTINGS:
            _warn(f"{source}: {name!r} is not a setting of playstream", _guess(name, SETTINGS))
    _check_registry(f"{source}: container_auth_data", settings.get("container_auth_data"))


def _check_registry(source: str, data: Any) -> None:
    for name in data if isinstance(data, Mapping) else ():
        if isinstance(name, str) and name not in _REGISTRY_KEYS:
            _warn(f"{source}: {name!r} is ignored", _guess(name, _REGISTRY_KEYS))


def _check_passwords(source: str, names: Iterable[str]) -> None:
    for name in names:
        if isinstance(name, str) and name not in NAMES and _WORD.fullmatch(name) and not name.startswith(VAULT):
            _warn(
                f"{source}: {name!r} is not the name of a password, so it is searched for in the output",
                _guess_password(name),
            )


def _guess_password(name: str) -> str:
    word, colon, _ = name.partition(":")
    if colon:
        return "; did you mean 'vault:ID'?" if _guess(word, ("vault",)) else ""
    separated = _SEPARATED.fullmatch(name)
    other = _OTHER_NAMES.get(name.lower().replace("-", "_")) or (separated and f"vault:{separated[1]}")
    return f"; did you mean {other!r}?" if other else _guess(name, NAMES)


def _check_files(env: Path) -> None:
    try:
        names = os.listdir(env)
    except OSError:
        return
    for name in names:
        if name not in ENV_FILES:
            _warn(f"{str(env / name)!r} is not read", _guess(name.partition(".")[0], ENV_FILES))


def _guess(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name.lower().replace("-", "_"), known, likeness=_LIKENESS)


def _warn(message: str, guess: str) -> None:
    if not guess or message in _told:
        return
    if len(_told) < _MAX_TOLD:
        _told.add(message)
    _logger.warning("%s%s", message, guess)
