"""What is in the messages of a mesh that are not a job's bytes. Bytes in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from playstream.mesh.subjects import is_name
from playstream.pipeline.errors import RemoteProtocolError

_FORMAT = 1
_MAX_TEXT = 4096
_STATUSES = 256
_MAX_ITEMS = 1000
_MAPPINGS = {"names": "text", "numbers": "number"}


class Content:
    """What is in a message."""

    __slots__ = ()


class Outcome(Enum):
    """How a job has ended."""

    WORKER = "worker"
    """The worker has ended, and all that it has sent is stored."""
    LOST = "lost"
    """The node that had claimed the job has been silent for too long."""
    CANCELED = "canceled"
    """The submitter has given the job up."""
    EXPIRED = "expired"
    """No node has started the job before its deadline."""
    UNMET = "unmet"
    """No node of the group has what the job needs."""
    REFUSED = "refused"
    """The node does not accept the signature of the job."""
    FAILED = "failed"
    """The node could not run the job, or could not store its results."""


@dataclass(frozen=True, slots=True)
class Order(Content):
    """The message of a job in the queue."""

    version: str
    """The version of playstream that has sent it."""
    recipient: str
    """The public key to which its results are encrypted; empty for a job and results that are not encrypted."""
    start_within: float | None
    """Seconds in the queue after which it is not started any more; None for no limit."""
    needs: tuple[str, ...] = ()
    """What the node must have, as in `features`."""
    key: str = ""
    """The public key of the group to which the job is encrypted; empty if that is not known. It is not signed: another
    one only makes the job fail."""
    nonce: str = ""
    """A random word of the job; empty if it is not signed."""
    expires: float | None = None
    """Until when the signature is valid, in seconds since the epoch."""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Claim(Content):
    """The message by which a node takes a job."""

    node: str
    word: str
    """A random word, by which a node knows its own claim."""
    version: str
    """The version of playstream on the node."""


@dataclass(frozen=True, slots=True)
class JobEnd(Content):
    """The end of a job."""

    outcome: Outcome
    by: str
    """Who says so, such as `node web1`."""
    reason: str = ""
    """What to tell the user; empty if the results say it."""
    status: int | None = None
    """The exit status of the worker; None if it has not ended by itself."""


@dataclass(frozen=True, slots=True)
class Positions(Content):
    """How far both directions of a job are: numbers of the next messages."""

    read: int
    """Of the direction that the asking or answering side reads."""
    written: int
    """Of the direction that it writes."""


@dataclass(frozen=True, slots=True)
class Announcement(Content):
    """What a node says about itself, for as long as it runs."""

    node: str
    groups: tuple[str, ...]
    slots: int
    """Jobs at the same time."""
    versions: Mapping[str, str]
    features: tuple[str, ...]
    stopped: bool = False
    """Whether it has ended as it was told to."""


@dataclass(frozen=True, slots=True)
class Condition(Content):
    """What a node answers when it is asked how it is."""

    running: Mapping[str, int]
    """Jobs that run there, by group."""
    held: Mapping[str, int]
    """Jobs that it has taken from a queue and cannot run itself, by group."""
    held_seconds: float
    """How long the oldest of them has been there."""
    stopping: bool
    """Whether it takes no more jobs."""


@dataclass(frozen=True, slots=True)
class JobOffer(Content):
    """A job that a node has taken from the queue of a group and cannot run, for the other nodes of the group."""

    job: str
    """The subject of its message in the queue."""
    reply: str
    """The subject by which the queue knows the delivery."""
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed(Content):
    """The message of a job in the list of its submitter."""

    encrypted: bool
    """Whether the job and its results are."""


@dataclass(frozen=True, slots=True)
class CancelRequest(Content):
    """What a node is told to end a job."""

    by: str
    """Who says so, such as `submitter ann`."""


@dataclass(frozen=True, slots=True)
class LogQuestion(Content):
    """An operator's question for the lines of a node's log."""

    first: int
    """The number of the first line that is asked for; the first line of the node has the number 0."""


@dataclass(frozen=True, slots=True)
class LogLines(Content):
    """Some lines of a node's log."""

    lines: tuple[str, ...]
    next: int
    """The number of the line after them."""
    total: int
    """How many lines the node has written."""


_Content = TypeVar("_Content", bound=Content)


def encode(content: Content) -> bytes:
    """Return a message."""
    values = {name: getattr(content, name) for name in _FIELDS[type(content)]}
    fields = {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
    return json.dumps({"format": _FORMAT, **fields}).encode()


def decode(kind: type[_Content], data: bytes) -> _Content:
    """Return what is in a message.

    Raises:
        RemoteProtocolError: it has another form.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RemoteProtocolError(f"expected a message of the mesh ({kind.__name__}), got {data[:80]!r}")
    if found.get("format") != _FORMAT:
        raise RemoteProtocolError(
            f"a message of the mesh ({kind.__name__}) has format {found.get('format')!r:.40}, and this version of "
            f"playstream understands {_FORMAT}: update the older side"
        )
    try:
        fields = {name: hint for name, hint in _FIELDS[kind].items() if name in found or name not in _LATER}
        return kind(**{name: _check(name, hint, found) for name, hint in fields.items()})
    except (KeyError, TypeError, ValueError):
        raise RemoteProtocolError(
            f"a message of the mesh ({kind.__name__}) is damaged or forged: {data[:80]!r}"
        ) from None


_LATER = frozenset({"key"})
"""Fields that the first versions with this format did not write."""
_FIELDS: Mapping[Any, Mapping[str, str]] = {
    Order: {
        "version": "text",
        "recipient": "text",
        "start_within": "seconds",
        "needs": "texts",
        "key": "text",
        "nonce": "text",
        "expires": "seconds",
        "signature": "text",
    },
    Claim: {"node": "name", "word": "text", "version": "text"},
    JobEnd: {"outcome": "outcome", "by": "text", "reason": "text", "status": "status"},
    Positions: {"read": "number", "written": "number"},
    Announcement: {
        "node": "name",
        "groups": "texts",
        "slots": "number",
        "versions": "names",
        "features": "texts",
        "stopped": "truth",
    },
    Condition: {"running": "numbers", "held": "numbers", "held_seconds": "seconds", "stopping": "truth"},
    LogQuestion: {"first": "number"},
    LogLines: {"lines": "texts", "next": "number", "total": "number"},
    JobOffer: {"job": "text", "reply": "text", "needs": "texts"},
    Listed: {"encrypted": "truth"},
    CancelRequest: {"by": "text"},
}


def _check(name: str, hint: str, found: Mapping[str, Any]) -> Any:
    value = found[name]
    if hint == "outcome":
        return Outcome(value)
    if hint == "name" and isinstance(value, str) and is_name(value):
        return value
    if hint == "text" and isinstance(value, str) and len(value) <= _MAX_TEXT:
        return value
    if hint == "number" and type(value) is int and 0 <= value < 1 << 53:
        return value
    if hint == "seconds" and (value is None or (type(value) in {int, float} and 0 <= value < 1 << 53)):
        return value
    if hint == "status" and (value is None or (type(value) is int and 0 <= value < _STATUSES)):
        return value
    if hint == "truth" and isinstance(value, bool):
        return value
    if hint == "texts" and isinstance(value, list) and len(value) <= _MAX_ITEMS:
        return tuple(_check(name, "text", {name: item}) for item in value)
    if hint in _MAPPINGS and isinstance(value, dict) and len(value) <= _MAX_ITEMS:
        return {key: _check(name, _MAPPINGS[hint], {name: item}) for key, item in value.items()}
    raise ValueError(name)
