"""The configuration of nats-server. Its format contains JSON, which is what is written here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playstream.pipeline.io.addresses import host_and_port

DEFAULT_PORT = 4222
CLUSTER_PORT = 6222
_MAX_PAYLOAD = 1 << 20
_HANDSHAKE_SECONDS = 10
"""Hosts that are busy take longer than the 2 seconds that nats-server gives them."""
USERS = "users.conf"
"""The file with the users, which the configuration of each server includes."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a mesh."""

    host: str
    """Its name or address, as clients use it."""
    port: int

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"tls://{host_and_port(self.host, self.port)}"


def server_config(server: Server, number: int, servers: Sequence[Server], *, listen: str | None, storage: str) -> str:
    """Return the configuration of one server.

    Args:
        server: the server.
        number: its number, from 1.
        servers: all of them; with several they are a cluster.
        listen: the address that it listens on; None for all of the host.
        storage: the directory of its streams.
    """
    name = f"server{number}"
    tls = {"cert_file": f"{name}.pem", "key_file": f"{name}.key", "ca_file": "ca.pem"}
    content: dict[str, Any] = {
        "server_name": name,
        "listen": _listen_on(listen, server.port),
        "pid_file": f"{name}.pid",
        "max_payload": _MAX_PAYLOAD,
        "ping_interval": "2s",
        "ping_max": 2,
        "tls": {**tls, "verify_and_map": True, "timeout": _HANDSHAKE_SECONDS},
        "jetstream": {"store_dir": storage},
    }
    if len(servers) > 1:
        # Servers tell each other and clients where they are: by default their addresses, which certificates lack.
        content["client_advertise"] = host_and_port(server.host, server.port)
        content["cluster"] = {
            "name": "playstream",
            "advertise": host_and_port(server.host, CLUSTER_PORT),
            "listen": _listen_on(listen, CLUSTER_PORT),
            "tls": {**tls, "verify": True},
            "routes": [f"nats://{other.host}:{CLUSTER_PORT}" for other in servers if other != server],
        }
    lines = [f"{name}: {json.dumps(value)}" for name, value in content.items()]
    head = "# Written by playstream mesh. Paths are relative to the directory in which nats-server is started."
    return "\n".join([head, *lines, f"authorization {{ include ./{USERS} }}", ""])


def _listen_on(address: str | None, port: int) -> str | int:
    """Return what nats-server listens on; a port alone is that of all addresses."""
    return port if address is None else host_and_port(address, port)


def users_config(users: Sequence[Mapping[str, Any]]) -> str:
    """Return the file of the users."""
    rows = ",\n".join(f"  {json.dumps(user)}" for user in users)
    return f"# Written by playstream mesh add and remove. Certificates prove who a user is.\nusers: [\n{rows}\n]\n"
