"""The name of a run, which is the name of a directory too."""

from __future__ import annotations

import os

from playstream.pipeline.errors import ConfigurationError


def check_ident(ident: str) -> str:
    """A run's name, known to be usable as a directory's.

    Raises:
        ConfigurationError: it is not.
    """
    if not ident or "/" in ident or "\0" in ident or ident in {".", ".."} or len(os.fsencode(ident)) > 200:
        raise ConfigurationError(
            f"ident {ident!r} cannot name a directory: expected 1 to 200 bytes, without a slash, and not . or .."
        )
    return ident
