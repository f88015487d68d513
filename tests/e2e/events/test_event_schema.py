"""docs/event-schema.json against every type of event, from real runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.e2e.events.conftest import RUNS

if TYPE_CHECKING:
    from tests.e2e.events.conftest import Seen

SECRET = "opensesame7"  # noqa: S105 - the word that no_log must hide


def _properties(schema: Any, path: str = "#") -> Iterator[tuple[str, Any]]:
    """Every field that the schema describes, with its path."""
    if isinstance(schema, dict):
        for name, part in schema.items():
            if name == "properties" and not path.endswith(("/if", "/properties")):
                yield from ((f"{path}/{name}/{key}", value) for key, value in part.items())
            yield from _properties(part, f"{path}/{name}")
    elif isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from _properties(part, f"{path}/{number}")


def test_the_schema_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"]


def test_every_field_is_described(schema: dict[str, Any]) -> None:
    fields = dict(_properties(schema))
    assert "#/$defs/runner_on_ok/properties/event_data" in fields
    for path, field in fields.items():
        assert field.get("description") or field.get("title"), path
    for name, part in schema["$defs"].items():
        assert part.get("description"), name


def test_every_type_has_its_own_schema(schema: dict[str, Any]) -> None:
    types = schema["properties"]["event"]["enum"]
    chosen = {rule["if"]["properties"]["event"]["const"]: rule["then"]["$ref"] for rule in schema["allOf"]}
    assert chosen == {name: f"#/$defs/{name}" for name in types}
    assert set(types) <= set(schema["$defs"])


@pytest.mark.parametrize("run", RUNS)
def test_real_events_fit(seen: Seen, validator: Draft202012Validator, run: str) -> None:
    assert seen.by_run[run]
    for event in seen.by_run[run]:
        for error in validator.iter_errors(event):
            pytest.fail(f"{event['event']}: {error.json_path}: {error.message}\n{event}")


def test_every_type_of_event_occurred(seen: Seen, schema: dict[str, Any]) -> None:
    assert {event["event"] for event in seen.samples} == set(schema["properties"]["event"]["enum"])


def test_every_field_occurred(seen: Seen, schema: dict[str, Any]) -> None:
    """A field that the schema promises and nobody writes would be a lie."""
    described = set(schema["properties"])
    occurred = {name for event in seen.events for name in event}
    assert occurred == described | {"verbosity"}
    fields = (
        "playbook_fields",
        "play_fields",
        "task_fields",
        "host_fields",
        "res_fields",
        "end_fields",
        "loop_fields",
        "async_fields",
    )
    shared = {name for part in fields for name in schema["$defs"][part]["properties"]}
    rare = {"resolved_role"}  # of a role in a collection
    assert shared - rare <= {name for event in seen.samples for name in event["event_data"]}


def test_what_the_schema_cannot_say(seen: Seen) -> None:
    """Between the events of a run."""
    for events in seen.by_run.values():
        line, uuids = 0, {""}
        for counter, event in enumerate(events, 1):
            assert (event["counter"], event["start_line"]) == (counter, line)
            assert event["end_line"] >= line
            assert event["uuid"] not in uuids
            assert event.get("parent_uuid", "") in uuids
            assert event["event_data"].get("uuid", event["uuid"]) == event["uuid"]
            line = event["end_line"]
            uuids.add(event["uuid"])


def test_the_runs_provoked_what_they_should(seen: Seen) -> None:
    """The special cases are among the events that were validated."""
    results = [(event["event"], event["event_data"].get("res") or {}) for event in seen.events]
    hidden = {name for name, res in results if "censored" in res}
    assert {"runner_on_ok", "runner_on_failed", "runner_item_on_ok", "runner_retry", "runner_on_async_ok"} <= hidden
    assert not [event for event in seen.events if SECRET in str(event)]
    cut = [event for event in seen.by_run["large"] if "res_truncated" in event["event_data"]]
    assert {event["event"] for event in cut} == {"runner_on_ok", "runner_retry", "runner_on_failed"}
    assert all(event["event_data"] == {} for event in seen.by_run["omitted"])
    kept = {event["event"] for event in seen.by_run["only failures"] if event["event_data"]}
    assert kept == {"runner_on_failed", "runner_item_on_failed"}
    assert {event["event"] for event in seen.by_run["broken"]} == {"verbose"}
    assert {event.get("ad_hoc_command_id") for event in seen.by_run["module"]} == {12}
    failures = [
        event["event_data"]["ignore_errors"]
        for event in seen.events
        if event["event"] == "runner_on_failed" and event["event_data"]
    ]
    assert True in failures
    diffs = [event["event_data"]["diff"] for event in seen.events if event["event"] == "runner_on_file_diff"]
    assert None in diffs
    assert [diff for diff in diffs if diff]
