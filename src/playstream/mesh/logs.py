"""The log of a node, as an operator reads it."""

from __future__ import annotations

from playstream.mesh.client import MeshClient
from playstream.mesh.connection import ATTEMPT_SECONDS
from playstream.mesh.delivery import NoAnswer
from playstream.mesh.messages import LogLines, LogQuestion, decode, encode
from playstream.mesh.nodes import find_announcements
from playstream.mesh.subjects import LOGS, check_name, question
from playstream.pipeline.errors import ConfigurationError, LinkError, did_you_mean


async def read_log(client: MeshClient, node: str) -> list[str]:
    """Return the last lines of a node's own log.

    Args:
        client: the connection of an operator.
        node: the name of the node.

    Raises:
        ConfigurationError: there is no such node.
        LinkError: it does not answer.
    """
    check_name("node", node)
    lines: list[str] = []
    number = 0
    while True:
        try:
            body = encode(LogQuestion(number))
            answer = await client.request(question(node, LOGS), body, seconds=ATTEMPT_SECONDS)
        except NoAnswer:
            raise await _explain(client, node) from None
        part = decode(LogLines, answer.data)
        lines += part.lines
        if part.next >= part.total or part.next <= number:
            return lines
        number = part.next


async def _explain(client: MeshClient, node: str) -> Exception:
    known = {said.node: said for said in await find_announcements(client)}
    if node not in known:
        return ConfigurationError(
            f"no node {node!r} was there in the last day{did_you_mean(node, known)} (there were "
            f"{', '.join(sorted(known)) or 'none'})"
        )
    if known[node].stopped:
        return LinkError(f"the node {node} was stopped. Its log is where its service manager keeps it")
    return LinkError(
        f"the node {node} does not answer: it was killed, is frozen, or has lost the mesh. Its log is where its "
        "service manager keeps it"
    )
