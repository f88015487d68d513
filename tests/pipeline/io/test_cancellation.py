"""A cancellation whose descriptors are opened when somebody waits for it."""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import closing

import pytest

from playstream.pipeline.io.cancellation import Cancellation


def is_readable(cancellation: Cancellation) -> bool:
    return bool(select.select([cancellation], [], [], 0)[0])


@pytest.mark.parametrize("wake", [Cancellation.wake, lambda it: it.request("no more")], ids=["wake", "request"])
def test_who_waits_later_is_woken_all_the_same(wake: Callable[[Cancellation], None]) -> None:
    with closing(Cancellation()) as cancellation:
        wake(cancellation)
        assert is_readable(cancellation)
        cancellation.acknowledge()
        assert not is_readable(cancellation)


def test_nobody_is_woken_for_nothing() -> None:
    with closing(Cancellation()) as cancellation:
        assert not is_readable(cancellation)
