"""A connection that is never made."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: dead
short_description: never connects
description: never connects
author: playstream
options: {}
"""


class Connection(ConnectionBase):  # type: ignore[misc]
    transport = "dead"
    has_pipelining = False

    def _connect(self) -> None:
        raise AnsibleConnectionFailure("nobody answers")

    def exec_command(self, *_args: Any, **_kwargs: Any) -> None:
        self._connect()

    def put_file(self, *_args: Any) -> None:
        self._connect()

    def fetch_file(self, *_args: Any) -> None:
        self._connect()

    def close(self) -> None:
        pass
