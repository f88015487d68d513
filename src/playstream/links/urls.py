"""Choosing a link by its URL."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from playstream.links.link import Link
from playstream.links.program import ProgramLink
from playstream.links.ssh import DEFAULT_COMMAND, WORKER, SshAddress, SshLink
from playstream.links.unix import UnixLink
from playstream.pipeline.errors import ConfigurationError, did_you_mean
from playstream.pipeline.io.addresses import parse_tls, parse_unix
from playstream.pipeline.io.system import check_system

if TYPE_CHECKING:
    from playstream.links.bootstrap import BootstrapLink

LOCAL = "local:"
_FORMS = "exec:COMMAND, ssh://[USER@]HOST[:PORT], unix:/PATH, tls://HOST:PORT, nats://HOST/GROUP or local:"


def find_link(url: str, *, bootstrap: bool | str = False, wheels: str | os.PathLike[str] | None = None) -> Link | None:
    """Return the link that a URL names; None for `local:`, this host.

    Args:
        url: `local:`, `exec:COMMAND`, `ssh://[USER@]HOST[:PORT][?command=COMMAND]`, `unix:/PATH`,
            `tls://HOST:PORT[?cert=FILE&key=FILE&ca=FILE]`, or `nats://[HOST[:PORT]]/GROUP[?identity=FILE]`.
        bootstrap: whether to send the worker to the host first; `ansible` to send Ansible too.
        wheels: a directory with the wheels to send.

    Raises:
        ConfigurationError: the URL is not valid, a program that the link needs is not on the PATH, or no worker can be
            sent over this link.
    """
    check_system()
    if bootstrap:
        return find_bootstrap_link(url, with_ansible=bootstrap == "ansible", wheels=wheels)
    if wheels is not None:
        raise ConfigurationError("wheels: only used to send playstream. Pass bootstrap too, or omit this option")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in url):
        raise ConfigurationError(f"link {url!r}: expected no control characters")
    scheme, colon, rest = url.partition(":")
    if not colon or scheme.lower() not in _KINDS:
        raise ConfigurationError(_explain_scheme(url, scheme if colon else ""))
    return _KINDS[scheme.lower()](url, rest)


def find_bootstrap_link(
    url: str, *, with_ansible: bool = False, wheels: str | os.PathLike[str] | None = None
) -> BootstrapLink:
    """Return the link over which a worker is sent to a host.

    Args:
        url: `ssh://[USER@]HOST[:PORT]`.
        with_ansible: whether Ansible is sent too.
        wheels: a directory with the wheels to send; None for this side's cache and pip.

    Raises:
        ConfigurationError: the URL is not valid or of another kind, or the directory has no wheels.
    """
    from playstream.links.bootstrap import Bootstrap, BootstrapLink  # noqa: PLC0415 - seldom needed
    from playstream.links.bootstrap.wheels import check_directory  # noqa: PLC0415

    find_link(url)
    if url.partition(":")[0].lower() != "ssh":
        raise ConfigurationError(
            f"bootstrap: a worker can only be sent over ssh://[USER@]HOST[:PORT], not over {_without_password(url)!r}"
        )
    address = parse_ssh(url)
    if address.command != DEFAULT_COMMAND:
        raise ConfigurationError(
            "bootstrap: cannot be combined with command= in the URL, which names a playstream that is there: omit one"
        )
    if address.worker != WORKER:
        raise ConfigurationError("bootstrap: cannot be combined with cache in the URL: a worker that was sent has none")
    directory = None if wheels is None else Path(wheels)
    if directory is not None:
        check_directory(directory)
    return BootstrapLink(address, Bootstrap(with_ansible, directory))


def _explain_scheme(url: str, scheme: str) -> str:
    shown = _without_password(url)
    if not scheme or "." in scheme or "@" in scheme:
        return f"link {shown!r}: expected a URL, one of {_FORMS}. For a host: ssh://{shown}"
    return f"link {shown!r}: expected one of {_FORMS}{did_you_mean(scheme, _KINDS)}"


def _without_password(url: str) -> str:
    """Return a URL for messages: what is before an @ may contain a password."""
    before, at, after = url.rpartition("@")
    scheme, slashes, user = before.rpartition("//")
    return f"{scheme}{slashes}{user.partition(':')[0]}@{after}" if at else url


def _find_local(url: str, rest: str) -> None:
    if rest:
        raise ConfigurationError(f"link {url!r}: expected {LOCAL} alone, which is this host")


def _find_exec(_url: str, rest: str) -> Link:
    example = "exec:podman exec -i box playstream worker"
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise ConfigurationError(
            f"link exec: the command cannot be split into words: {error}. Example: {example}"
        ) from None
    if not words:
        raise ConfigurationError(f"link exec: expected a command that starts a worker, got none. Example: {example}")
    return ProgramLink(f"exec:{words[0]}", _on_path("exec", words))


def _find_ssh(url: str, _rest: str) -> Link:
    address = parse_ssh(url)
    _on_path("ssh", ["ssh"])
    return SshLink(address)


def _find_unix(url: str, _rest: str) -> Link:
    return UnixLink(parse_unix(url))


def _find_tls(url: str, _rest: str) -> Link:
    from playstream.links.tls import TlsLink, tls_files  # noqa: PLC0415 - ssl is not needed by the others

    address = parse_tls(url)
    if not address.host or not address.port:
        raise ConfigurationError(f"link {url.partition('?')[0]!r}: expected tls://HOST:PORT")
    return TlsLink(address, tls_files(address, os.environ))


def _find_nats(url: str, _rest: str) -> Link:
    from playstream.links.nats import find_nats_link  # noqa: PLC0415 - an extra

    return find_nats_link(url)


def parse_ssh(url: str) -> SshAddress:
    """Return the parts of `ssh://[USER@]HOST[:PORT][?command=COMMAND&cache=DIR]`.

    Raises:
        ConfigurationError: the URL has another form, or a part that ssh would read as an option.
    """
    shown = _without_password(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"link {shown!r}: {error}") from None
    if parts.password is not None:
        raise ConfigurationError(
            f"link {shown!r}: expected no password in the URL, which others can read. Use a key, or let ssh ask for it"
        )
    if not parts.hostname:
        raise ConfigurationError(f"link {shown!r}: expected ssh://[USER@]HOST[:PORT], got no host")
    if parts.path not in {"", "/"} or parts.fragment:
        raise ConfigurationError(f"link {shown!r}: expected nothing after the host but ?command=COMMAND or ?cache")
    user = None if parts.username is None else _name("user", shown, unquote(parts.username))
    host = _name("host", shown, unquote(parts.hostname))
    if port == 0:
        raise ConfigurationError(f"link {shown!r}: expected a port from 1 to 65535, got 0")
    given = _parameters(shown, parts.query)
    command, worker = _command(shown, given.get("command")), _worker(shown, given.get("cache"))
    return SshAddress(_host_as_written(parts, host), user, port, command, worker)


def _host_as_written(parts: SplitResult, host: str) -> str:
    """Return the host as it was written: urlsplit makes it lower case, and ssh's configuration may not be."""
    place = parts.netloc.rpartition("@")[2]
    start = place.lower().find(host.lower())
    return place[start : start + len(host)] if start >= 0 else host


