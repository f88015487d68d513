"""Signed lists on the server: an operator publishes them, and submitters and nodes read them there."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Final

from playstream.mesh.client import MeshClient
from playstream.mesh.connection import CONNECT_SECONDS
from playstream.mesh.delivery import NoAnswer
from playstream.mesh.identity import Identity
from playstream.mesh.signing import KeyList, ListKind, read_list
from playstream.mesh.subjects import GROUPS, GROUPS_STREAM, node_of
from playstream.pipeline.errors import ConfigurationError, LinkError, RemoteProtocolError, did_you_mean

_ADVICE: Final = "If the server or its disk is new, run playstream mesh check as an operator"


async def publish_list(client: MeshClient, stream: str, subject: str, kind: ListKind, text: str, ca: str) -> list[str]:
    """Publish a signed list, unless the server has it or a newer one.

    Args:
        client: the connection of an operator.
        stream: the stream.
        subject: the subject.
        kind: what the list is about.
        text: the list; empty for none.
        ca: the certificate of the CA, in PEM format.

    Returns:
        What was published, for messages.

    Raises:
        LinkError: there is no answer.
    """
    if not text:
        return []
    own = read_list(text, kind, ca)
    found = await client.find(stream, subject, seconds=CONNECT_SECONDS)
    if found is not None and own.serial <= _serial_of(found.data, kind, ca):
        return []
    identifier = f"{subject} {own.serial} {secrets.token_hex(8)}"
    await client.store(subject, text.encode(), seconds=CONNECT_SECONDS, message_id=identifier)
    return [f"{subject} (list {own.serial})"]


def _serial_of(data: bytes, kind: ListKind, ca: str) -> int:
    """Return the number of a list on the server; -1 if the CA has not signed it."""
    try:
        return read_list(data, kind, ca).serial
    except RemoteProtocolError:
        return -1


async def find_groups(client: MeshClient, identity: Identity) -> Mapping[str, str]:
    """Return the groups of the mesh, and the public key of each: those of the newest list.

    Args:
        client: the connection.
        identity: a submitter or an operator, whose file has a list, too.

    Raises:
        LinkError: there is no answer.
        RemoteProtocolError: the list on the server is forged.
    """
    if not identity.serial:
        return identity.groups
    found = await _find_list(client, identity)
    return identity.groups if found.serial < identity.serial else found.keys


async def find_group_key(client: MeshClient, identity: Identity, group: str, name: str) -> str:
    """Return the public key to which jobs for a group are encrypted.

    Args:
        client: the connection.
        identity: the submitter.
        group: the group.
        name: the name of the link, for messages.

    Raises:
        ConfigurationError: the mesh has no such group.
        LinkError: there is no answer, or the server has an old list.
        RemoteProtocolError: the list on the server is forged.
    """
    found = await _find_list(client, identity) if identity.serial else None
    old = found is None or found.serial < identity.serial
    groups = identity.groups if found is None or old else found.keys
    if group not in groups:
        raise _unknown(group, groups, name)
    if found is not None and old and found.keys.get(group, groups[group]) != groups[group]:
        raise LinkError(
            f"link {name}: the server has list {found.serial} of the groups, and the identity {identity.name!r} list "
            f"{identity.serial}, in which {group!r} has another key. Nodes do not have the new key yet: run playstream "
            "mesh check as an operator. If that was done, the server hides it, and is not to be trusted"
        )
    return groups[group]


def _unknown(group: str, groups: Iterable[str], name: str) -> ConfigurationError:
    """Return the error for a group, or a node, that the mesh does not have."""
    node = node_of(group)
    nodes = [each for each in map(node_of, groups) if each is not None]
    what, asked, known = (
        ("node", node, nodes) if node else ("group", group, [each for each in groups if not node_of(each)])
    )
    return ConfigurationError(
        f"link {name}: the mesh has no {what} {asked!r}{did_you_mean(asked, known)} (it has "
        f"{', '.join(known) or 'none'}). After a {what} was added, playstream mesh check as an operator makes it known"
    )


async def _find_list(client: MeshClient, identity: Identity) -> KeyList:
    """Return the list of groups on the server."""
    try:
        message = await client.find(GROUPS_STREAM, GROUPS, seconds=CONNECT_SECONDS)
    except NoAnswer as error:
        raise LinkError(f"the list of groups cannot be read: {error}. {_ADVICE}") from None
    if message is None:
        raise LinkError(f"the server has no list of groups. {_ADVICE}")
    return read_list(message.data, ListKind.GROUPS, identity.ca)
