"""run(store=URL)."""

from __future__ import annotations

from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError, StoreError
from playstream.process.store import iter_results, list_runs, open_store, show_run
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
