"""What a store answers."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.process.store import Store, as_json, changed_on, find_idents, list_runs, show_run
from tests.process.store.events import FIRST, Script, deployment

DAY = timedelta(days=1)


@pytest.fixture
def week(store: Store) -> Store:
    """A week of runs: every night of two jobs, and one that fails in its middle."""
    for night in range(7):
        deployment("web", FIRST + night * DAY).save(store, "failed", 2)
        script = Script("backup", FIRST + night * DAY + timedelta(hours=1)).play("Backup").task("Dump", "command")
        script.result("ok", "db1", {"changed": True}).result("ok", "web1", {"changed": night == 3}).save(store)
    broken = Script("broken", FIRST + timedelta(days=3, hours=2)).play().task("Copy the page", role="site")
    broken.result("failed", "web9", {"msg": "no"}).save(store, "canceled", 254)
    return store


def names(store: Store, **wanted: Any) -> list[str]:
    """Idents of the runs found."""
    return [run.ident for run in list_runs(store, **wanted)]


def test_runs_are_listed_the_latest_first(week: Store) -> None:
    assert names(week)[:7] == ["backup", "web", "backup", "web", "backup", "web", "broken"]
    assert len(names(week)) == 15
    assert names(week, limit=2) == ["backup", "web"]
    assert names(week, since=FIRST + 6 * DAY) == ["backup", "web"]
    assert names(week, status="canceled") == ["broken"]
    assert names(week, status="failed") == ["web"] * 7
    assert names(week, status="successful", since=FIRST + 5 * DAY) == ["backup"] * 2


def test_runs_are_listed_by_host_and_task(week: Store) -> None:
    assert names(week, host="web9") == ["broken"]
    assert names(week, host="web3") == ["web"] * 7
    assert len(names(week, host="web1")) == 14
    assert names(week, host="nobody") == []
    assert names(week, task="Dump") == ["backup"] * 7
    assert names(week, task="Copy the page").count("broken") == 1
    assert names(week, task="site : Copy the page") == names(week, task="Copy the page")
    assert names(week, task="other : Copy the page") == []
    assert names(week, task="Copy the page", host="web9") == ["broken"]
    assert names(week, task="Copy the page", host="db1") == []


def test_which_runs_failed_on_a_task(week: Store) -> None:
    assert names(week, task="Copy the page", status="failed", since=FIRST + 3 * DAY) == [
        "web",
        "web",
        "web",
        "broken",
        "web",
    ]
    assert names(week, task="Gathering Facts", status="failed") == []
    assert names(week, task="Restart", status="failed") == []
    assert names(week, task="Restart", status="ignored") == ["web"] * 7
    assert names(week, task="Copy the page", host="web9", status="failed") == ["broken"]
    assert names(week, task="Copy the page", host="web1", status="failed") == []
    assert names(week, host="web2", status="failed", since=FIRST + 6 * DAY) == ["web"]
    assert names(week, host="web9", status="canceled") == ["broken"]
    assert len(names(week, host="web1", status="changed")) == 8


def test_names_are_found_by_their_beginning(store: Store) -> None:
    for night, ident in enumerate(
        ["web-1", "web-2", "web-1", "Web-3", "web_4", "we%", "we", "wé-5", "web-日本", "b\U0010ffff"]
    ):
        Script(ident, FIRST + night * DAY).play().save(store)
    wanted = {"web-": {"web-1", "web-2", "web-日本"}, "W": {"Web-3"}, "we%": {"we%"}, "web_": {"web_4"}, "w_": set()}
    wanted |= {"web-日": {"web-日本"}, "wé": {"wé-5"}, "x": set(), "web-1\0": set(), "b": {"b\U0010ffff"}}
    for beginning, names in wanted.items():
        found = find_idents(store, beginning, limit=9)
        assert set(found) == names
        assert len(found) == len(names)
    assert len(find_idents(store, "w", limit=3)) == 3


def test_what_changed_on_a_host_last_week(week: Store) -> None:
    found = changed_on(week, "web1", since=FIRST + 3 * DAY)
    assert [(result.ident, result.task) for result in found] == [
        ("web", "Copy the page"),
        ("web", "Copy the page"),
        ("web", "Copy the page"),
        ("backup", "Dump"),
        ("web", "Copy the page"),
    ]
    assert len(changed_on(week, "web1")) == 8
    assert len(changed_on(week, "web1", limit=3)) == 3
    assert changed_on(week, "web2") == []


def test_what_is_asked_for_wrongly_is_refused(store: Store) -> None:
    wrongs: tuple[dict[str, Any], ...] = ({"status": "changed"}, {"status": "fine"}, {"status": "fine", "host": "h"})
    for wrong in wrongs:
        with pytest.raises(ConfigurationError, match=r"is not a valid status: expected one of unstarted, .*successful"):
            list_runs(store, **wrong)
    naive = datetime(2026, 11, 1)
    for ask in (lambda: list_runs(store, since=naive), lambda: changed_on(store, "h", naive)):
        with pytest.raises(ConfigurationError, match="no time zone"):
            ask()
    assert show_run(store, "none") is None


def test_records_are_json(week: Store) -> None:
    shown = json.loads(json.dumps(as_json(show_run(week, "web"))))
    assert shown["earlier"] == 6
    assert shown["run"]["started"] == "2026-11-08T08:00:00.250000+00:00"
    assert shown["hosts"][0] == {"name": "db1", "counts": {**dict.fromkeys(shown["run"]["counts"], 0), "skipped": 1}}
