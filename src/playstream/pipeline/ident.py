"""The name of a run, which is the name of a directory too."""

from __future__ import annotations

import os

from playstream.pipeline.errors import ConfigurationError


def is_text(text: str) -> bool:
    """Whether the system takes it as a name, a word of a command or a variable: no NUL, no half of a character."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def check_ident(ident: str) -> str:
    """A run's name, known to be usable as a directory's.

    Raises:
        ConfigurationError: it is not.
    """
    if not ident or "/" in ident or ident in {".", ".."} or not is_text(ident) or len(os.fsencode(ident)) > 200:
        raise ConfigurationError(
            f"ident {ident!r} cannot name a directory: expected 1 to 200 bytes, without a slash, and not . or .."
        )
    return ident
