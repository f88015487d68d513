"""The last successful run of a kind."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import inspect, text

from playstream.process.store import RunWriter, Store, last_success, list_runs, open_store, show_run
from tests.process.store.events import FIRST, deployment, go_back_to_version_2

HOUR = timedelta(hours=1)


def put(
    store: Store,
    ident: str,
    hour: int,
    *,
    status: str = "successful",
    label: str | None = None,
    directory: str | None = None,
) -> None:
    """A run that starts at this hour."""
    script = deployment(ident, FIRST + hour * HOUR)
    with RunWriter(store) as writer:
        for event in script.events:
            writer.take(event)
        assert writer.save(ident, status, 0, label=label, directory=directory)


def test_by_label_or_by_playbook_and_directory(store: Store) -> None:
    put(store, "a", 0, label="nightly", directory="demo")
    put(store, "b", 1, directory="demo")
    put(store, "c", 2, label="nightly", directory="other")
    put(store, "d", 3, label="nightly", directory="demo", status="failed")
    put(store, "e", 4, directory="demo")

    def found(hour: int | None = None, **kind: str) -> str | None:
        run = last_success(store, before=None if hour is None else FIRST + hour * HOUR, **kind)
        return None if run is None else run.ident

    assert found(label="nightly") == "c"
    assert found(2, label="nightly") == "a"
    assert found(0, label="nightly") is None
    assert found(playbook="site.yml", directory="demo") == "e"
    assert found(4, playbook="site.yml", directory="demo") == "b"
    assert found(playbook="other.yml", directory="demo") is None
    assert found() is None


def test_a_store_of_version_1_gets_the_columns(store_url: str) -> None:
    with open_store(store_url) as store:
        deployment("old").save(store)
        with store.write() as connection:
            go_back_to_version_2(connection)
            for name in ("label", "directory"):
                connection.execute(text(f"DROP INDEX runs_by_{name}"))
                connection.execute(text(f"ALTER TABLE runs DROP COLUMN {name}"))
            connection.execute(text("UPDATE playstream_store SET version = 1"))
    with open_store(store_url, writable=False) as store:
        (old,) = list_runs(store)
        with store.read() as connection:
            indexes = {index["name"] for index in inspect(connection).get_indexes("runs")}
        assert {"runs_by_label", "runs_by_directory"} <= indexes
        assert (old.ident, old.label, old.directory) == ("old", None, None)
        put(store, "new", 1, label="x" * 300, directory="demo")
        new = show_run(store, "new")
        assert new is not None
        assert new.run.label == "x" * 254 + "…"
