"""An environment as it may be shown and kept: values that may be secret are hidden."""

from __future__ import annotations

import re
from collections.abc import Mapping

REDACTED = "********"
_HARMLESS = re.compile(
    r"PATH|HOME|SHELL|USER|LOGNAME|PWD|OLDPWD|TERM|TZ|LANG|LANGUAGE|LC_\w+|HOSTNAME|TMPDIR|VIRTUAL_ENV|COLUMNS|LINES"
    r"|SHLVL|PYTHON\w*|ANSIBLE_\w+|PLAYSTREAM_\w+|XDG_\w+"
)
_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|VAULT|AUTH", re.IGNORECASE)


def redact(env: Mapping[str, str]) -> dict[str, str]:
    """The environment, with the values of all but well-known harmless variables hidden."""
    return {name: value if _shows(name) else REDACTED for name, value in sorted(env.items())}


def _shows(name: str) -> bool:
    return bool(_HARMLESS.fullmatch(name)) and not _SECRET.search(name)
