"""What a mesh consists of: its servers, groups and identities, with their secret keys, as one file."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from playstream.mesh.authority import Pair
from playstream.mesh.identity import Identity, Kind, write_private
from playstream.mesh.permissions import permissions_of, user_of
from playstream.mesh.server_config import Server
from playstream.mesh.signing import SigningKeys, sign_submitters
from playstream.mesh.subjects import own_group
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.age_keys import import_pyrage

FILE: Final = "mesh.json"
DEFAULT_LOST_AFTER: Final = 6.0
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Keys:
    """A pair of keys of age."""

    public: str
    secret: str = field(repr=False)


def make_keys() -> Keys:
    """Make a pair of keys.

    Raises:
        ConfigurationError: pyrage is not installed.
    """
    secret = import_pyrage().x25519.Identity.generate()
    return Keys(str(secret.to_public()), str(secret))


@dataclass(frozen=True, slots=True)
class Member:
    """A node, a submitter or an operator."""

    kind: Kind
    name: str
    pair: Pair
    groups: tuple[str, ...] = ()
    """The groups of a node, without its own."""
    keys: Keys | None = None
    """The keys of a submitter."""
    signing: SigningKeys | None = None
    """The keys with which it signs its jobs."""


@dataclass(slots=True)
class Registry:
    """A mesh."""

    authority: Pair
    servers: list[Server]
    lost_after: float
    groups: dict[str, Keys] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    """By name: a name is that of one identity only."""
    serial: int = 0
    """The number of the list of submitters."""
    signed_submitters: str = ""
    """The list, signed by the CA."""

    def groups_of(self, member: Member) -> list[str]:
        """Return the groups that an identity has to do with."""
        if member.kind is Kind.NODE:
            return [*member.groups, own_group(member.name)]
        return list(self.groups)

    @property
    def submitters(self) -> list[str]:
        """The names of all submitters."""
        return [member.name for member in self.members.values() if member.kind is Kind.SUBMITTER]

    def sign_submitters(self) -> None:
        """Sign the list of submitters, after one was added or removed."""
        self.serial = max(
            self.serial + 1, int(time.time())
        )  # higher than that of any list before, also after a restore
        signing = {member.name: member.signing for member in self.members.values()}
        keys = {name: pair.public for name, pair in signing.items() if pair is not None}
        self.signed_submitters = sign_submitters(self.authority, self.serial, keys)

    def identity(self, member: Member) -> Identity:
        """Return the identity of a member, for its file."""
        groups = self.groups_of(member)
        is_node = member.kind is Kind.NODE
        secret_keys = {group: self.groups[group].secret for group in groups} if is_node else {}
        if member.keys is not None:
            secret_keys[member.name] = member.keys.secret
        return Identity(
            kind=member.kind,
            name=member.name,
            urls=[server.url for server in self.servers],
            ca=self.authority.certificate,
            certificate=member.pair.certificate,
            key=member.pair.key,
            lost_after=self.lost_after,
            groups={group: self.groups[group].public for group in groups},
            secret_keys=secret_keys,
            public_key="" if member.keys is None else member.keys.public,
            submitters=self.submitters if member.kind is Kind.OPERATOR else (),
            signing_key="" if member.signing is None else member.signing.secret,
            signed_submitters=self.signed_submitters if member.kind is Kind.OPERATOR else "",
        )

    def users(self) -> list[dict[str, Any]]:
        """Return the users for the server."""
        return [
            {
                "user": user_of(member.kind, member.name),
                "permissions": permissions_of(member.kind, member.name, self.groups_of(member)),
            }
            for member in self.members.values()
        ]

    def write(self, directory: Path) -> None:
        """Write the file, which only its owner can read.

        Raises:
            OSError: it cannot be written.
        """
        content = {
            "playstream_mesh": _FORMAT,
            "lost_after": self.lost_after,
            "serial": self.serial,
            "signed_submitters": self.signed_submitters,
            "authority": asdict(self.authority),
            "servers": [asdict(server) for server in self.servers],
            "groups": {name: asdict(keys) for name, keys in self.groups.items()},
            "members": [{**asdict(member), "kind": member.kind.value} for member in self.members.values()],
        }
        write_private(directory / FILE, json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, directory: Path) -> Registry:
        """Read the file.

        Raises:
            ConfigurationError: there is none, or it has another form.
        """
        path = directory / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigurationError(
                f"{str(directory)!r} is not the directory of a mesh: it has no {FILE}. Name it with --directory, or "
                "make one: playstream mesh init DIR"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}") from None
        except ValueError:
            content = None
        version = content.get("playstream_mesh") if isinstance(content, dict) else None
        if version != _FORMAT:
            raise ConfigurationError(
                f"{str(path)!r}: expected a mesh of format {_FORMAT}, got {version!r}. It is damaged, or another "
                "version of playstream has written it"
            )
        try:
            return cls._parse(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(
                f"{str(path)!r} is damaged ({type(error).__name__}: {error}): restore it from a backup"
            ) from None

    @classmethod
    def _parse(cls, content: Mapping[str, Any]) -> Registry:
        members = [
            Member(
                Kind(member["kind"]),
                member["name"],
                Pair(**member["pair"]),
                tuple(member["groups"]),
                None if member["keys"] is None else Keys(**member["keys"]),
                None if member["signing"] is None else SigningKeys(**member["signing"]),
            )
            for member in content["members"]
        ]
        return cls(
            Pair(**content["authority"]),
            [Server(**server) for server in content["servers"]],
            float(content["lost_after"]),
            {name: Keys(**keys) for name, keys in content["groups"].items()},
            {member.name: member for member in members},
            int(content["serial"]),
            str(content["signed_submitters"]),
        )
