"""The directory of a mesh: `mesh init` makes it, `mesh add` and `mesh remove` change it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playstream.mesh.authority import issue, make_authority
from playstream.mesh.identity import SUFFIX, Kind, write_identity, write_private
from playstream.mesh.registry import DEFAULT_LOST_AFTER, FILE, Member, Registry, make_keys
from playstream.mesh.server_config import USERS, Server, server_config, users_config
from playstream.mesh.signing import make_signing_keys
from playstream.mesh.subjects import check_group, check_name, own_group
from playstream.pipeline.errors import ConfigurationError, did_you_mean
from playstream.pipeline.io import system

FIRST_OPERATOR: Final = "admin"
"""The operator that a new mesh has."""
_LOCK = ".lock"


def make_mesh(
    directory: Path,
    servers: Sequence[Server],
    *,
    listen: str | None = None,
    lost_after: float = DEFAULT_LOST_AFTER,
) -> None:
    """Make the directory of a new mesh: the configuration of its servers, a CA and the identity of an operator.

    Args:
        directory: is created if it does not exist, for this user only.
        servers: the servers.
        listen: the address that they listen on; None for all of the host. Both sides show certificates.
        lost_after: seconds after which a node counts as lost.

    Raises:
        ConfigurationError: there is a mesh in it, or a library is not installed.
        OSError: it cannot be written.
    """
    if (directory / FILE).exists():
        raise ConfigurationError(
            f"{str(directory)!r} is the directory of a mesh already. To add to it: playstream mesh add; for another "
            "mesh name another directory"
        )
    registry = Registry(make_authority(f"playstream {servers[0].host}"), list(servers), lost_after)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = "storage"
    with _locked(directory):
        write_private(directory / "ca.pem", registry.authority.certificate)
        for number, server in enumerate(servers, 1):
            names = list(dict.fromkeys([server.host, "localhost", "127.0.0.1"]))
            pair = issue(registry.authority, f"server{number}", "server", names)
            write_private(directory / f"server{number}.pem", pair.certificate)
            write_private(directory / f"server{number}.key", pair.key)
            config = server_config(server, number, servers, listen=listen, storage=storage)
            write_private(directory / f"server{number}.conf", config)
        _add(registry, Kind.OPERATOR, FIRST_OPERATOR, ())
        _write(registry, directory)


def add_member(directory: Path, kind: Kind, name: str, groups: Sequence[str] = ()) -> list[Path]:
    """Add an identity to a mesh.

    Args:
        directory: the directory of the mesh.
        kind: what the identity may be.
        name: its name.
        groups: the groups of a node; those that are new are created.

    Returns:
        The files of identities that were written: the new one first, then those of others that have changed.

    Raises:
        ConfigurationError: the name is taken or not valid, or there is no mesh in the directory.
        OSError: the directory cannot be written.
    """
    check_name(kind.value, name)
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
        before = {each.name: registry.identity(each) for each in registry.members.values()}
        _add(registry, kind, name, groups)
        _write(registry, directory)
    changed = [each for each in before if registry.identity(registry.members[each]) != before[each]]
    return [directory / f"{each}{SUFFIX}" for each in (name, *changed)]


def remove_member(directory: Path, name: str) -> Member:
    """Remove an identity from a mesh, and return it. Its groups and their jobs remain.

    Raises:
        ConfigurationError: there is none of this name.
        OSError: the directory cannot be written.
    """
    with _locked(directory):
        registry = Registry.read(directory)
        if name not in registry.members:
            known = ", ".join(registry.members)
            raise ConfigurationError(
                f"the mesh has no node, submitter or operator {name!r}{did_you_mean(name, registry.members)} (it has "
                f"{known})"
            )
        member = registry.members.pop(name)
        if member.kind is Kind.SUBMITTER:
            registry.sign_submitters()
        _write(registry, directory)
        (directory / f"{name}{SUFFIX}").unlink(missing_ok=True)
    return member


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


def _add(registry: Registry, kind: Kind, name: str, groups: Sequence[str]) -> Member:
    pair = issue(registry.authority, name, kind.value)
    is_submitter = kind is Kind.SUBMITTER
    keys = make_keys() if is_submitter else None
    signing = make_signing_keys() if is_submitter else None
    member = registry.members[name] = Member(kind, name, pair, tuple(dict.fromkeys(groups)), keys, signing)
    if is_submitter:
        registry.sign_submitters()
    needed = [*member.groups, own_group(name)] if kind is Kind.NODE else []
    for group in needed:
        if group not in registry.groups:
            registry.groups[group] = make_keys()
    return member


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
