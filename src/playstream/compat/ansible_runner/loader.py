"""Read the files of a private data directory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from playstream.compat.ansible_runner.exceptions import ConfigurationError

__all__ = ["ArtifactLoader"]


class ArtifactLoader:
    """Reads files, parses JSON or YAML, and caches the results.

    Args:
        base_path: the directory for relative paths.
    """

    def __init__(self, base_path: str) -> None:
        self.base_path = base_path
        self._cache: dict[str, Any] = {}

    def abspath(self, path: str) -> str:
        """Return a path relative to the directory; return an absolute path unchanged."""
        return os.path.join(self.base_path, os.path.expanduser(path))

    def isfile(self, path: str) -> bool:
        """Return whether the file exists."""
        return os.path.isfile(self.abspath(path))

    def load_file(self, path: str, objtype: Any = None, encoding: str | None = "utf-8") -> Any:
        """Return the contents of a file.

        Args:
            path: relative to the directory, or absolute.
            objtype: `str` for the unparsed text; otherwise the expected type of the data, None for any.
            encoding: with `str`, return bytes in this encoding; None returns text.

        Raises:
            ConfigurationError: the file cannot be read, or its data has another type.
        """
        full = self.abspath(path)
        if full not in self._cache:
            self._cache[full] = self._load(full, objtype, encoding)
        return self._cache[full]

    def _load(self, path: str, objtype: Any, encoding: str | None) -> Any:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error
        if objtype is str:
            return text.encode(encoding) if encoding else text
        data = _parse(text)
        if objtype is not None and not isinstance(data, objtype):
            raise ConfigurationError(f"{path}: expected {objtype.__name__}, got {type(data).__name__}")
        return data


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            return None
