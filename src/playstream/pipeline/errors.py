"""What can go wrong, and the exit status that says so.

Every error of the package derives from `PlaystreamError` and has an exit status of its own, which the command line
ends with. They keep clear of Ansible's (0 to 8, 99, 250), the shell's (126 and up) and ssh's (255), but for two that
mean the same there: 1 for bad input and 127 for a missing program, as with ansible-runner. The table in docs/errors.md
is generated from these classes.

A message says what was expected, what came, the likely cause, and what to do next.
"""

from __future__ import annotations

from typing import ClassVar

CANCELED_EXIT_STATUS = 254
"""Exit status of a job that was canceled or ran into a time limit, as in ansible-runner."""

USAGE_EXIT_STATUS = 2
"""Exit status of a command line that could not be understood."""

MAX_MESSAGE = 8192
"""Characters of a message: it is for people, and has to fit into a record, though it may quote what came."""


class PlaystreamError(Exception):
    """Base of every error that playstream raises on purpose.

    Its text is for people. Of a very long one the middle is left out.
    """

    exit_status: ClassVar[int] = 70

    def __str__(self) -> str:
        return shorten(super().__str__())


class ConfigurationError(PlaystreamError, ValueError):
    """The input is wrong: an argument, a file in `env/`, a missing playbook. Nothing has run.

    It is a ValueError too, which is what ansible-runner raises when the private data directory is missing.
    """

    exit_status = 1


class UnsafePath(PlaystreamError):
    """A path in a tree would leave the directory that the tree is unpacked into, or is no path at all."""

    exit_status = 77


class ProtocolError(PlaystreamError):
    """The rules of the stream were broken."""

    exit_status = 78


class LocalProtocolError(ProtocolError):
    """This side was asked to send what the protocol does not allow: a defect of the caller."""

    exit_status = 79


class RemoteProtocolError(ProtocolError):
    """What was received is not a valid stream: damaged, foreign, or of a version this side does not speak."""

    exit_status = 76


class IncompleteStream(RemoteProtocolError):
    """The stream ended before its End record: the other side died or the link was cut."""

    exit_status = 75


class LinkError(PlaystreamError):
    """The bytes could not be carried: the other end went away or the link refused them."""

    exit_status = 74


class SilentPeer(LinkError):
    """The other side has said or taken nothing for longer than the liveness limit."""

    exit_status = 80


class LimitExceeded(RemoteProtocolError):
    """The stream holds more than a limit of this side allows; the message names the limit and its flag."""

    exit_status = 81


class OutputError(PlaystreamError):
    """What a command or a run was to show or to log cannot be written. The artifacts are complete."""

    exit_status = 82


class JobError(PlaystreamError):
    """The job could not be run or supervised."""

    exit_status = 71


class ExecutableNotFound(JobError):
    """The program that runs the job is not on this host's PATH."""

    exit_status = 127


class WorkerError(PlaystreamError):
    """The worker failed and said so with a Failure record, or what it says of the run's end contradicts itself."""

    exit_status = 72


class CallbackError(PlaystreamError):
    """A handler of the caller's raised."""

    exit_status = 73


class StoreError(PlaystreamError):
    """The store cannot be reached, read or written, or is of another version."""

    exit_status = 69


def shorten(message: str) -> str:
    """A message of at most about MAX_MESSAGE characters. The beginning says what is wrong, the end what to do."""
    half = MAX_MESSAGE // 2
    left_out = len(message) - 2 * half
    return message if left_out <= 0 else f"{message[:half]} … ({left_out} characters) … {message[-half:]}"


def as_error(caught: PlaystreamError | OSError, host: str = "this host") -> PlaystreamError:
    """What ends a job or a command: an error of this package as it is, what a host refused as a JobError.

    Args:
        caught: what was raised.
        host: where, for people.
    """
    if isinstance(caught, PlaystreamError):
        return caught
    where = f"{caught.filename}: " if caught.filename else ""
    return JobError(f"{host} refused something that is needed: {where}{caught.strerror or caught}")


def error_classes() -> list[type[PlaystreamError]]:
    """Every error class, base first, in the order of definition."""
    found: list[type[PlaystreamError]] = [PlaystreamError]
    for cls in found:
        found.extend(cls.__subclasses__())
    return found
