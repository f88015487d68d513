"""Which servers of a cluster have what they keep, for whoever wants to end another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from playstream.mesh.client import MeshClient
from playstream.pipeline.errors import counted


async def find_behind(client: MeshClient) -> Mapping[str, int]:
    """Return of how many streams each server does not have everything, or is not there; only servers that lack some.

    Args:
        client: the connection of an operator.

    Raises:
        LinkError: there is no answer.
    """
    behind: Counter[str] = Counter()
    offset, total = 0, 1
    while offset < total:
        answer = await client.administer("STREAM.LIST", {"offset": offset})
        streams: list[dict[str, Any]] = answer.get("streams") or []
        for stream in streams:
            behind.update(_lacking(stream.get("cluster") or {}))
        total = int(answer.get("total", 0)) if streams else 0
        offset += len(streams)
    return behind


def _lacking(cluster: Mapping[str, Any]) -> list[str]:
    replicas = cluster.get("replicas") or []
    return [str(each.get("name")) for each in replicas if not each.get("current") or each.get("offline")]


def explain_behind(behind: Mapping[str, int]) -> list[str]:
    """Return what to do about servers that do not have everything."""
    if not behind:
        return []
    listed = ", ".join(f"{name} ({counted(number, 'stream')})" for name, number in sorted(behind.items()))
    advice = (
        "not everything is on all servers that are to keep it. These are behind, or not there, so end no other one "
        f"until they have caught up: {listed}"
    )
    return [advice]
