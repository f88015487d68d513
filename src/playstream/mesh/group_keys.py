"""The keys of groups, to which jobs are encrypted, and how nodes get the new ones of a group."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.io.age_keys import import_pyrage

LONGEST_SECONDS: Final = 366 * 86_400.0
"""How long a mesh keeps jobs at most. Their nodes have the keys for as long."""


@dataclass(frozen=True, slots=True)
class Keys:
    """A pair of keys of age."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Retired:
    """A pair of keys to which nobody encrypts any more."""

    keys: Keys
    at: float
    """Since when, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Group:
    """The keys of one group."""

    current: Keys
    retired: tuple[Retired, ...] = ()
    """Those before, the newest first: jobs that wait may be encrypted to them."""

    def rotated(self) -> Group:
        """Return the group with a new pair of keys.

        Raises:
            ConfigurationError: pyrage is not installed.
        """
        now = time.time()
        kept = [each for each in self.retired if now - each.at < LONGEST_SECONDS]
        return Group(make_keys(), (Retired(self.current, now), *kept))

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Group:
        """Return a group as `content` has written it.

        Raises:
            KeyError, TypeError: it has another form.
        """
        retired = [Retired(_parse(each), float(each["at"])) for each in content.get("retired", ())]
        return cls(_parse(content), tuple(retired))

    @property
    def content(self) -> dict[str, Any]:
        """The group for a file in JSON."""
        return {**asdict(self.current), "retired": [{**asdict(each.keys), "at": each.at} for each in self.retired]}


def _parse(content: Mapping[str, Any]) -> Keys:
    return Keys(content["public"], content["secret"])


def make_keys() -> Keys:
    """Make a pair of keys.

    Raises:
        ConfigurationError: pyrage is not installed.
    """
    secret = import_pyrage().x25519.Identity.generate()
    return Keys(str(secret.to_public()), str(secret))


def public_of(secret: str) -> str:
    """Return the public key of a secret one.

    Raises:
        RemoteProtocolError: it is not a key.
    """
    pyrage = import_pyrage()
    try:
        return str(pyrage.x25519.Identity.from_str(secret).to_public())
    except pyrage.IdentityError:
        raise RemoteProtocolError("expected a secret key of age, got something else") from None


def seal_keys(secret_keys: Mapping[str, Sequence[str]], to: Keys) -> str:
    """Return the secret keys of groups, encrypted to one node.

    Args:
        secret_keys: the keys by the names of the groups.
        to: the keys of the node's own group.
    """
    pyrage = import_pyrage()
    recipient = pyrage.x25519.Recipient.from_str(to.public)
    return base64.b64encode(pyrage.encrypt(json.dumps(secret_keys).encode(), [recipient])).decode()


def open_keys(sealed: str, secret: str) -> dict[str, list[str]]:
    """Return the secret keys of groups that `seal_keys` has encrypted, by the names of the groups.

    Args:
        sealed: what it has returned.
        secret: the secret key of the node's own group.

    Raises:
        RemoteProtocolError: they are for another node, or damaged.
    """
    pyrage = import_pyrage()
    identity = pyrage.x25519.Identity.from_str(secret)
    try:
        found = json.loads(pyrage.decrypt(base64.b64decode(sealed, validate=True), [identity]))
        return {str(group): [str(key) for key in keys] for group, keys in found.items()}
    except (pyrage.DecryptError, ValueError, TypeError, AttributeError):
        raise RemoteProtocolError(
            "the keys of its groups on the server are not for this node: they are damaged, or for an earlier identity "
            "of this name"
        ) from None
