"""A user's own stdout callback, which also hands odd values to whoever reads the stats."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: own
type: stdout
short_description: a user's own
description: a user's own
"""


def _of(result: Any, part: str) -> Any:
    return getattr(result, part) if hasattr(result, part) else getattr(result, "_" + part)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


class Sealed:
    _ciphertext = b"sealed"


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "own"

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        print("OWN handler" if is_conditional else "OWN task", task.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._display.display("OWN ok \u2713")
        if _of(result, "task").name == "told":
            # A thread that the callback waits for must be able to display, too.
            thread = threading.Thread(target=self._display.display, args=("OWN thread",))
            thread.start()
            thread.join()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        circle: list[Any] = []
        circle.append(circle)
        deep: list[Any] = []
        for _ in range(5000):
            deep = [deep]
        stats.custom["_run"] = {
            "nan": float("nan"),
            "when": dt.date(2024, 2, 29),
            "bytes": b"caf\xe9",
            "set": {"b", "a"},
            "circle": circle,
            "deep": deep,
            "surrogate": "\udc80",
            "unprintable": Unprintable(),
            "vault": Sealed(),
            ("a", 1): "tuple",
            b"key": 1 << 20000,
        }
        print("OWN stats")
