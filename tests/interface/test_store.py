"""run(store=URL)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError, StoreError
from playstream.pipeline.protocol import Event, Status
from playstream.process.store import iter_results, list_runs, open_store, read_records, show_run
from tests.interface.programs import debug, play


def test_a_run_is_stored_whatever_its_handler_keeps(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    runner = playstream.run(
        playbook=play(debug("one"), debug("two")),
        inventory="localhost",
        quiet=True,
        ident="x",
        store=f"sqlite:///{path}",
        event_handler=lambda event: event.clear(),
    )
    assert (runner.status, list(runner.events)) == ("successful", [])
    with open_store(str(path), writable=False) as store:
        found = show_run(store, "x")
        assert found is not None
        assert (found.run.status, found.run.rc, found.run.counts.ok) == ("successful", 0, 2)
        assert [item.res["msg"] for item in iter_results(store, found.run.id)] == ["one", "two"]


def test_a_store_that_cannot_be_written_is_refused_before_anything_runs(demo: Path) -> None:
    with pytest.raises(StoreError, match="its directory does not exist"):
        playstream.run(private_data_dir=demo, playbook="site.yml", store="sqlite:////nonexistent/runs.db")
    assert not (demo / "artifacts").exists()


def test_runs_of_a_thread_are_stored_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    thread, runner = playstream.run_async(playbook=play(debug("x")), inventory="localhost", quiet=True, store=url)
    thread.join()
    assert runner.status == "successful"
    with open_store(url) as store:
        assert [run.ident for run in list_runs(store)] == [runner.config.ident]


def test_a_run_whose_handler_raised_is_stored_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"

    def broken(_event: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        playstream.run(
            playbook=play(debug("x")), inventory="localhost", quiet=True, ident="x", store=url, event_handler=broken
        )
    with open_store(url) as store:
        assert [(run.ident, run.status) for run in list_runs(store)] == [("x", "error")]


@pytest.mark.parametrize("control", ["\0", "%00", "%0A"])
def test_a_control_character_in_a_url_is_refused_before_anything_runs(demo: Path, control: str) -> None:
    with pytest.raises(ConfigurationError, match="control character"):
        playstream.run(
            private_data_dir=demo, playbook="site.yml", store=f"postgresql://me:secret{control}word@127.0.0.1/runs"
        )
    assert not (demo / "artifacts").exists()


def test_events_are_kept_as_they_arrive(tmp_path: Path) -> None:
    """Whatever the handler does with them; and the environment is redacted as in the artifacts."""
    path = tmp_path / "runs.db"
    seen: list[dict[str, Any]] = []

    def spoil(event: dict[str, Any]) -> bool:
        seen.append(json.loads(json.dumps(event)))
        event["event"] = "spoiled"
        return False

    runner = playstream.run(
        playbook=play(debug("one"), {"command": "echo two", "no_log": True}),
        inventory=f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}",
        envvars={"MY_PASSWORD": "xyzzy-plugh"},
        quiet=True,
        event_handler=spoil,
        store=str(path),
        store_events=True,
    )
    with open_store(str(path), writable=False) as store:
        (run,) = list_runs(store)
        records = list(read_records(store, run))
    kept = [json.loads(record.json) for record in records if isinstance(record, Event)]
    assert kept == seen
    assert run.kept_events == len(seen)
    statuses = [record for record in records if isinstance(record, Status)]
    assert [status.status for status in statuses][-1] == runner.status
    assert statuses[0].command == tuple(runner.config.command)
    assert "xyzzy-plugh" not in str(records)


def test_a_store_that_cannot_keep_events_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("playstream.process.store.event_writer.insert_block", refuse)
    path = tmp_path / "runs.db"
    runner = playstream.run(
        playbook=play(debug("one")), inventory="localhost", quiet=True, ident="x", store=str(path), store_events=True
    )
    assert (runner.status, runner.exit_status) == ("successful", 0)
    assert "the events of the run are not kept in the store" in caplog.text
    with open_store(str(path), writable=False) as store:
        assert [(run.ident, run.kept_events) for run in list_runs(store)] == [("x", None)]


def test_events_need_a_store(demo: Path) -> None:
    with pytest.raises(ConfigurationError, match="store_events: expected a store too"):
        playstream.run(private_data_dir=demo, playbook="site.yml", store_events=True)
