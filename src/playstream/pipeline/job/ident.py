"""Names in an artifact directory: those allowed for a run, and those of its files, which are ansible-runner's."""

from __future__ import annotations

import os
import re

from playstream.pipeline.errors import ConfigurationError

ARTIFACTS = "artifacts"
"""The directory of artifacts in a private data directory."""
EVENT_FILES = "job_events"
FACT_CACHE = "fact_cache"
OUTPUTS = frozenset({"stdout", "stderr"})
KNOWN_FILES = OUTPUTS | {"rc", "status", "command"}
KNOWN_DIRECTORIES = frozenset({EVENT_FILES, FACT_CACHE})
KNOWN_NAMES = KNOWN_FILES | KNOWN_DIRECTORIES
MADE_LIST = ".made-without-ident"
"""The file in a directory of artifacts that lists what streams without an ident created besides the known names."""
MAX_BYTES = 200
"""Maximum length of a run's name. A file's name may have 255 bytes, and some names contain more than the run's."""
UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
"""A run's name that was generated."""
LATEST = "latest"
"""The link to the artifacts of the newest run."""
RESERVED = KNOWN_NAMES | {LATEST, "last", "last-failed"}
"""Names that a run must not have: those of artifacts, and of links to runs that users and programs create."""


def is_text(text: str) -> bool:
    """Return whether text can be a name, an argument or a variable: it has no NUL and no lone surrogates."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def check_name(what: str, name: str) -> str:
    """Check that a name can be the name of a file or a directory, and return it.

    Args:
        what: the thing that has the name, for the message.
        name: the name.

    Raises:
        ConfigurationError: it is not.
    """
    if not name or "/" in name or name in {".", ".."} or not is_text(name) or len(os.fsencode(name)) > MAX_BYTES:
        raise ConfigurationError(
            f"{what} {name!r} is not a valid directory name: expected 1 to {MAX_BYTES} bytes without a slash, and not "
            ". or .."
        )
    return name


def check_ident(ident: str) -> str:
    """Check that a run's name can be the name of its artifact directory, and return it.

    Raises:
        ConfigurationError: it cannot be the name of a directory, or it is the name of something else there.
    """
    check_name("ident", ident)
    if ident.startswith(".") or ident in RESERVED:
        raise ConfigurationError(
            f"ident {ident!r} is reserved for playstream's own files: expected a name that does not start with a dot "
            f"and is not one of {', '.join(sorted(RESERVED))}. Choose another ident"
        )
    return ident
