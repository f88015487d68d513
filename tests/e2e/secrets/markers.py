"""Secrets that cannot be mistaken: random texts, and the forms in which they may lie about."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping

NAMES = (
    "ssh password",
    "become password",
    "key passphrase",
    "vault password",
    "vault password dev",
    "vault password prod",
    "vaulted variable",
    "vaulted variable dev",
    "vaulted variable prod",
    "answer to a prompt",
    "environment variable",
    "extra variable",
)
"""What a job is given; its private key comes besides."""


def make_markers(names: Iterable[str] = NAMES) -> dict[str, str]:
    """A text for each name, of letters and digits that no shell and no URL changes."""
    return {name: f"xQ{secrets.token_hex(12)}" for name in names}


def forms_of(secret: str) -> list[bytes]:
    """The secret as it is, and as base64 has it at each of the three places in a longer text."""
    plain = secret.encode()
    forms = [plain]
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + plain)
        start = (offset * 8 + 5) // 6
        end = (offset + len(plain)) * 8 // 6
        forms.append(text[start:end])
    return forms


class Search:
    """Looks for secrets in bytes.

    Args:
        secrets: names and texts.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms = [(name, form) for name, text in secrets.items() for form in forms_of(text)]

    def names_in(self, data: bytes) -> set[str]:
        """The names of those in `data`."""
        return {name for name, form in self._forms if form in data}