def _name(what: str, shown: str, text: str) -> str:
    if text.startswith("-") or not text.isprintable() or any(character.isspace() for character in text):
        raise ConfigurationError(
            f"link {shown!r}: expected a {what} without spaces and control characters that does not begin with a dash"
        )
    return text


_PARAMETERS = ("command", "cache")


def _parameters(shown: str, query: str) -> dict[str, str]:
    """Return what comes after the question mark, by its name."""
    given = parse_qsl(query, keep_blank_values=True)
    for name, _value in given:
        if name not in _PARAMETERS:
            raise ConfigurationError(
                f"link {shown!r}: expected command=COMMAND or cache[=DIR] after ?, got {name!r}"
                f"{did_you_mean(name, _PARAMETERS)}"
            )
    if len(dict(given)) != len(given):
        raise ConfigurationError(f"link {shown!r}: expected command= and cache once each, got {given[-1][0]!r} twice")
    return dict(given)


def _command(shown: str, given: str | None) -> tuple[str, ...]:
    """Return the words of `command=`, which is without the subcommand `worker`."""
    if given is None:
        return DEFAULT_COMMAND
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise ConfigurationError(f"link {shown!r}: command= cannot be split into words: {error}") from None
    if not words or not given.isprintable() or words[0].startswith("-"):
        raise ConfigurationError(
            f"link {shown!r}: command= expects how to start playstream on the host, such as /opt/ps/bin/playstream"
        )
    return tuple(words)


def _worker(shown: str, cache: str | None) -> tuple[str, ...]:
    """Return the words that start a worker, with the directory of its cache."""
    if cache is None:
        return WORKER
    if cache and not (cache.startswith("/") and cache.isprintable()):
        raise ConfigurationError(
            f"link {shown!r}: cache= expects the absolute path of a directory on the host, or none for its user's own"
        )
    return (*WORKER, f"--cache={cache}" if cache else "--cache")


def _on_path(kind: str, words: list[str]) -> list[str]:
    """Check that the program of a link exists.

    Raises:
        ConfigurationError: it does not.
    """
    if shutil.which(words[0]) is None:
        hint = "install OpenSSH's client" if kind == "ssh" else "check its name, or install it"
        raise ConfigurationError(f"link {kind}: the program {words[0]!r} was not found on this host's PATH: {hint}")
    return words


_KINDS: dict[str, Callable[[str, str], Link | None]] = {
    "local": _find_local,
    "exec": _find_exec,
    "ssh": _find_ssh,
    "unix": _find_unix,
    "tls": _find_tls,
    "nats": _find_nats,
}
"""Makes the link of a scheme from the whole URL and from what follows the colon."""
