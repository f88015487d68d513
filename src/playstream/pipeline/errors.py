"""The errors, and the exit status of each.

Every error of the package derives from `PlaystreamError` and has an exit status of its own, which the command line
ends with. They keep clear of Ansible's (0 to 8, 99, 250), the shell's (126 and up) and ssh's (255), but for two that
mean the same there: 1 for bad input and 127 for a missing program, as with ansible-runner. The table in docs/errors.md
is generated from these classes.

A message says what was expected, what came, the likely cause, and what to do next.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import ClassVar

CANCELED_EXIT_STATUS = 254
"""Exit status of a job that was canceled or ran into a time limit, as in ansible-runner."""

USAGE_EXIT_STATUS = 2
"""Exit status of a command line that could not be understood."""

DIFFERENT_EXIT_STATUS = 3
"""Exit status of `playstream diff` if the outcomes of two runs differ."""

MAX_MESSAGE = 8192
"""Maximum length of a message, which has to fit into a record though it may quote the input."""


_REMEDIES = {
    errno.EACCES: "Check its owner and mode, and those of its parent directories",
    errno.EPERM: "Check its owner and mode, and those of its parent directories",
    errno.ENOENT: "Check its path, and that its directory exists",
    errno.ELOOP: "Check its path: a link in it leads back to itself",
    errno.ENXIO: "Check its path: it is a socket, or a device that is not there",
    errno.ENOTDIR: "Check its path: a part of it is not a directory",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EROFS: "Its file system is read-only: make it writable",
    errno.ENOSPC: "Free space there",
    errno.EDQUOT: "Free space there, or raise the quota",
    errno.EFBIG: "Allow larger files (ulimit -f)",
    errno.EMFILE: "Allow more open files (ulimit -n)",
    errno.ENFILE: "Allow more open files (sysctl fs.file-max)",
}
_LIMITS = frozenset({errno.EMFILE, errno.ENFILE})
"""Errors that are not about a certain file."""


class PlaystreamError(Exception):
    """Base of every error that playstream raises on purpose.

    The message is for users. The middle of a very long one is omitted.
    """

    exit_status: ClassVar[int] = 70

    def __str__(self) -> str:
        return shorten(super().__str__())


class ConfigurationError(PlaystreamError, ValueError):
    """The input is not valid: an argument, a file in `env/`, a missing playbook. Nothing was run.

    It is a ValueError too, which is what ansible-runner raises when the private data directory is missing.
    """

    exit_status = 1


class UnsafePath(PlaystreamError):
    """A path in a tree leads out of the directory that the tree is unpacked into, or is not valid."""

    exit_status = 77


class ProtocolError(PlaystreamError):
    """The stream violates the protocol."""

    exit_status = 78


class LocalProtocolError(ProtocolError):
    """This side was asked to send what the protocol does not allow: a bug of the caller."""

    exit_status = 79


class RemoteProtocolError(ProtocolError):
    """The received data is not a valid stream: damaged, foreign, or of an unsupported version."""

    exit_status = 76


class IncompleteStream(RemoteProtocolError):
    """The stream ended before its End record: the other side was killed or the connection was lost."""

    exit_status = 75


class LinkError(PlaystreamError):
    """Data could not be transferred: the other side has exited, or reading or writing failed."""

    exit_status = 74


class SilentPeer(LinkError):
    """The other side has sent or read nothing for longer than the liveness limit."""

    exit_status = 80


class UnreachableHost(LinkError):
    """A link cannot be opened: the host has no address, no route leads there, or it refuses the connection."""

    exit_status = 84


class HostKeyRejected(LinkError):
    """The host's key, or its certificate, is unknown, has changed, or belongs to another name."""

    exit_status = 85


class AuthenticationFailed(LinkError):
    """The host does not accept this user."""

    exit_status = 86


class WorkerNotFound(LinkError):
    """The host was reached, but it did not start a worker: playstream was not found or cannot be executed there."""

    exit_status = 87


class WorkerBusy(LinkError):
    """The worker cannot take another job: its slots and its queue are full, or it is shutting down."""

    exit_status = 88


class BootstrapError(LinkError):
    """No worker can be sent to the host: Python is missing or too old there, no wheel fits, or there is no room."""

    exit_status = 90


