"""Displays in every way from the main process, between the callbacks."""

from __future__ import annotations

import sys
from typing import Any

from ansible.plugins.strategy.linear import StrategyModule as Linear
from ansible.utils.display import Display

display = Display()

DOCUMENTATION = """
name: noisy
short_description: linear, with noise
description: linear, with noise
author: playstream
"""


class StrategyModule(Linear):  # type: ignore[misc]
    def run(self, iterator: Any, play_context: Any) -> Any:
        display.display("noise: display\nof two lines")
        display.vvv("noise: vvv", host="h1")
        display.vvvv("noise: not shown")
        display.warning("noise: warning")
        display.system_warning("noise: system_warning")
        display.error("noise: error")
        display.deprecated("noise: deprecated", version="9.9")
        print("noise: print")
        print("noise: stderr", file=sys.stderr)
        return super().run(iterator, play_context)
