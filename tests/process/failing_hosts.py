"""Hosts of which one cannot be reached, for runs whose results are looked at."""

from __future__ import annotations

import sys
from typing import Any

SECRET = "opensesame7"  # noqa: S105 - the word that no_log must hide
HOSTS: dict[str, Any] = {
    "all": {
        "hosts": {
            "node1": {},
            "node2": {},
            "far": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
        },
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
    }
}
