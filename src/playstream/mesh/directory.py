"""The directory of a mesh: `mesh init` makes it; `mesh add`, `mesh remove` and `mesh renew` change it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playstream.mesh.authority import make_authority
from playstream.mesh.identity import SUFFIX, Identity, Kind, write_identity, write_private
from playstream.mesh.registry import CLUSTER_LOST_AFTER, DEFAULT_LOST_AFTER, FILE, Member, Registry, server_name
from playstream.mesh.server_config import USERS, Server, server_config, users_config
from playstream.mesh.subjects import check_group, check_name
from playstream.pipeline.errors import ConfigurationError, did_you_mean
from playstream.pipeline.io import system

FIRST_OPERATOR: Final = "admin"
"""The operator that a new mesh has."""
_LOCK = ".lock"
_SERVER = re.compile(r"server[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Removed:
    """What has become of an identity that was removed."""

    member: Member
    changed: list[Path]
    """The files of others that have to be copied again."""


def make_mesh(
    directory: Path,
    servers: Sequence[Server],
    *,
    listen: str | None = None,
    lost_after: float | None = None,
) -> None:
    """Make the directory of a new mesh: the configuration of its servers, a CA and the identity of an operator.

    Args:
        directory: is created if it does not exist, for this user only.
        servers: the servers.
        listen: the address that they listen on; None for all of the host. Both sides show certificates.
        lost_after: seconds after which a node counts as lost; None for 6, or 20 with several servers.

    Raises:
        ConfigurationError: there is a mesh in it, or a library is not installed.
        OSError: it cannot be written.
    """
    if (directory / FILE).exists():
        raise ConfigurationError(
            f"{str(directory)!r} is the directory of a mesh already. To add to it: playstream mesh add; for another "
            "mesh name another directory"
        )
    if lost_after is None:
        lost_after = DEFAULT_LOST_AFTER if len(servers) == 1 else CLUSTER_LOST_AFTER
    registry = Registry(make_authority(f"playstream {servers[0].host}"), list(servers), lost_after)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = "storage"
    with _locked(directory):
        write_private(directory / "ca.pem", registry.authority.certificate)
        for number, server in enumerate(servers, 1):
            _write_server_pair(registry, directory, number)
            config = server_config(server, number, servers, listen=listen, storage=storage)
            write_private(directory / f"{server_name(number)}.conf", config)
        registry.add(Kind.OPERATOR, FIRST_OPERATOR, ())
        _write(registry, directory)


def add_member(directory: Path, kind: Kind, name: str, groups: Sequence[str] = ()) -> list[Path]:
    """Add an identity to a mesh.

    Args:
        directory: the directory of the mesh.
        kind: what the identity may be.
        name: its name.
        groups: the groups of a node; those that are new are created.

    Returns:
        The files of identities that were written: the new one first, then those of others that have to be copied again.

    Raises:
        ConfigurationError: the name is taken or not valid, or there is no mesh in the directory.
        OSError: the directory cannot be written.
    """
    check_name(kind.value, name)
    if _SERVER.fullmatch(name):
        raise ConfigurationError(f"{kind.value} {name!r}: the servers of the mesh have such names. Choose another one")
    for group in groups:
        check_group(group)
    if groups and kind is not Kind.NODE:
        raise ConfigurationError(f"--group is for nodes: {kind} has to do with all groups. Omit it")
    with _locked(directory):
        registry = Registry.read(directory)
        if name in registry.members:
            raise ConfigurationError(
                f"the mesh has {registry.members[name].kind} {name!r} already. Choose another name, or remove "
                f"it: playstream mesh remove {name}"
            )
        before = _copied(registry)
        registry.add(kind, name, groups)
        _write(registry, directory)
    return [directory / f"{name}{SUFFIX}", *_changed(registry, before, directory)]


def remove_member(directory: Path, name: str) -> Removed:
    """Remove an identity from a mesh. The groups of a node and their jobs remain, and get new keys.

    Raises:
        ConfigurationError: there is none of this name.
        OSError: the directory cannot be written.
    """
    with _locked(directory):
        registry = Registry.read(directory)
        _check_known(name, registry.members, "node, submitter or operator")
        before = _copied(registry)
        member = registry.remove(name)
        _write(registry, directory)
        (directory / f"{name}{SUFFIX}").unlink(missing_ok=True)
    return Removed(member, _changed(registry, before, directory))


def renew(directory: Path, names: Sequence[str]) -> dict[str, list[Path]]:
    """Make new certificates, and keys for them. Those that were used until now are valid still.

    Args:
        directory: the directory of the mesh.
        names: the names of identities, or `server1` and so on.

    Returns:
        The files that have to be copied, by the names; those of others by an empty name.

    Raises:
        ConfigurationError: there is none of a name.
        OSError: the directory cannot be written.
    """
    files = {}
    with _locked(directory):
        registry = Registry.read(directory)
        before = _copied(registry)
        servers = {server_name(number): number for number in range(1, len(registry.servers) + 1)}
        for name in names:
            _check_known(name, [*servers, *registry.members], "server, node, submitter or operator")
        for name in dict.fromkeys(names):
            if name in servers:
                files[name] = _write_server_pair(registry, directory, servers[name])
            else:
                registry.renew(name)
                files[name] = [directory / f"{name}{SUFFIX}"]
        _write(registry, directory)
    others = [path for path in _changed(registry, before, directory) if [path] not in files.values()]
    return {**files, "": others}


def _check_known(name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        raise ConfigurationError(
            f"the mesh has no {what} {name!r}{did_you_mean(name, known)} (it has {', '.join(known)})"
        )


def _copied(registry: Registry) -> dict[str, Identity]:
    """Return the identities whose files have to be copied when they change: those of operators.

    Others get what changes from the server, but not in a mesh of an earlier version that has no list of groups.
    """
    return {
        each.name: registry.identity(each)
        for each in registry.members.values()
        if each.kind is Kind.OPERATOR or not registry.groups_serial
    }


def _changed(registry: Registry, before: Mapping[str, Identity], directory: Path) -> list[Path]:
    """Return the files whose content has changed, of the identities before."""
    left = [registry.members[name] for name in before if name in registry.members]
    return [directory / f"{each.name}{SUFFIX}" for each in left if registry.identity(each) != before[each.name]]


def _write_server_pair(registry: Registry, directory: Path, number: int) -> list[Path]:
    """Make the certificate of a server, and return the files that have it."""
    pair = registry.server_pair(number)
    files = {f"{server_name(number)}.pem": pair.certificate, f"{server_name(number)}.key": pair.key}
    for name, text in files.items():
        write_private(directory / name, text)
    return [directory / name for name in files]


def reload_servers(directory: Path) -> int:
    """Let the servers that this host runs from the directory read the users again. Return how many there are."""
    reloaded = 0
    for pid in running_servers(directory):
        try:
            os.kill(pid, signal.SIGHUP)
        except (ProcessLookupError, PermissionError):
            continue
        reloaded += 1
    return reloaded


def running_servers(directory: Path) -> list[int]:
    """Return the processes of the servers that this host runs from the directory."""
    found = []
    for path in sorted(directory.glob("server*.pid")):
        try:
            pid = int(path.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        # The number of a server that was killed may be that of another process by now.
        if b"nats-server" in command.partition(b"\0")[0]:
            found.append(pid)
    return found


def _write(registry: Registry, directory: Path) -> None:
    registry.write(directory)
    write_private(directory / USERS, users_config(registry.users()))
    for member in registry.members.values():
        write_identity(registry.identity(member), directory / f"{member.name}{SUFFIX}")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Wait until nobody else changes the directory."""
    try:
        fd = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | system.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise ConfigurationError(
            f"the directory {str(directory)!r} does not exist. Name that of a mesh with --directory, or make one: "
            "playstream mesh init DIR"
        ) from None
    try:
        system.flock(fd, system.LOCK_EX)
        yield
    finally:
        os.close(fd)
