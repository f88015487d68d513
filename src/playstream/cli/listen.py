"""`playstream worker --listen`: serve the jobs of many connections, each by a worker in a process of its own."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from playstream.cli.flags import DECRYPTION, ENCRYPTION, KEEPALIVE, LIMITS, LIVENESS, Flag
from playstream.cli.keepalive import keepalive_seconds, liveness_seconds
from playstream.cli.worker_cache import cache_directory
from playstream.cli.worker_flags import CACHE, LISTENING, MAX_JOB
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.addresses import TlsAddress, UnixAddress, parse_tls, parse_unix
from playstream.pipeline.io.encryption import encryption_of
from playstream.pipeline.io.tls import TlsFiles
from playstream.pipeline.limits import check_seconds, limits_of
from playstream.pipeline.tree.directories import absolute_path
from playstream.worker.cache.place import check_place
from playstream.worker.listen.entrance import Entrance, TlsEntrance, UnixEntrance, find_users
from playstream.worker.listen.event_log import TEXT, EventLog
from playstream.worker.listen.greeting import Greeter
from playstream.worker.listen.lifecycle import Lifecycle, raise_open_files
from playstream.worker.listen.options import ListenOptions
from playstream.worker.listen.server import Server
from playstream.worker.listen.service import VARIABLES, Service, passed_sockets
from playstream.worker.listen.sockets import ANY_MODE, OWN_MODE, UnixSocket, listen_on_tcp
from playstream.worker.listen.units import print_unit

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from playstream.pipeline.io.age_keys import Identity

_QUEUE = 16
_ARRIVAL_SECONDS = 60.0
_OF_UNIX = ("allow_user",)
_OF_TLS = ("allow", "tls_cert", "tls_key", "tls_ca")
_OF_ONE_JOB = ("private_data_dir", "delete")
_OF_A_WORKER = (*KEEPALIVE, *LIVENESS, *ENCRYPTION, *DECRYPTION, *LIMITS, *MAX_JOB, *CACHE)
"""Flags that each worker gets."""
_FILES_OF_A_JOB = 6
"""Open files of a connection that is served: its own, two pipes, the process, what its job waits for, one to spare."""
_OWN_FILES = 64
_MAX_CONNECTIONS = 8192
"""Connections without a worker. 300 of them over TLS, half of them with a complete handshake, took 10 MiB."""


def run_listener(flags: argparse.Namespace) -> int:
    """Serve until the end; return the exit status."""
    address = _parse(flags.listen)
    _check_flags(flags, address)
    if flags.print_unit:
        print_unit(flags.print_unit, address, _unit_words(flags))
        return 0
    log = EventLog(flags.log_format or TEXT)
    if flags.cache is not None:
        directory = cache_directory(flags.cache)
        check_place(directory)
        flags.cache = str(directory)
    options = _options(flags)
    entrance = _make_entrance(flags, address)
    service = Service(os.environ)
    greeter = Greeter(options.limits, flags.max_job_seconds, enabled=not flags.encrypt_to, has_cache=options.has_cache)
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    with ExitStack() as ours:
        sockets = _open(address, flags, ours)
        shown = address.name if isinstance(address, UnixAddress) else ", ".join(map(_place, sockets))
        server = Server(sockets, entrance, options, greeter, env, log)
        log.write("listening", address=shown, slots=options.slots, queue=options.queue, pid=os.getpid())
        Lifecycle(server, entrance, service, log, flags.drain_seconds or 0.0, ours.close).run(f"listening on {shown}")
    return 0


def _parse(text: str) -> UnixAddress | TlsAddress:
    """Return the address to listen on.

    Raises:
        ConfigurationError: it is none.
    """
    scheme = text.partition(":")[0].lower()
    if scheme == "unix":
        return parse_unix(text)
    if scheme == "tls":
        address = parse_tls(text)
        if address.query:
            raise ConfigurationError(
                f"--listen {address.name}: expected nothing after the port; files of TLS have flags: --tls-cert"
            )
        return address
    why = " There is no plain TCP listener, because it cannot tell who connects." if scheme == "tcp" else ""
    raise ConfigurationError(f"--listen {text!r}: expected unix:/PATH or tls://HOST:PORT.{why}")


def _check_flags(flags: argparse.Namespace, address: UnixAddress | TlsAddress) -> None:
    """Check that the flags fit together.

    Raises:
        ConfigurationError: they do not.
    """
    kind, others = ("tls", _OF_UNIX) if isinstance(address, TlsAddress) else ("unix", _OF_TLS)
    for name in (*others, *_OF_ONE_JOB):
        if getattr(flags, name):
            why = "jobs at the same time cannot share a directory" if name in _OF_ONE_JOB else f"it is not for {kind}"
            raise ConfigurationError(f"{_flag(name)} does not go with --listen {address.name}: {why}. Omit it")
    for name, lowest in (("slots", 1), ("queue", 0)):
        number = getattr(flags, name)
        if number is not None and number < lowest:
            raise ConfigurationError(f"{_flag(name)}: expected a number, {lowest} or more, got {number}")
    for name in ("arrival_seconds", "drain_seconds", "max_job_seconds"):
        if getattr(flags, name) is not None:
            check_seconds(_flag(name), getattr(flags, name))
    if isinstance(address, TlsAddress):
        for name, what in (("tls_cert", "the certificate of this worker"), ("tls_ca", "the CAs of the clients")):
            if not getattr(flags, name):
                raise ConfigurationError(f"--listen {address.name}: expected {_flag(name)} FILE, {what}")


def _read_keys(flags: argparse.Namespace) -> Sequence[Identity]:
    """Return the keys of the workers, and check for whom they encrypt, before there is one.

    Raises:
        ConfigurationError: a key or a recipient is not valid, or pyrage is missing.
    """
    identities, recipients = encryption_of(vars(flags), "identity"), encryption_of(vars(flags), "encrypt_to")
    if identities or recipients:
        from playstream.pipeline.io.age_keys import read_identities, read_recipients  # noqa: PLC0415 - an extra

        if recipients:
            read_recipients(recipients, lambda _warning: None)
        return read_identities(identities) if identities else ()
    return ()


def _options(flags: argparse.Namespace) -> ListenOptions:
    slots = flags.slots or len(os.sched_getaffinity(0))
    queue = _QUEUE if flags.queue is None else flags.queue
    before = raise_open_files()
    import resource  # noqa: PLC0415 - not on every system

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    room = files - _OWN_FILES - _FILES_OF_A_JOB * (slots + queue)
    if room < _OWN_FILES:
        raise ConfigurationError(
            f"--slots and --queue: {slots + queue} jobs need {files - room + _OWN_FILES} open files, and {files} are "
            "allowed: choose fewer, or raise the limit (ulimit -Hn)"
        )
    return ListenOptions(
        slots=slots,
        queue=queue,
        arrival_seconds=_ARRIVAL_SECONDS if flags.arrival_seconds is None else flags.arrival_seconds,
        liveness_seconds=liveness_seconds(flags),
        limits=limits_of(vars(flags)),
        identities=_read_keys(flags),
        has_cache=flags.cache is not None,
        worker_flags=[*_worker_words(flags), "--keepalive-seconds", f"{keepalive_seconds(flags):g}"],
        max_connections=min(room, _MAX_CONNECTIONS),
        open_files=before,
        shows_messages=flags.debug,
    )


def _make_entrance(flags: argparse.Namespace, address: UnixAddress | TlsAddress) -> Entrance:
    if isinstance(address, UnixAddress):
        return UnixEntrance(find_users(flags.allow_user or ()))
    return TlsEntrance(TlsFiles(flags.tls_cert, flags.tls_key, flags.tls_ca), flags.allow or ())


def _open(address: UnixAddress | TlsAddress, flags: argparse.Namespace, ours: ExitStack) -> list[socket.socket]:
    """Return the listening sockets, which are closed with `ours`."""
    sockets = passed_sockets(os.environ, address)
    if not sockets and isinstance(address, UnixAddress):
        own = UnixSocket(address, ANY_MODE if flags.allow_user else OWN_MODE)
        ours.callback(own.close)
        return [own.socket]
    if not sockets and isinstance(address, TlsAddress):
        sockets = listen_on_tcp(address)
    for sock in sockets:
        ours.callback(sock.close)
    return sockets


def _place(sock: socket.socket) -> str:
    """Return where a socket listens, as a URL."""
    host, port = sock.getsockname()[:2]
    return TlsAddress(host, port).name


def _unit_words(flags: argparse.Namespace) -> list[str]:
    """Return the flags for a unit. systemd starts it in another directory, so files have their whole paths."""
    for name in ("tls_cert", "tls_key", "tls_ca"):
        if getattr(flags, name):
            setattr(flags, name, absolute_path(getattr(flags, name)))
    if flags.cache:
        flags.cache = absolute_path(flags.cache)
    if flags.identity:
        flags.identity = [absolute_path(file) for file in flags.identity]
    return _words(flags, LISTENING, without=("--print-unit",)) + _worker_words(flags)


def _worker_words(flags: argparse.Namespace) -> list[str]:
    return _words(flags, _OF_A_WORKER)


def _words(flags: argparse.Namespace, group: tuple[Flag, ...], *, without: tuple[str, ...] = ()) -> list[str]:
    """Return the given flags of a group as words of a command line."""
    words: list[str] = []
    for definition in group:
        name = definition.names[-1]
        value = getattr(flags, name.removeprefix("--").replace("-", "_"))
        if value is None or name in without:
            continue
        if definition.words.get("nargs") == "?":
            words.append(f"{name}={value}" if value else name)
            continue
        for item in value if isinstance(value, list) else [value]:
            words += [name, f"{item:g}" if isinstance(item, float) else str(item)]
    return words


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
