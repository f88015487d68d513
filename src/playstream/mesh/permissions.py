"""What each identity may publish and subscribe to. The server refuses everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playstream.mesh.identity import Kind, inbox
from playstream.mesh.subjects import (
    GROUPS,
    GROUPS_STREAM,
    MESH_STREAM,
    SEALED_STREAM,
    STATUS,
    SUBMITTERS,
    SUBMITTERS_STREAM,
    Streams,
    announcement,
    list_of,
    offers,
    question,
    sealed_keys,
)

_ANSWERS = {"max": 1, "ttl": "10s"}
"""A node may answer a request once, within this time."""


def user_of(kind: Kind, name: str, mark: str) -> str:
    """Return the name of an identity's user on the server: the subject of its certificate.

    Args:
        kind: what it is.
        name: its name.
        mark: a word that an earlier identity of this name, whose certificate may be valid still, does not have; empty
            for one that was made without.
    """
    return f"CN={name},OU={kind.value}" + (f",O={mark}" if mark else "")


def permissions_of(kind: Kind, name: str, groups: Iterable[str]) -> dict[str, Any]:
    """Return the permissions of an identity, as in the server's configuration.

    Args:
        kind: what it is.
        name: its name.
        groups: the groups of a node, with its own; for others it has no meaning.
    """
    if kind is Kind.OPERATOR:
        return {"publish": {"allow": [">"]}, "subscribe": {"allow": [">"]}}
    if kind is Kind.SUBMITTER:
        return _submitter(name)
    return _node(name, sorted(groups))


def _submitter(name: str) -> dict[str, Any]:
    readable = {
        "OUT": f"out.*.*.{name}.>",
        "STATE": f"claim.*.{name}.>",
    }
    get = "$JS.API.DIRECT.GET.*"
    return {
        "publish": {
            "allow": [
                f"list.{name}.*.*",
                # A stream of its own, because what is asked about a stream is in the body, which is not checked.
                f"$JS.API.STREAM.INFO.{list_of(name)}",
                f"{get}.list.{name}.*.*",
                f"job.*.{name}.*",
                f"in.*.{name}.>",
                f"end.*.{name}.*",
                f"ctl.*.*.{name}.*",
                question("*", STATUS),
                f"$JS.API.DIRECT.GET.{MESH_STREAM}",
                f"$JS.API.DIRECT.GET.{GROUPS_STREAM}.{GROUPS}",
                *(f"{get}.{subject}" for subject in (*readable.values(), f"end.*.{name}.*", f"beat.*.*.{name}.*")),
            ]
        },
        "subscribe": {
            "allow": [
                *readable.values(),
                f"end.*.{name}.*",
                f"{inbox(Kind.SUBMITTER, name)}.>",
            ]
        },
    }


def _node(name: str, groups: Iterable[str]) -> dict[str, Any]:
    lists = {SUBMITTERS_STREAM: SUBMITTERS, SEALED_STREAM: sealed_keys(name)}
    publish = [f"$JS.API.DIRECT.GET.{stream}.{subject}" for stream, subject in lists.items()]
    subscribe = [f"{inbox(Kind.NODE, name)}.>", question(name, "*"), *lists.values()]
    for group in groups:
        streams = Streams(group)
        get = "$JS.API.DIRECT.GET"
        publish += [
            f"out.{group}.{name}.>",
            f"beat.{group}.{name}.>",
            f"claim.{group}.>",
            f"end.{group}.>",
            announcement(group, name),
            offers(group),
            f"$JS.API.CONSUMER.MSG.NEXT.{streams.jobs}.{group}",
            f"$JS.ACK.{streams.jobs}.{group}.>",
            f"$JS.API.STREAM.PURGE.{streams.input}",
            f"{get}.{streams.input}.in.{group}.>",
            f"{get}.{streams.jobs}.job.{group}.>",
            *(f"{get}.{streams.state}.{kind}.{group}.>" for kind in ("claim", "beat", "end")),
        ]
        subscribe += [f"in.{group}.>", f"end.{group}.>", f"ctl.{group}.{name}.>", offers(group)]
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}, "allow_responses": _ANSWERS}
