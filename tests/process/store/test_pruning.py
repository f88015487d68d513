"""Old runs are removed with all their parts, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from playstream.pipeline.errors import ConfigurationError
from playstream.process.store import Pruned, Store, iter_results, list_runs, open_store, prune_runs, schema, show_run
from tests.process.store.events import FIRST, deployment

DAY = timedelta(days=1)


def fill(store: Store, number: int, first: int = 0) -> None:
    """One run a day, `run0` the oldest."""
    for day in range(first, number):
        assert deployment(f"run{day}", FIRST + day * DAY).save(store)


def names(store: Store) -> list[str]:
    """Those of the runs that are left, the oldest first."""
    return [run.ident for run in list_runs(store)][::-1]


def rows(store: Store) -> dict[str, int]:
    """How many rows each table has."""
    with store.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in schema.metadata.sorted_tables
            if table is not schema.version
        }


def test_by_age(store: Store) -> None:
    fill(store, 1)
    of_one = rows(store)
    fill(store, 4, first=1)
    planned = prune_runs(store, older_than=FIRST + 3 * DAY, dry_run=True)
    assert names(store) == ["run0", "run1", "run2", "run3"]
    done = prune_runs(store, older_than=FIRST + 3 * DAY)
    assert done == planned == Pruned(3, 3 * of_one["results"], FIRST, FIRST + 2 * DAY)
    assert names(store) == ["run3"]
    assert rows(store) == of_one
    left = show_run(store, "run3")
    assert left is not None
    assert len(list(iter_results(store, left.run.id))) == of_one["results"]


def test_by_number(store: Store) -> None:
    fill(store, 45)  # more than one transaction removes
    assert prune_runs(store, keep=45) == prune_runs(store, keep=99) == Pruned(0, 0, None, None)
    assert prune_runs(store, keep=2).runs == 43
    assert names(store) == ["run43", "run44"]
    assert prune_runs(store, keep=0).runs == 2
    assert set(rows(store).values()) == {0}


def test_both_are_needed_if_both_are_given(store: Store) -> None:
    fill(store, 5)
    assert prune_runs(store, older_than=FIRST + 2 * DAY, keep=4).runs == 1
    assert prune_runs(store, older_than=FIRST + 2 * DAY, keep=1).runs == 1
    assert names(store) == ["run2", "run3", "run4"]


def test_runs_of_the_same_time_are_counted_too(store: Store) -> None:
    for number in range(4):
        deployment(f"run{number}").save(store)
    assert prune_runs(store, keep=3, dry_run=True).runs == 1
    assert prune_runs(store, keep=3).runs == 1
    assert len(names(store)) == 3


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with 12 runs, of which three started at each time."""
    with open_store(str(tmp_path_factory.mktemp("many") / "runs.db")) as store:
        for number in range(12):
            deployment(f"run{number}", FIRST + (number // 3) * DAY).save(store)
        yield store


@given(days=st.none() | st.integers(-1, 6), keep=st.none() | st.integers(0, 14))
def test_what_would_be_removed(many: Store, days: int | None, keep: int | None) -> None:
    if days is None and keep is None:
        return
    older_than = None if days is None else FIRST + days * DAY
    newest_first = list_runs(many)
    old = [
        run
        for place, run in enumerate(newest_first)
        if (older_than is None or run.started < older_than) and (keep is None or place >= keep)
    ]
    assert prune_runs(many, older_than=older_than, keep=keep, dry_run=True).runs == len(old)


def test_what_is_no_condition(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "runs.db")) as store:
        for wrong in ({}, {"keep": -1}, {"older_than": datetime(2026, 1, 1)}):
            with pytest.raises(ConfigurationError):
                prune_runs(store, **wrong)
        assert prune_runs(store, keep=0, older_than=datetime.now(UTC)).runs == 0
