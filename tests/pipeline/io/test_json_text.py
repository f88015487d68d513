"""JSON that every reader takes, whatever a module or a worker put into a value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.io.json_text import MAX_LEVELS, dump_json, fit_json, is_json
from tests.stress.hostile.test_any_consumer import strict
from tests.stress.hostile.test_any_input import VALUES


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (float("nan"), None),
        ([float("inf"), -float("inf")], [None, None]),
        ({"a": 1e308 * 10}, {"a": None}),
        ("a\ud800b", "a\ufffdb"),
        ({"\udfff": "\ud800\ud800"}, {"\ufffd": "\ufffd\ufffd"}),
    ],
)
def test_what_is_replaced(value: Any, kept: Any) -> None:
    assert not is_json(value)
    assert fit_json(value) == kept
    assert strict(dump_json(value)) == kept


def test_a_sum_that_has_too_many_digits() -> None:
    """json.loads gives no such number, and Python writes none; `set_stats` with `aggregate` may add two up to one."""
    assert fit_json({"sum": 10**5000, "good": 10**4000}) == {"sum": None, "good": 10**4000}


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "\U0001f600\n\\ud800"]}, [], "", 2**70])
def test_what_is_fit_is_the_same_object(value: Any) -> None:
    assert fit_json(value) is value
    assert strict(dump_json(value)) == value


def test_what_is_too_deep_is_cut() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    text = json.dumps(fit_json(deep), ensure_ascii=False)
    assert text == "[" * MAX_LEVELS + '"…"' + "]" * MAX_LEVELS


def test_a_value_that_holds_itself() -> None:
    value: list[Any] = [float("nan")]
    value.append(value)
    with pytest.raises(ValueError, match="Circular"):
        dump_json(value)


@given(VALUES | st.lists(VALUES), st.sampled_from([None, 2]))
def test_any_value(value: Any, indent: int | None) -> None:
    read = json.loads(json.dumps(value))
    strict(dump_json(read, indent=indent))
    strict(json.dumps(fit_json(read), ensure_ascii=False))
