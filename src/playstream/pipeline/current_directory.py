"""The current directory, which may have been removed."""

from __future__ import annotations

import os

from playstream.pipeline.errors import ConfigurationError


def current_directory() -> str:
    """The path of the current directory.

    Raises:
        ConfigurationError: it is not there any more, or may not be looked up.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise ConfigurationError(
            f"the current directory cannot be found ({error.strerror}); likely it was removed. Change to one that "
            "exists, with cd or os.chdir(), or name every path from / on"
        ) from None


def absolute_path(path: str | os.PathLike[str]) -> str:
    """As os.path.abspath.

    Raises:
        ConfigurationError: it is relative to a current directory that cannot be found.
    """
    return os.path.normpath(os.path.join("" if os.path.isabs(path) else current_directory(), path))
