"""Keeps every message: python -m tests.messages."""

from __future__ import annotations

from tests.messages.collect import KEPT, collect, render

if __name__ == "__main__":
    KEPT.write_text(render(collect()), encoding="utf-8")
