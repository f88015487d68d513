"""The keys of a node's groups: those in the file of its identity, and newer ones that an operator has published."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from playstream.mesh.client import MeshClient
from playstream.mesh.group_keys import open_keys, public_of
from playstream.mesh.identity import Identity
from playstream.mesh.node.watching import Watch
from playstream.mesh.signing import KeyList, ListKind
from playstream.mesh.subjects import SEALED_STREAM, own_group, sealed_keys
from playstream.pipeline.errors import JobError, RemoteProtocolError


class Keyring:
    """The keys. Call `open` first, and keep `run` running.

    Args:
        client: the connection of the node.
        identity: the node.
        log: takes what happens.
    """

    def __init__(self, client: MeshClient, identity: Identity, log: Callable[..., None]) -> None:
        self._name = identity.name
        self._own = identity.secret_keys[own_group(identity.name)]
        self._log = log
        self._keys: dict[str, dict[str, str]] = {}
        """Secret keys by groups and public keys."""
        for group, secret in identity.secret_keys.items():
            self._add(group, [secret, *identity.retired_keys.get(group, ())])
        subject = sealed_keys(identity.name)
        self._watch = Watch(client, ListKind.SEALED, SEALED_STREAM, subject, identity.ca, self._take, log)
        self._has_lists = identity.serial > 0
        """Whether the mesh publishes keys; an earlier version of playstream may have made it."""

    async def open(self) -> None:
        """Take keys as they are published."""
        if self._has_lists:
            await self._watch.open()

    async def run(self) -> None:
        """Take the keys that are on the server."""
        if self._has_lists:
            await self._watch.run()

    def _add(self, group: str, secret_keys: Iterable[str]) -> bool:
        """Add keys; return whether there was a new one."""
        known = self._keys.setdefault(group, {})
        before = len(known)
        known.update({public_of(secret): secret for secret in secret_keys})
        return len(known) > before

    def _take(self, found: KeyList, _text: bytes) -> None:
        try:
            opened = open_keys(found.keys.get(self._name, ""), self._own)
            changed = [group for group, secret_keys in opened.items() if self._add(group, secret_keys)]
        except RemoteProtocolError as error:
            self._log("error", reason=str(error))
            return
        if changed:
            self._log("keys", list=found.serial, groups=",".join(changed))

    async def find(self, group: str, public: str) -> tuple[str, ...]:
        """Return the secret key of a group that decrypts what is encrypted to a public one.

        Args:
            group: the group.
            public: the public key; empty if it is not known, for all keys of the group.

        Raises:
            JobError: this node does not have it.
        """
        if not public:
            return tuple(self._keys[group].values())
        if public not in self._keys[group] and self._has_lists:
            await self._watch.fetch()
        found = self._keys[group].get(public)
        if found is None:
            raise JobError(
                f"the job is encrypted to a key of the group {group!r} that this node does not have. After a node was "
                "removed, playstream mesh check as an operator gives the others the new key; and the file of a node "
                "that was added again has to be copied again"
            )
        return (found,)
