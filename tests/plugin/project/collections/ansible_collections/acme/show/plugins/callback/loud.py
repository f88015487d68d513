"""A collection's stdout callback."""

from __future__ import annotations

from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: loud
type: stdout
short_description: from a collection
description: from a collection
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "acme.show.loud"

    def v2_runner_on_ok(self, result: Any) -> None:
        self._display.display("LOUD ok" if result else "LOUD")