class NodeLost(LinkError):
    """The node of a mesh that ran the job has died or has lost the mesh. It ends what is left of the job by itself."""

    exit_status = 91


class JobExpired(LinkError):
    """No node of the mesh has started the job in the time of --start-within. It is not started any more."""

    exit_status = 93


class NeedsNotMet(LinkError):
    """No node of the group of a mesh has what the job needs; the message says what is missing where."""

    exit_status = 94


class JobRefused(LinkError):
    """The node of a mesh does not run the job, which is not signed by a listed submitter, a copy, or not encrypted."""

    exit_status = 95


class IncompleteTree(PlaystreamError):
    """A captured job does not have its whole tree, because its worker had parts of it. What it has was unpacked."""

    exit_status = 96


class LimitExceeded(RemoteProtocolError):
    """The stream exceeds a limit of this side; the message names the limit and its flag."""

    exit_status = 81


class OutputError(PlaystreamError):
    """The output or the log of a command or a run cannot be written. The artifacts are complete."""

    exit_status = 82


class JobError(PlaystreamError):
    """The job could not be run or supervised."""

    exit_status = 71


class ExecutableNotFound(JobError):
    """The program that runs the job is not on this host's PATH."""

    exit_status = 127


class GalaxyError(JobError):
    """ansible-galaxy could not install the collections and roles that the project requires. Nothing was run."""

    exit_status = 89


class IsolationError(JobError):
    """The container engine, or bwrap, failed, or could not start the job: the exit status is not Ansible's."""

    exit_status = 83


class WorkerError(PlaystreamError):
    """The worker failed and reported it with a Failure record, or what it reports about the run contradicts itself."""

    exit_status = 72


class CallbackError(PlaystreamError):
    """A handler of the caller raised an exception."""

    exit_status = 73


class StoreError(PlaystreamError):
    """The store cannot be reached, read or written, or is of another version."""

    exit_status = 69


def shorten(message: str) -> str:
    """Shorten a message to about MAX_MESSAGE characters; its beginning and its end are kept."""
    half = MAX_MESSAGE // 2
    left_out = len(message) - 2 * half
    return message if left_out <= 0 else f"{message[:half]} … ({left_out} characters) … {message[-half:]}"


def remedy(error: OSError) -> str:
    """Return what to do about a file that cannot be read or written, as a sentence without its full stop."""
    return _REMEDIES.get(error.errno or 0, "Check the file system and its disk")


def counted(number: int, word: str) -> str:
    """Return a number with a word, which gets an s unless the number is 1."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def did_you_mean(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return the end of a message that suggests the word in `known` that is most like `word`; empty if none is.

    Args:
        word: the word that is not known.
        known: the words that are.
        likeness: how much two words must have in common, from 0 to 1, as for difflib.
    """
    import difflib  # noqa: PLC0415 - most runs have no mistakes

    close = difflib.get_close_matches(word, known, n=1, cutoff=likeness)
    return f"; did you mean {close[0]!r}?" if close else ""


def as_error(caught: PlaystreamError | OSError, host: str = "") -> PlaystreamError:
    """Convert what ended a job or a command to a PlaystreamError; an OSError becomes a JobError.

    Args:
        caught: what was raised.
        host: the host, for the message; '' for this one.
    """
    if isinstance(caught, PlaystreamError):
        return caught
    reason = caught.strerror or caught
    where = host and f"{host}: "
    if caught.filename is None:
        hint = f". {remedy(caught)}" if caught.errno in _LIMITS else ""
        return JobError(f"{where}a system call failed: {reason}{hint}")
    name = caught.filename.decode(errors="replace") if isinstance(caught.filename, bytes) else caught.filename
    return JobError(f"{where}{name!r} cannot be used: {reason}. {remedy(caught)}")


def error_classes() -> list[type[PlaystreamError]]:
    """Every error class of this module, base first, in the order of definition."""
    found: list[type[PlaystreamError]] = [PlaystreamError]
    for cls in found:
        found.extend(kind for kind in cls.__subclasses__() if kind.__module__ == __name__)
    return found


def name_of(error: BaseException) -> str:
    """Return the name of an error's class, for another process: of the nearest one of this module, which it knows."""
    known = error_classes()
    return next((cls.__name__ for cls in type(error).__mro__ if cls in known), PlaystreamError.__name__)
