"""A job's private key: from memory through a pipe into an ssh-agent of the job's own, and nowhere else.

The agent is the parent of the job's command in name only: it executes the command in its own process, and continues as
that command's child. It ends with the job, whose guard knows it by the path of its socket, or 10 seconds after its
parent by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from playstream.pipeline.errors import JobError
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.io.stdio import enlarge_pipe

_MAX_SOCKET: Final = 107
"""Bytes of a unix socket's path."""
_ROOM: Final = 25
"""By how many bytes the sockets of ssh's shared connections have longer paths than the agent's: `cp/`, 10 letters of
Ansible's, 17 that ssh appends while it makes one; less `agent`."""
# The C library takes these away from a program that gains rights by being started, as ssh-agent does (setgid) where
# it is so installed; what it starts would lack them. None is secret.
_LOST = frozenset(
    {
        "GCONV_PATH",
        "GETCONF_DIR",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "LOCPATH",
        "MALLOC_TRACE",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "TMPDIR",
        "TZDIR",
    }
)

# Words come as parameters, never inside the text. The key is read from descriptor 3, so that standard input stays the
# terminal, where ssh-add asks for a passphrase; without that, versions before 8.4 would want a window for it. ssh-add
# gets a link to that descriptor, whose path it shows when it asks.
_SCRIPT = """\
fifo=$1 size=$2 name=$3
shift 3
{ head -c "$size" "$fifo" | SSH_ASKPASS_REQUIRE=never ssh-add -q "$name" 3<&0 <&4 4<&-; } 4<&0 || {
    status=$?
    echo 'ERROR! ssh-add did not take the private key of the job (ssh_key), so nothing was run' >&2
    exit "$status"
}
exec "$@"
"""


def wrap_in_agent(
    words: Sequence[str], *, socket: str, fifo: str, name: str, size: int, env: Mapping[str, str] | None = None
) -> list[str]:
    """Return the command line that runs `words` with an ssh-agent that has the job's key.

    The first word is `ssh-agent`, to be looked for as any program. Needs sh, env, head and ssh-add besides.

    Args:
        words: the command, the same process as what is started. It is not run when the key is not taken; the return
            code is then ssh-add's.
        socket: path of the agent's socket, as the command sees it.
        fifo: path of the `KeyPipe`, as the command sees it.
        name: path of what `name_key` made, as the command sees it.
        size: bytes of the key.
        env: what the command is started with. The variables in it that a setgid ssh-agent would lose are named on the
            command line; they hold paths.

    Raises:
        JobError: the path of the socket, or of those that ssh makes beside it, is longer than the system takes.
    """
    length = len(os.fsencode(socket)) + _ROOM
    if length > _MAX_SOCKET:
        raise JobError(
            f"the path of the run directory {str(Path(socket).parent)!r} is {length - _MAX_SOCKET} bytes too long for "
            f"the sockets of ssh and ssh-agent, which are limited to {_MAX_SOCKET}. Set TMPDIR to a directory with a "
            "shorter path, such as /tmp, where the worker runs"
        )
    kept = [f"{name}={value}" for name, value in (env or {}).items() if name in _LOST or name.startswith("LD_")]
    restore = ["env", *kept] if kept else []
    return ["ssh-agent", "-a", socket, *restore, "sh", "-c", _SCRIPT, "sh", fifo, str(size), name, *words]


def name_key(run_dir: Path, ident: str) -> Path:
    """Make the name that ssh-add shows when it asks for a passphrase: `…/artifacts/IDENT/ssh_key_data`.

    It is ansible-runner's, whose users have regular expressions for that prompt.

    Raises:
        OSError: this host refused it.
    """
    directory = run_dir / "artifacts" / (ident if ident.isprintable() else "run")
    directory.mkdir(mode=0o700, parents=True)
    link = directory / "ssh_key_data"
    link.symlink_to("/dev/fd/3")
    return link


class KeyPipe:
    """The pipe that the key waits in; it is never a file's content.

    Args:
        path: where to make the FIFO, in a directory that only this user can enter.
        key: the text of the private key, at most 32 KiB.
        mode: of the FIFO; 0o666 where the job runs as another user, in a container.

    Raises:
        JobError: the pipe cannot be made, or does not hold the key.
    """

    def __init__(self, path: Path, key: str, *, mode: int = 0o600) -> None:
        self._path = path
        data = key.encode()
        try:
            os.mkfifo(path, 0o600)
            path.chmod(mode)
            # Open for both ends: neither opening nor writing waits for the reader, which knows how much to read.
            self._fd = own_descriptor(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            raise JobError(
                f"the pipe for the private key cannot be created in {str(path.parent)!r}: {error.strerror}"
            ) from None
        enlarge_pipe(self._fd)
        try:
            written = os.write(self._fd, data)
        except BlockingIOError:
            written = 0
        if written != len(data):
            self.close()
            raise JobError(
                f"the private key of {len(data)} bytes does not fit into a pipe, which accepted {written}. This user "
                "probably has too many pipes open; see pipe-user-pages-soft in pipe(7)"
            )

    def close(self) -> None:
        """Drop the key: what was not read is discarded, and the FIFO is removed."""
        close_owned(self._fd)
        try:
            self._path.unlink()
        except OSError:
            pass  # the job has put something else in its place, or removed it; all goes with the spool
