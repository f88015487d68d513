"""What bounds an event, and what leaves its data out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Ansible, Run

IDS = {"JOB_ID": "7", "AD_HOC_COMMAND_ID": "x", "PROJECT_UPDATE_ID": ""}


@pytest.fixture(scope="module")
def large(ansible: Ansible) -> Run:
    return ansible.playbook("large.yml", env={**IDS, "MAX_EVENT_RES": "4000", "PLAYSTREAM_IDENT": "42"})


def test_a_long_result_is_cut_and_marked(large: Run) -> None:
    assert large.status == 0
    large.check()
    data = large.one("runner_on_ok", task="large")["event_data"]
    assert data["res_truncated"]["limit"] == 4000
    assert data["res_truncated"]["size"] > 10000
    assert data["res"]["rc"] == 0
    assert data["res"]["changed"] is True
    assert "stdout" not in data["res"]
    short = large.one("runner_on_failed", task="fail")["event_data"]
    assert "res_truncated" not in short
    assert short["res"]["cmd"] == ["false"]


def test_a_long_text_is_split_before_its_event(large: Run) -> None:
    event = large.one("runner_on_ok", task="long text")
    pieces = [piece for piece in large.named("verbose", task="long text") if piece["counter"] < event["counter"]]
    assert pieces
    assert all(len(piece["stdout"]) <= 1 << 20 for piece in [*pieces, event])
    assert {piece["parent_uuid"] for piece in pieces} == {event["parent_uuid"]}
    assert len(event["event_data"]["res"]["msg"]) == 1000


def test_what_json_does_not_allow(large: Run) -> None:
    assert large.one("runner_on_ok", task="odd")["event_data"]["res"]["number"] in ("nan", None)
    ended = large.named("runner_on_ok", task="bytes") + large.named("runner_on_failed", task="bytes")
    assert len(ended) == 1
    assert all(line.isascii() for line in large.lines)


def test_the_ids_of_the_job(large: Run) -> None:
    for event in large.events:
        assert event["job_id"] == 7
        assert event["runner_ident"] == "42"
        assert not {"ad_hoc_command_id", "project_update_id"} & set(event)


def test_event_data_left_out(ansible: Ansible) -> None:
    run = ansible.playbook("small.yml", env={"RUNNER_OMIT_EVENTS": "True"})
    run.check()
    assert all(event["event_data"] == {} for event in run.events)


def test_event_data_of_failures_only(ansible: Ansible) -> None:
    run = ansible.playbook("failing.yml", env={"RUNNER_ONLY_FAILED_EVENTS": "true"})
    kept = {event["event"] for event in run.events if event["event_data"]}
    assert kept == {"runner_on_failed", "runner_item_on_failed"}


def test_compact_lines(large: Run) -> None:
    for line in large.lines:
        assert line == json.dumps(json.loads(line), separators=(",", ":"))
