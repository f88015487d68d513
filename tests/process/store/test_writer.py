"""What is written of a run, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.process.store import RunWriter, Store, as_json, changed_on, iter_results, list_runs, show_run
from playstream.process.store.runs import RunDetail
from tests.process.store.events import FIRST, Script, deployment, save


def shown(store: Store, ident: str = "nightly") -> RunDetail:
    """The run, which has to be there."""
    detail = show_run(store, ident)
    assert detail is not None
    return detail


def results(store: Store) -> list[dict[str, Any]]:
    """The results of the latest run, as JSON."""
    found: list[dict[str, Any]] = as_json(list(iter_results(store, list_runs(store)[0].id)))
    return found


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    assert deployment().save(store, "failed", 2)
    detail = shown(store)
    run = detail.run
    assert (run.ident, run.status, run.rc, run.explanation, run.playbook) == ("nightly", "failed", 2, None, "site.yml")
    assert (run.events, run.results, run.hosts) == (14, 7, 4)
    assert (run.started, run.ended) == (FIRST, FIRST + timedelta(seconds=18))
    assert as_json(run.counts) == {
        "ok": 4,
        "changed": 1,
        "failures": 1,
        "unreachable": 1,
        "skipped": 1,
        "rescued": 0,
        "ignored": 1,
    }
    assert [(play.number, play.name, play.pattern) for play in detail.plays] == [
        (1, "Web servers", "web"),
        (2, "Databases", "db"),
    ]
    assert [(task.play, task.role, task.name, task.action) for task in detail.tasks] == [
        (1, None, "Gathering Facts", "ansible.builtin.setup"),
        (1, "site", "Copy the page", "ansible.builtin.copy"),
        (2, None, "Restart", "ansible.builtin.service"),
    ]
    counts = [
        (task.ok, task.changed, task.failures, task.unreachable, task.skipped, task.ignored) for task in detail.tasks
    ]
    assert counts == [(2, 0, 0, 1, 0, 0), (0, 1, 1, 0, 0, 0), (0, 0, 0, 0, 1, 1)]
    assert [host.name for host in detail.hosts] == ["db1", "web1", "web2", "web3"]
    assert detail.hosts[1].counts.ok == 3
    assert detail.earlier == 0


def test_results_come_back_as_they_were(store: Store) -> None:
    deployment().save(store)
    found = results(store)
    assert [(result["host"], result["task"], result["outcome"]) for result in found] == [
        ("web1", "Gathering Facts", "ok"),
        ("web2", "Gathering Facts", "ok"),
        ("web3", "Gathering Facts", "unreachable"),
        ("web1", "Copy the page", "changed"),
        ("web2", "Copy the page", "failed"),
        ("db1", "Restart", "skipped"),
        ("web1", "Restart", "ignored"),
    ]
    copied = found[3]
    assert copied["res"] == {"changed": True, "dest": "/srv/page"}
    assert copied["ident"] == "nightly"
    assert copied["path"] == "/project/site.yml:7"
    assert copied["duration"] == 2.0
    assert datetime.fromisoformat(copied["ended"]) - datetime.fromisoformat(copied["started"]) == timedelta(seconds=2)
    assert found[5]["res"] is None
    assert not any(result["truncated"] for result in found)


def test_some_results_are_asked_for(store: Store) -> None:
    deployment().save(store)
    run_id = list_runs(store)[0].id
    bad = list(iter_results(store, run_id, outcomes=("failed", "unreachable")))
    assert [(result.host, result.outcome) for result in bad] == [("web3", "unreachable"), ("web2", "failed")]
    assert [result.task for result in iter_results(store, run_id, host="web1")] == [
        "Gathering Facts",
        "Copy the page",
        "Restart",
    ]
    with pytest.raises(ConfigurationError, match="'bad' is not a valid outcome"):
        list(iter_results(store, run_id, outcomes=("bad",)))


def test_the_same_stream_again_changes_nothing(store: Store) -> None:
    assert deployment().save(store)
    before = as_json([list_runs(store), shown(store)]), results(store)
    assert not deployment().save(store)
    assert (as_json([list_runs(store), shown(store)]), results(store)) == before


def test_a_name_used_again_is_another_run_beside_the_first(store: Store) -> None:
    deployment().save(store, "failed", 2)
    later = FIRST + timedelta(days=1)
    assert deployment(start=later).save(store)
    assert [run.started for run in list_runs(store)] == [later, FIRST]
    detail = shown(store)
    assert (detail.run.started, detail.earlier) == (later, 1)
    earlier = show_run(store, "nightly", run_id=list_runs(store)[1].id)
    assert earlier is not None
    assert (earlier.run.status, earlier.earlier) == ("failed", 0)


def test_a_return_code_that_was_missing_is_added_and_never_taken_away(store: Store) -> None:
    script = deployment()
    assert script.save(store, "error", None)
    assert script.save(store, "failed", 2)
    assert not script.save(store, "error", None)
    assert not script.save(store, "successful", 0)
    [run] = list_runs(store)
    assert (run.status, run.rc, run.results) == ("failed", 2, 7)


def test_a_stream_that_was_cut_off_is_counted_here(store: Store) -> None:
    events = deployment().events[:-1]
    save(store, events, status="error", rc=None)
    counts = as_json(list_runs(store)[0].counts)
    assert counts == {"ok": 4, "changed": 1, "failures": 1, "unreachable": 1, "skipped": 1, "rescued": 0, "ignored": 1}


def test_a_run_without_events_is_kept(store: Store) -> None:
    with RunWriter(store) as writer:
        assert writer.save("broken", "error", None, "no route to the worker", started=FIRST, ended="nonsense")
        assert not writer.save("broken", "error", None, "no route to the worker", started=FIRST.isoformat())
        assert writer.save("broken", "error", None, "no route to the worker")
        assert writer.save("broken", "error", None, "no route to the worker")
    runs = list_runs(store)
    assert [run.explanation for run in runs] == ["no route to the worker"] * 3
    assert runs[-1].started == FIRST
    assert runs[0].started > datetime(2026, 1, 1, tzinfo=UTC)


def test_a_module_without_a_playbook_has_a_task_and_no_play(store: Store) -> None:
    script = Script("adhoc").task("command", "command").result("ok", "web1", {"changed": True, "stdout": "hello"})
    script.save(store)
    detail = shown(store, "adhoc")
    assert detail.plays == ()
    assert [(task.play, task.name) for task in detail.tasks] == [(None, "command")]
    assert results(store)[0]["res"] == {"changed": True, "stdout": "hello"}


def test_a_loop_is_one_result(store: Store) -> None:
    script = Script().play().task("Packages")
    script.events.append(script.event("runner_item_on_ok", {"host": "web1", "res": {"item": "a", "changed": True}}))
    script.result("ok", "web1", {"changed": True, "results": [{"item": "a", "changed": True}]})
    script.save(store)
    assert [result["res"]["results"] for result in results(store)] == [[{"item": "a", "changed": True}]]


def test_a_task_that_runs_again_in_another_play_is_a_task_of_its_own(store: Store) -> None:
    script = Script().play("One").task("Shared").result("ok", "web1")
    script.play("Two").result("ok", "web2")  # with `serial` the same task's uuid comes again
    script.save(store)
    assert [(task.play, task.name) for task in shown(store).tasks] == [(1, "Shared"), (2, "Shared")]


def test_text_that_no_database_takes_is_made_fit(store: Store) -> None:
    script = Script("nul\0and\udc80half").play("p\0").task("t" * 3000, role="r\ud800")
    script.result("ok", "h\0st" + "x" * 900, {"msg": "a\0b\udfff 猫", "\0k": 10**30, "n": float("nan"), "changed": 1})
    assert script.save(store, "status\0", 10**30)
    detail = shown(store, "nul\0and\udc80half")
    assert detail.run.rc is None
    assert detail.plays[0].name == "p\N{REPLACEMENT CHARACTER}"
    assert len(detail.tasks[0].name) == 500
    assert len(detail.hosts[0].name) == 255
    [result] = changed_on(store, "h\0st" + "x" * 900)
    assert result.res == {
        "msg": "a\N{REPLACEMENT CHARACTER}b? 猫",
        "\N{REPLACEMENT CHARACTER}k": "<int>",
        "n": None,
        "changed": 1,
    }


def test_a_long_result_is_cut_and_says_so(store: Store) -> None:
    script = Script().play().task("Large")
    script.result("failed", "web1", {"msg": "m" * 5000, "rc": 3, "stdout": "x" * 70_000, "changed": False})
    script.result("ok", "web2", {"changed": True}, res_truncated={"size": 900_000, "limit": 700_000})
    script.save(store)
    first, second = results(store)
    assert first["truncated"]
    assert first["res"] == {"msg": "m" * 999 + "…", "rc": 3, "changed": False}
    assert second["truncated"]
    assert second["res"] == {"changed": True}


def test_an_ident_is_needed(store: Store) -> None:
    with RunWriter(store) as writer, pytest.raises(ConfigurationError, match="ident"):
        writer.save("", "successful", 0)
