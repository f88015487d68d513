"""Facts come back as clients know them, whatever ansible-core writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.job.fact_cache import read_facts, restore_fact_cache, simplify_fact_cache, untag, write_facts

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text().filter(lambda key: key != "__ansible_type"), inner, max_size=3)
    ),
    max_leaves=10,
)


def tag(value: Any) -> Any:
    """As ansible-core 2.19 writes a value that has tags, at every level."""
    if isinstance(value, dict):
        value = {key: tag(item) for key, item in value.items()}
    elif isinstance(value, list):
        value = [tag(item) for item in value]
    return {"value": value, "tags": [{"path": "x", "__ansible_type": "Origin"}], "__ansible_type": "_AnsibleTagged"}


@given(plain)
def test_tags_are_taken_off_at_every_level(value: Any) -> None:
    assert untag(tag(value)) == value
    assert untag(value) == value


def test_files_get_the_names_and_contents_that_clients_know(tmp_path: Path) -> None:
    facts = {"os": "Debian", "when": {"__ansible_type": "datetime", "iso8601": "2026-11-21T00:00:00"}}
    (tmp_path / "s1_node_1").write_text(json.dumps({"__payload__": json.dumps(tag(facts))}))
    others = {"node2": "{}", "s1_notjson": "x", "s1_list": "[]", "s1_none": '{"a": 1}', "s1_bad": '{"__payload__": 7}'}
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    simplify_fact_cache(tmp_path)
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert json.loads(found.pop("node_1")) == {"os": "Debian", "when": "2026-11-21T00:00:00"}
    assert found == others


def test_facts_are_read_in_either_layout_and_the_newer_one_counts(tmp_path: Path) -> None:
    assert read_facts(tmp_path, "node1") == {}
    plain, wrapped = tmp_path / "node1", tmp_path / "s1_node1"
    wrapped.write_text(json.dumps({"__payload__": json.dumps(tag({"colour": "blue"}))}))
    assert read_facts(tmp_path, "node1") == {"colour": "blue"}
    plain.write_text('{"colour": "green"}')
    for newer, colour in ((plain, "green"), (wrapped, "blue")):
        for path in (plain, wrapped):
            os.utime(path, ns=(0, 2 if path is newer else 1))
        assert read_facts(tmp_path, "node1") == {"colour": colour}
    wrapped.write_text("of no use")
    assert read_facts(tmp_path, "node1") == {"colour": "green"}


def test_a_run_without_facts_has_no_cache(tmp_path: Path) -> None:
    simplify_fact_cache(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_facts_that_were_offered_and_then_changed(tmp_path: Path) -> None:
    """Whichever of the two layouts this host's Ansible wrote to holds what is true at the end."""
    given, cache = tmp_path / "given", tmp_path / "cache"
    given.mkdir()
    for name in ("old", "new", "same"):
        (given / name).write_text('{"colour": "red"}')
    restore_fact_cache(given, cache)
    later = (cache / "s1_same").stat().st_mtime_ns + 10**9
    for name, text in (("old", '{"colour": "blue"}'), ("s1_new", json.dumps({"__payload__": '{"colour": "blue"}'}))):
        (cache / name).write_text(text)
        os.utime(cache / name, ns=(later, later))
    simplify_fact_cache(cache)
    assert {path.name: json.loads(path.read_text())["colour"] for path in cache.iterdir()} == {
        "old": "blue",
        "new": "blue",
        "same": "red",
    }


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """A job may leave one where its facts are, and nobody who reads or writes it."""
    plain, wrapped = tmp_path / "node1", tmp_path / "s1_node1"
    os.mkfifo(plain)
    os.utime(plain, ns=(0, 0))
    wrapped.write_text(json.dumps({"__payload__": "{}"}))
    os.mkfifo(tmp_path / "s1_node2")
    simplify_fact_cache(tmp_path)
    assert plain.is_fifo()
    assert wrapped.is_file()
    with pytest.raises(OSError, match="No such device"):
        write_facts(plain, "{}")
    wrapped.unlink()
    with pytest.raises(ValueError, match="Expecting value"):
        read_facts(tmp_path, "node1")
