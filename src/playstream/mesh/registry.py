"""What a mesh consists of: its servers, groups and identities, with their secret keys, as one file."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from playstream.mesh.authority import Pair, expiry_of, issue
from playstream.mesh.group_keys import Group, Keys, make_keys, seal_keys
from playstream.mesh.identity import Identity, Kind, write_private
from playstream.mesh.permissions import permissions_of, user_of
from playstream.mesh.server_config import Server
from playstream.mesh.signing import ListKind, SigningKeys, make_signing_keys, sign_list
from playstream.mesh.subjects import own_group
from playstream.pipeline.errors import ConfigurationError

FILE: Final = "mesh.json"
DEFAULT_LOST_AFTER: Final = 6.0
CLUSTER_LOST_AFTER: Final = 20.0
"""Servers take 4 to 9 seconds to elect another leader, and a client up to 11 to leave a host that is cut off."""
_FORMAT = 1
_MARK_BYTES = 8


@dataclass(frozen=True, slots=True)
class Member:
    """A node, a submitter or an operator."""

    kind: Kind
    name: str
    mark: str
    """A random word in its certificate, which that of an earlier identity of this name does not have."""
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
    certificates: dict[str, str] = field(default_factory=dict)
    """The certificates of the servers, in PEM format, by their names: `server1` and so on."""
    groups: dict[str, Group] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    """By name: a name is that of one identity only."""
    serial: int = 0
    """The number of the list that was signed last."""
    groups_serial: int = 0
    """The number of the list of groups."""
    signed_submitters: str = ""
    signed_groups: str = ""
    """The lists, signed by the CA."""
    sealed_keys: dict[str, str] = field(default_factory=dict)
    """By the names of nodes, the keys of their groups, for those whose files have older ones."""

    def groups_of(self, member: Member) -> list[str]:
        """Return the groups that an identity has to do with."""
        if member.kind is Kind.NODE:
            return [*member.groups, own_group(member.name)]
        return list(self.groups)

    @property
    def submitters(self) -> list[str]:
        """The names of all submitters."""
        return [member.name for member in self.members.values() if member.kind is Kind.SUBMITTER]

    def server_pair(self, number: int) -> Pair:
        """Make the certificate of a server, and its key, which is not kept here."""
        name = server_name(number)
        hosts = list(dict.fromkeys([self.servers[number - 1].host, "localhost", "127.0.0.1"]))
        pair = issue(self.authority, name, "server", hosts=hosts)
        self.certificates[name] = pair.certificate
        return pair

    def add(self, kind: Kind, name: str, groups: Iterable[str]) -> None:
        """Add an identity; groups that are new are created.

        Raises:
            ConfigurationError: a library is not installed.
        """
        mark = secrets.token_hex(_MARK_BYTES)
        pair = issue(self.authority, name, kind.value, mark=mark)
        is_submitter = kind is Kind.SUBMITTER
        keys = make_keys() if is_submitter else None
        signing = make_signing_keys() if is_submitter else None
        member = Member(kind, name, mark, pair, tuple(dict.fromkeys(groups)), keys, signing)
        self.members[name] = member
        if is_submitter:
            self._sign_submitters()
        new = [] if kind is not Kind.NODE else [each for each in self.groups_of(member) if each not in self.groups]
        for group in new:
            self.groups[group] = Group(make_keys())
        if new:
            self._sign_groups()

    def remove(self, name: str) -> Member:
        """Remove an identity. The groups of a node get keys that it does not have, and its own group ends.

        Raises:
            KeyError: there is none of this name.
        """
        member = self.members.pop(name)
        if member.kind is Kind.SUBMITTER:
            self._sign_submitters()
        if member.kind is Kind.NODE:
            del self.groups[own_group(name)]
            self.sealed_keys.pop(name, None)
            for group in member.groups:
                self.groups[group] = self.groups[group].rotated()
            self._sign_groups()
            self._seal(member.groups)
        return member

    def renew(self, name: str) -> None:
        """Make a new certificate of an identity, and its key. The one that it has is valid still.

        Raises:
            KeyError: there is none of this name.
        """
        member = self.members[name]
        pair = issue(self.authority, name, member.kind.value, mark=member.mark)
        self.members[name] = replace(member, pair=pair)

    def _next_serial(self) -> int:
        """Return a number that is higher than that of any list before, also after a backup was restored."""
        self.serial = max(self.serial + 1, int(time.time()))
        return self.serial

    def _sign_submitters(self) -> None:
        signing = {member.name: member.signing for member in self.members.values()}
        keys = {name: pair.public for name, pair in signing.items() if pair is not None}
        self.signed_submitters = sign_list(self.authority, ListKind.SUBMITTERS, self._next_serial(), keys)

    def _sign_groups(self) -> None:
        keys = {name: group.current.public for name, group in self.groups.items()}
        self.groups_serial = self._next_serial()
        self.signed_groups = sign_list(self.authority, ListKind.GROUPS, self.groups_serial, keys)

    def _seal(self, changed: Iterable[str]) -> None:
        """Encrypt the keys of changed groups to each of their nodes."""
        groups = set(changed)
        for member in self.members.values():
            if member.kind is Kind.NODE and groups.intersection(member.groups):
                sealed = seal_keys(self._all_keys(member), self.groups[own_group(member.name)].current)
                self.sealed_keys[member.name] = sign_list(
                    self.authority, ListKind.SEALED, self._next_serial(), {member.name: sealed}
                )

    def _secret_keys(self, member: Member) -> dict[str, str]:
        if member.kind is Kind.NODE:
            return {group: self.groups[group].current.secret for group in self.groups_of(member)}
        return {} if member.keys is None else {member.name: member.keys.secret}

    def _retired_keys(self, member: Member) -> dict[str, list[str]]:
        groups = self.groups_of(member) if member.kind is Kind.NODE else ()
        return {group: [each.keys.secret for each in self.groups[group].retired] for group in groups}

    def _all_keys(self, node: Member) -> dict[str, list[str]]:
        retired = self._retired_keys(node)
        return {group: [secret, *retired[group]] for group, secret in self._secret_keys(node).items()}

    def identity(self, member: Member) -> Identity:
        """Return the identity of a member, for its file."""
        is_operator = member.kind is Kind.OPERATOR
        return Identity(
            kind=member.kind,
            name=member.name,
            urls=[server.url for server in self.servers],
            ca=self.authority.certificate,
            certificate=member.pair.certificate,
            key=member.pair.key,
            lost_after=self.lost_after,
            groups={group: self.groups[group].current.public for group in self.groups_of(member)},
            secret_keys=self._secret_keys(member),
            public_key="" if member.keys is None else member.keys.public,
            submitters=self.submitters if is_operator else (),
            signing_key="" if member.signing is None else member.signing.secret,
            signed_submitters=self.signed_submitters if is_operator else "",
            retired_keys=self._retired_keys(member),
            serial=self.groups_serial,
            signed_groups=self.signed_groups if is_operator else "",
            sealed_keys=self.sealed_keys if is_operator else {},
            expiries=self._expiries() if is_operator else {},
        )

    def _expiries(self) -> dict[str, float]:
        """Return when each certificate expires, by the names that `mesh renew` takes."""
        certificates = {**self.certificates, **{each.name: each.pair.certificate for each in self.members.values()}}
        return {name: expiry_of(certificate).timestamp() for name, certificate in certificates.items()}

    def users(self) -> list[dict[str, Any]]:
        """Return the users for the server."""
        return [
            {
                "user": user_of(member.kind, member.name, member.mark),
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
            **{name: getattr(self, name) for name in _PLAIN},
            "authority": asdict(self.authority),
            "servers": [asdict(server) for server in self.servers],
            "groups": {name: group.content for name, group in self.groups.items()},
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
                member.get("mark", ""),
                Pair(**member["pair"]),
                tuple(member["groups"]),
                None if member["keys"] is None else Keys(**member["keys"]),
                None if member["signing"] is None else SigningKeys(**member["signing"]),
            )
            for member in content["members"]
        ]
        return cls(
            authority=Pair(**content["authority"]),
            servers=[Server(**server) for server in content["servers"]],
            lost_after=float(content["lost_after"]),
            groups={name: Group.parse(group) for name, group in content["groups"].items()},
            members={member.name: member for member in members},
            **{name: content[name] for name in _PLAIN if name in content},
        )


_PLAIN: Final = (
    "serial",
    "groups_serial",
    "signed_submitters",
    "signed_groups",
    "sealed_keys",
    "certificates",
)
"""The fields of a mesh that JSON has as they are."""


def server_name(number: int) -> str:
    """Return the name of a server, which its files have, by its number from 1."""
    return f"server{number}"
