"""Networks for tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.network.network import Network


@pytest.fixture
def network() -> Iterator[Network]:
    """Three hosts."""
    with Network("one", "two", "three") as found:
        yield found
