"""Passing a job's private key from memory through a pipe to the job's own ssh-agent, and nowhere else.

The agent runs the command in its original process and continues as a child of the command. The guard ends it with the
job, identified by the path of its socket; otherwise it exits by itself 10 seconds after its parent.
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
"""Maximum length of a unix socket's path, in bytes."""
_ROOM: Final = 25
"""How many bytes longer the paths of ssh's shared connections are than the agent's: `cp/`, 10 letters of Ansible, 17
that ssh appends while it creates one; less `agent`."""
# The C library removes these from the environment of a program with setgid, such as ssh-agent on some systems; its
# children would lack them. None is secret.
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

# Values are passed as parameters, never inside the text. The key is read from descriptor 3, so that standard input
# stays the terminal, where ssh-add asks for a passphrase; otherwise versions before 8.4 would try to open a window.
# ssh-add gets a link to that descriptor and shows the link's path in its prompt.
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

    The first argument is `ssh-agent`, which the caller looks up like any program. It also requires sh, env, head and
    ssh-add.

    Args:
        words: the command, which runs in the started process. It does not run if ssh-add rejects the key; the return
            code is then that of ssh-add.
        socket: path of the agent's socket, as the command sees it.
        fifo: path of the `KeyPipe`, as the command sees it.
        name: path of the link that `name_key` created, as the command sees it.
        size: size of the key in bytes.
        env: the command's environment. The variables in it that a setgid ssh-agent would lose, which contain paths, are
            passed on the command line.

    Raises:
        JobError: the path of the socket, or of those that ssh creates next to it, is too long for the system.
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
    """Create the link that ssh-add shows when it asks for a passphrase: `…/artifacts/IDENT/ssh_key_data`.

    The name is ansible-runner's, because users have regular expressions for that prompt.

    Raises:
        OSError: it cannot be created.
    """
    directory = run_dir / "artifacts" / (ident if ident.isprintable() else "run")
    directory.mkdir(mode=0o700, parents=True)
    link = directory / "ssh_key_data"
    link.symlink_to("/dev/fd/3")
    return link


class KeyPipe:
    """The pipe that holds the key, which is never written to a file.

    Args:
        path: the path of the FIFO, in a directory that only this user can enter.
        key: the text of the private key, at most 32 KiB.
        mode: mode of the FIFO; 0o666 if the job runs as another user, in a container.

    Raises:
        JobError: the pipe cannot be created, or cannot hold the key.
    """

    def __init__(self, path: Path, key: str, *, mode: int = 0o600) -> None:
        self._path = path
        data = key.encode()
        try:
            os.mkfifo(path, 0o600)
            path.chmod(mode)
            # Opened for reading and writing, so that neither opening nor writing waits for the reader, which knows the
            # size.
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
        """Discard what was not read of the key, and remove the FIFO."""
        close_owned(self._fd)
        try:
            self._path.unlink()
        except OSError:
            pass  # the job has removed or replaced it; everything is removed with the spool
