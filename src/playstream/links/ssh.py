"""`ssh://`: a worker started by the system's OpenSSH, with the user's configuration, agents and jump hosts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from playstream.links.link import OpenLink, silence_of
from playstream.links.program import Ended, ProgramLink, explain_program
from playstream.pipeline.errors import (
    AuthenticationFailed,
    HostKeyRejected,
    IncompleteStream,
    LinkError,
    PlaystreamError,
    SilentPeer,
    UnreachableHost,
    WorkerNotFound,
)
from playstream.pipeline.io.cancellation import Cancellation

DEFAULT_COMMAND = ("playstream",)
WORKER = ("worker",)
"""The words for a worker after those that start playstream."""
_SSH_FAILED = 255
"""Exit status of ssh for its own errors; any other one is that of the command on the host."""
_MISSING = "playstream-link: not found, PATH="
"""The beginning of what the host prints if there is no such command."""
_REMOVAL = re.compile(r"""ssh-keygen -f (["'])[^"'$`\\]*\1 -R (["'])[^"'$`\\]*\2""")
"""The command with which ssh removes an old key, as it prints it."""
_OPTIONS = ("-T", "-x", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none", "-o", "PermitLocalCommand=no")
"""What scp and sftp set too: a connection for data, whatever the user has configured for logins to this host."""


@dataclass(frozen=True, slots=True)
class SshAddress:
    """Where a worker is, and how it is started there."""

    host: str
    user: str | None = None
    port: int | None = None
    command: tuple[str, ...] = DEFAULT_COMMAND
    """The words that start playstream, without the subcommand."""
    worker: tuple[str, ...] = WORKER
    """The subcommand, and its options."""

    @property
    def name(self) -> str:
        """The address as a URL without the command, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{f'{self.user}@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    def login(self) -> list[str]:
        """Return ssh's words up to the host; a command may follow."""
        return ["ssh", *_OPTIONS, *self._options, "--", self.host]

    def call(self, *options: str) -> str:
        """Return the command line of a login for a person to type."""
        return shlex.join(["ssh", *options, *self._options, self.host])

    @property
    def _options(self) -> list[str]:
        port = [] if self.port is None else ["-p", str(self.port)]
        user = [] if self.user is None else ["-l", self.user]
        return [*port, *user]


class SshLink:
    """A link over ssh.

    Args:
        address: where the worker is.
    """

    def __init__(self, address: SshAddress) -> None:
        self.name = address.name
        self._address = address

    def open(self, _cancellation: Cancellation | None = None, /) -> OpenLink:
        """Start ssh.

        Raises:
            LinkError: it cannot be started.
        """
        words = [*self._address.login(), _remote_command(self._address.command, self._address.worker)]

        def explain(ended: Ended, error: PlaystreamError) -> PlaystreamError:
            return explain_ssh(self._address, ended, error)

        return ProgramLink(self.name, words, explain).open()


def _remote_command(command: tuple[str, ...], worker: tuple[str, ...]) -> str:
    """Return the command line for the host, whose login shell may be any: it only starts sh.

    If there is no such program, the host says where it has looked.
    """
    program = _quote(command[0])
    call = " ".join([program, *map(_quote, command[1:]), *map(shlex.quote, worker)])
    missing = f"printf '%s%s\\n' '{_MISSING}' \"$PATH\" >&2; exit 127"
    script = f"command -v {program} >/dev/null 2>&1 || {{ {missing}; }}; exec {call}"
    return f"exec sh -c {shlex.quote(script)}"


def _quote(word: str) -> str:
    """Quote a word for sh; a path may begin with the home directory there."""
    return f'"$HOME"/{shlex.quote(word[2:])}' if word.startswith("~/") else shlex.quote(word)


def explain_ssh(address: SshAddress, ended: Ended, error: PlaystreamError) -> PlaystreamError:
    """Explain the end of ssh, with what to do next."""
    if isinstance(error, SilentPeer) and not ended.answered:
        return SilentPeer(
            f"{address.name}: the host does not answer, or the login there waits for something: {silence_of(error)}"
            f"{ended.last_message}. Check that it is up, and the network and firewalls on the way, or try "
            f"ssh {address.host}; --liveness-seconds sets the limit"
        )
    if not isinstance(error, (IncompleteStream, LinkError)) or ended.code is None:
        return error
    text = "\n".join(ended.messages)
    if ended.code == _SSH_FAILED:
        for pattern, make in _REASONS:
            if re.search(pattern, text):
                return make(address, ended)
        seen = str(error) if ended.answered else f"Try {address.call('-v')}"
        return type(error)(f"{address.name}: ssh {ended.how}{ended.last_message}. {seen}")
    if ended.code == 127 and _MISSING in text:
        if "/" in address.command[0]:
            return WorkerNotFound(
                f"{address.name}: {address.command[0]!r} does not exist there, or cannot be executed. Check the "
                "path in command=, or send playstream with --bootstrap (in Python, bootstrap=True)"
            )
        searched = text.partition(_MISSING)[2].splitlines()[0]
        return WorkerNotFound(
            f"{address.name}: {address.command[0]!r} was not found there. The PATH of a command over ssh is "
            f"{searched}. Give its whole path, {address.name}?command=/path/to/playstream, send it with --bootstrap "
            "(in Python, bootstrap=True), or install playstream there"
        )
    if ended.code in {126, 127} and not ended.answered:
        return WorkerNotFound(f"{address.name}: {address.command[0]!r} cannot be executed there{ended.last_message}")
    if not ended.answered and (foreign := str(error)).startswith("received"):
        return type(error)(
            f"{address.name}: the host printed text but started no worker{ended.last_message}. A start-up file of the "
            f"shell there, such as ~/.bashrc, or a forced command probably ended first. This side {foreign}"
        )
    return explain_program(ended, error)


def _no_name(address: SshAddress, ended: Ended) -> PlaystreamError:
    return UnreachableHost(
        f"{address.name}: the host {address.host!r} has no address{ended.last_message}. Check its name, and Host in "
        "~/.ssh/config"
    )


def _no_route(address: SshAddress, ended: Ended) -> PlaystreamError:
    return UnreachableHost(
        f"{address.name}: the host does not answer{ended.last_message}. Check that it is up, and the network and "
        "firewalls on the way"
    )


def _refused(address: SshAddress, ended: Ended) -> PlaystreamError:
    return UnreachableHost(
        f"{address.name}: the host is up but refuses the connection{ended.last_message}. Check that sshd runs "
        "there, and its port"
    )


def _changed_key(address: SshAddress, ended: Ended) -> PlaystreamError:
    removal = next((line for line in map(str.strip, ended.messages) if _REMOVAL.fullmatch(line)), None)
    remove = removal or f"ssh-keygen -R {_known_name(address)}"  # ssh names the file and the name in it
    return HostKeyRejected(
        f"{address.name}: the host's key is not the one in known_hosts: the host was installed again, or somebody is "
        f"in between. Ask its administrator; then remove the old key with {remove}"
    )


def _unknown_key(address: SshAddress, _ended: Ended) -> PlaystreamError:
    return HostKeyRejected(
        f"{address.name}: the host's key is not in known_hosts. Log in once with {address.call()} and compare "
        "the key, or add it to known_hosts"
    )


def _known_name(address: SshAddress) -> str:
    """Return the host as known_hosts names it."""
    return shlex.quote(f"[{address.host}]:{address.port}") if address.port else address.host


def _denied(address: SshAddress, ended: Ended) -> PlaystreamError:
    return AuthenticationFailed(
        f"{address.name}: the host does not accept this user{ended.last_message}. Check the user, and which key is "
        f"used: {address.call('-v')}. Without a terminal ssh cannot ask for a password or passphrase: add the key to "
        "an agent"
    )


def _damaged(address: SshAddress, ended: Ended) -> PlaystreamError:
    return LinkError(
        f"{address.name}: what was sent has arrived altered, so ssh has closed the connection{ended.last_message}. "
        f"A device or program on the way changes what it passes on: try again, and then another way to the host"
    )


def _lost(address: SshAddress, ended: Ended) -> PlaystreamError:
    if not ended.answered:
        return LinkError(
            f"{address.name}: the connection was lost before a worker answered{ended.last_message}. Try again, or look "
            f"where it ends with {address.call('-v')}"
        )
    return LinkError(
        f"{address.name}: the connection was lost{ended.last_message}. Everything received before is kept; the worker "
        "ends its job"
    )


_REASONS: tuple[tuple[str, Callable[[SshAddress, Ended], PlaystreamError]], ...] = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED|host key .* has changed", _changed_key),
    ("Host key verification failed|No .* host key is known", _unknown_key),
    ("Could not resolve hostname", _no_name),
    ("Connection refused", _refused),
    ("No route to host|Network is unreachable|Connection timed out|Operation timed out|Host is down", _no_route),
    ("Permission denied|Too many authentication failures|No more authentication methods", _denied),
    (
        "authentication code incorrect|Corrupted MAC|incorrect signature|Bad packet length|[Pp]adding error",
        _damaged,
    ),
    (
        "closed by remote host|Connection reset|Broken pipe|Connection to .* closed|not responding|Connection closed",
        _lost,
    ),
)
"""What OpenSSH prints, and the explanation; the first that matches counts. It does not translate its messages."""
