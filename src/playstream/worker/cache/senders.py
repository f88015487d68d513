"""Names of senders, each of whom has a division of the cache.

Who has sent a job is never a path: what a certificate says is quoted, so that two names are never the same directory,
and no name leads elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from playstream.pipeline.errors import ConfigurationError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.~%=-]{0,199}\Z", re.ASCII)
_MAX_QUOTED = 150


def sender_of_user(number: int) -> str:
    """Return the name of a user of this host, by the number that the kernel says."""
    return f"user-{number}"


def sender_of_certificate(name: str) -> str:
    """Return the name of the holder of a certificate. Upper and lower case are the same."""
    quoted = quote(name.lower(), safe="", errors="surrogatepass")
    if len(quoted) > _MAX_QUOTED:
        # `=` is always quoted, so no short name looks like this.
        quoted = "=" + hashlib.sha256(quoted.encode()).hexdigest()
    return f"cert-{quoted}"


def check_sender(name: str) -> str:
    """Return the name of a sender.

    Raises:
        ConfigurationError: it cannot be one.
    """
    if not _NAME.match(name):
        raise ConfigurationError(
            f"the sender of a job: expected a letter, then at most 199 letters, digits or _.~%=-, got {name!r}"
        )
    return name
