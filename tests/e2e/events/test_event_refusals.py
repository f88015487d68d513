"""What is no event is refused: each real event with one thing wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

    from tests.e2e.events.conftest import Seen

OPTIONAL = {"parent_uuid", "job_id", "ad_hoc_command_id", "project_update_id", "verbosity"}
OPTIONAL_DATA = {"role", "resolved_role", "remote_addr", "res_truncated"}
ANYTHING = {"default"}  # of vars_prompt
ENDING = {"runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable"}

Mutant = tuple[str, dict[str, Any]]


def _wrong(value: object) -> object:
    """A value of a type that the field never has."""
    return "wrong" if isinstance(value, (int, float)) and not isinstance(value, bool) else 5.5


def _dropped(event: dict[str, Any]) -> Iterator[Mutant]:
    for name in event.keys() - OPTIONAL:
        yield f"without {name}", {key: value for key, value in event.items() if key != name}
    optional = OPTIONAL_DATA - ({"remote_addr"} if event["event"] in ENDING else set())
    for name in event["event_data"].keys() - optional:
        data = {key: value for key, value in event["event_data"].items() if key != name}
        yield f"without event_data.{name}", {**event, "event_data": data}


def _mistyped(event: dict[str, Any]) -> Iterator[Mutant]:
    for name, value in event.items():
        yield f"wrong {name}", {**event, name: _wrong(value)}
    for name, value in event["event_data"].items():
        if name not in ANYTHING:
            yield f"wrong event_data.{name}", {**event, "event_data": {**event["event_data"], name: _wrong(value)}}


def _foreign(event: dict[str, Any]) -> Iterator[Mutant]:
    yield "unknown field", {**event, "extra": 1}
    yield "unknown field in event_data", {**event, "event_data": {**event["event_data"], "extra": 1}}
    other = "error" if event["event"] == "warning" else "warning"
    yield "another type's data", {**event, "event": other}
    yield "unknown type", {**event, "event": "runner_on_tuesday"}
    yield "time zone by letter", {**event, "created": event["created"].replace("+00:00", "Z")}
    yield "time zone of another place", {**event, "created": event["created"].replace("+00:00", "+02:00")}
    yield "no uuid", {**event, "uuid": "1"}
    yield "counter from 0", {**event, "counter": 0}
    yield "nothing", {}
    if event["event"] != "verbose":
        yield "verbosity", {**event, "verbosity": 1}


@pytest.mark.parametrize("mutate", [_dropped, _mistyped, _foreign])
def test_one_thing_wrong(seen: Seen, validator: Draft202012Validator, mutate: Any) -> None:
    for event in seen.samples:
        for what, mutant in mutate(event):
            assert not validator.is_valid(mutant), (event["event"], what, mutant)


def _first(seen: Seen, field: str) -> dict[str, Any]:
    """A copy of the first event that has a result with that field."""
    return copy.deepcopy(next(e for e in seen.events if field in (e["event_data"].get("res") or {})))


def test_results_are_open(seen: Seen, validator: Draft202012Validator) -> None:
    event = _first(seen, "changed")
    event["event_data"]["res"] |= {"a_module's_own": {"deep": [1]}, "changed": "perhaps"}
    validator.validate(event)


@pytest.mark.parametrize(("field", "value"), [("ansible_loop_var", 5), ("attempts", 0), ("retries", "two")])
def test_what_ansible_says_of_a_result_is_not_open(
    seen: Seen, validator: Draft202012Validator, field: str, value: object
) -> None:
    event = _first(seen, field)
    event["event_data"]["res"][field] = value
    assert not validator.is_valid(event)


def test_a_secret_beside_the_word_that_it_is_hidden(seen: Seen, validator: Draft202012Validator) -> None:
    event = _first(seen, "censored")
    event["event_data"]["res"]["stdout"] = "opensesame7"
    assert not validator.is_valid(event)
    loop = _first(seen, "results")
    loop["event_data"]["res"]["results"] = [event["event_data"]["res"]]
    assert not validator.is_valid(loop)


def test_a_cut_result_says_how_much(seen: Seen, validator: Draft202012Validator) -> None:
    event = copy.deepcopy(next(e for e in seen.events if "res_truncated" in e["event_data"]))
    validator.validate(event)
    for truncated in ({}, {"size": 1}, {"size": "1", "limit": 1}, {"size": 1, "limit": 1, "more": 1}):
        assert not validator.is_valid({**event, "event_data": {**event["event_data"], "res_truncated": truncated}})


def test_a_task_without_its_play(seen: Seen, validator: Draft202012Validator) -> None:
    """Only a module without a playbook has none."""
    play = {"play", "play_uuid", "play_pattern"}
    for event in seen.samples:
        if event["event"] == "runner_on_ok" and "play" in event["event_data"]:
            data = {key: value for key, value in event["event_data"].items() if key not in play}
            assert not validator.is_valid({**event, "event_data": data})
            validator.validate({**event, "event_data": {**data, "playbook": "__adhoc_playbook__"}})
