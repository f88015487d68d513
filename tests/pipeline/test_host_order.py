"""The order in which hosts are named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.host_order import sort_hosts


def test_numbers_count() -> None:
    names = ["web10", "web2", "db", "web1.b20", "web1.b3", "9", "web02", "10"]
    assert sort_hosts(names) == ["9", "10", "db", "web1.b3", "web1.b20", "web02", "web2", "web10"]


@given(st.lists(st.text(alphabet="a0129.\u0664é", max_size=6)))
def test_it_does_not_depend_on_who_came_first(names: list[str]) -> None:
    assert sort_hosts(names) == sort_hosts(reversed(names))


def test_a_long_number() -> None:
    assert sort_hosts(["h1" + "0" * 5000, "h2"]) == ["h2", "h1" + "0" * 5000]
