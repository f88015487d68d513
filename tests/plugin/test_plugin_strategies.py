"""The state of an asynchronous task, as mitogen's modules print it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.plugin.callback.parts.of.playstream_recording.strategies import with_states

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["started", "finished"]), inner),
)


def test_numbers_become_booleans() -> None:
    printed = {"changed": True, "started": 1, "finished": 0, "ansible_job_id": "1", "ansible_facts": {"finished": 1}}
    result = with_states({"rc": 0, "stdout": json.dumps(printed)})
    assert result["rc"] == 0
    assert json.loads(result["stdout"]) == {**printed, "started": True, "finished": False}
    assert '"finished": false' in result["stdout"]


@given(JSON)
def test_everything_else_is_kept(printed: Any) -> None:
    result = {"stdout": json.dumps(printed)}
    found = json.loads(with_states(result)["stdout"])
    if not isinstance(printed, dict):
        assert with_states(result) == result
        return
    for name, value in printed.items():
        expected = bool(value) if name in ("started", "finished") and type(value) is int else value
        assert (found.pop(name), type(expected)) == (expected, type(expected))
    assert found == {}


@given(st.text())
def test_any_text(printed: str) -> None:
    assert "stdout" in with_states({"stdout": printed})


@pytest.mark.parametrize("printed", ["", "no json", "[" * 100_000, "\udc80"])
def test_what_is_no_json_is_kept(printed: str) -> None:
    assert with_states({"stdout": printed}) == {"stdout": printed}
