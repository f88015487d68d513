"""Python file objects as links."""

from __future__ import annotations

import io
import threading

import pytest

from playstream.pipeline.io.files import reading


def test_the_copy_of_bytes_in_memory_has_ended_with_their_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, although its reader has left most of them."""
    closing = threading.Event()

    class Late(threading.Thread):
        def run(self) -> None:
            closing.wait(20)
            super().run()

    monkeypatch.setattr(threading, "Thread", Late)
    before = threading.active_count()
    with reading(io.BytesIO(bytes(1 << 20))):
        closing.set()
    assert threading.active_count() == before
