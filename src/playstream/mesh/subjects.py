"""The subjects and streams of a mesh, by name. docs/mesh-design.md says who uses them for what."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final

from playstream.pipeline.errors import ConfigurationError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
_OWN_GROUP = "node_"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_JOB_LENGTH = 26
_JOB = re.compile(rf"[a-z0-9]{{{_JOB_LENGTH}}}", re.ASCII)


def is_name(text: str) -> bool:
    """Return whether a text can be the name of a node, group, submitter or operator."""
    return _NAME.fullmatch(text) is not None


def check_name(what: str, name: str) -> str:
    """Check the name of a node, group, submitter or operator, which is a part of subjects and of file names.

    Raises:
        ConfigurationError: it has another form.
    """
    if not is_name(name):
        raise ConfigurationError(
            f"{what} {name!r}: expected 1 to 63 letters, digits, dashes and underscores, beginning with a letter or a "
            "digit. A host web1.example.com may be called web1"
        )
    return name


def check_group(name: str) -> str:
    """Check the name of a group.

    Raises:
        ConfigurationError: it has another form, or is one of those that nodes have for themselves.
    """
    check_name("group", name)
    if name.startswith(_OWN_GROUP):
        raise ConfigurationError(
            f"group {name!r}: names that begin with {_OWN_GROUP} are those of single nodes, which have such a group "
            "anyway. Choose another name"
        )
    return name


def own_group(node: str) -> str:
    """Return the group that only this node is in."""
    return _OWN_GROUP + node


def is_own_group(group: str) -> bool:
    """Return whether only one node is in a group."""
    return group.startswith(_OWN_GROUP)


def node_of(group: str) -> str | None:
    """Return the node that is alone in a group; None for a group of several."""
    return group.removeprefix(_OWN_GROUP) if group.startswith(_OWN_GROUP) else None


MESH_STREAM: Final = "MESH"
"""The stream that all groups share: what nodes announce."""


SUBMITTERS_STREAM: Final = "SUBMITTERS"
"""The stream with the signed list of submitters."""
SUBMITTERS: Final = "submitters"
"""The subject of that list."""
GROUPS_STREAM: Final = "GROUPS"
"""The stream with the signed list of groups."""
GROUPS: Final = "groups"
"""The subject of that list."""
SEALED_STREAM: Final = "KEYS"
"""The stream with the keys of groups, encrypted to each node."""
STATUS: Final = "status"
"""What a submitter may ask a node, too."""


LOGS: Final = "logs"
"""What only an operator may ask a node."""


def sealed_keys(node: str) -> str:
    """Return where the keys of a node are; the name may be `*`."""
    return f"keys.{node}"


def announcement(group: str, node: str) -> str:
    """Return where a node announces itself to a group; the name of the group or the node may be `*`."""
    return f"node.{group}.{node}"


def question(node: str, what: str) -> str:
    """Return where a node is asked about itself; `what` may be `*`."""
    return f"ask.{node}.{what}"


def offers(group: str) -> str:
    """Return where nodes of a group offer each other jobs that they cannot run."""
    return f"offer.{group}"


def new_job() -> str:
    """Return a name for a job that nobody else has, and nobody can guess."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_JOB_LENGTH))


def is_job(text: str) -> bool:
    """Return whether a text can be the name of a job."""
    return _JOB.fullmatch(text) is not None


def list_of(submitter: str) -> str:
    """Return the stream that lists the jobs of a submitter."""
    return f"LIST_{submitter}"


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of a group."""

    group: str

    @property
    def jobs(self) -> str:
        """The queue of jobs."""
        return f"JOBS_{self.group}"

    @property
    def input(self) -> str:
        """What jobs consist of."""
        return f"IN_{self.group}"

    @property
    def output(self) -> str:
        """Results."""
        return f"OUT_{self.group}"

    @property
    def state(self) -> str:
        """Claims, beats and ends."""
        return f"STATE_{self.group}"


@dataclass(frozen=True, slots=True)
class JobSubjects:
    """The subjects of one job."""

    group: str
    submitter: str
    job: str

    @classmethod
    def parse(cls, subject: str) -> JobSubjects | None:
        """Return those of a job by the subject of its message in the queue; None if it has another form."""
        parts = _parse("job", subject)
        return None if parts is None else cls(*parts)

    @classmethod
    def parse_listed(cls, subject: str) -> JobSubjects | None:
        """Return those of a job by the subject of its message in the list; None if it has another form."""
        parts = _parse("list", subject)
        return None if parts is None else cls(parts[1], parts[0], parts[2])

    @property
    def queued(self) -> str:
        """The message in the queue."""
        return f"job.{self._rest}"

    @property
    def listed(self) -> str:
        """The message in the list of the submitter's jobs."""
        return f"list.{self.submitter}.{self.group}.{self.job}"

    @property
    def claim(self) -> str:
        """The claim of the node that runs it."""
        return f"claim.{self._rest}"

    @property
    def end(self) -> str:
        """Its end."""
        return f"end.{self._rest}"

    @property
    def input(self) -> str:
        """What it consists of; a number follows."""
        return f"in.{self._rest}"

    def output(self, node: str) -> str:
        """Return where a node puts its results; a number follows."""
        return f"out.{self.group}.{node}.{self.submitter}.{self.job}"

    def beat(self, node: str) -> str:
        """Return where a node says that it runs the job."""
        return f"beat.{self.group}.{node}.{self.submitter}.{self.job}"

    def control(self, node: str) -> str:
        """Return where a node is asked about the job."""
        return f"ctl.{self.group}.{node}.{self.submitter}.{self.job}"

    @property
    def streams(self) -> Streams:
        """The streams of its group."""
        return Streams(self.group)

    @property
    def _rest(self) -> str:
        return f"{self.group}.{self.submitter}.{self.job}"


def _parse(first: str, subject: str) -> tuple[str, str, str] | None:
    """Return the two names and the job of a subject; None if it has another form."""
    parts = subject.split(".")
    if len(parts) != 4 or parts[0] != first or not is_job(parts[3]):
        return None
    return (parts[1], parts[2], parts[3]) if is_name(parts[1]) and is_name(parts[2]) else None
