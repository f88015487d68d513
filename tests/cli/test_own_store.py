"""The user's own store: made private by the first run that is written to it, and read when no other is named."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from playstream.pipeline.errors import LimitExceeded, StoreError
from playstream.process.store import list_runs, open_store
from tests.cli.test_stored import RECORDED
from tests.matrix.debian import ROOT
from tests.stages import Stages

PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.fixture
def state(stages: Stages, tmp_path: Path) -> Path:
    """The directory of the user's state, which does not exist."""
    stages.variables["XDG_STATE_HOME"] = str(tmp_path / "state")
    return tmp_path / "state" / "playstream"


def write(stages: Stages, directory: Path, ident: str) -> None:
    """Write a run to the user's own store."""
    done = stages.call("process", directory, "-q", "-i", ident, "--store", "user", stdin=RECORDED)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_is_private(stages: Stages, state: Path, tmp_path: Path) -> None:
    write(stages, tmp_path, "nightly")
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == {"runs.db": 0o600}


def test_it_is_read_when_no_other_is_named(stages: Stages, state: Path, tmp_path: Path) -> None:
    write(stages, tmp_path, "monday")
    write(stages, tmp_path, "tuesday")
    listed = stages.call("runs", "--json").stdout.splitlines()
    assert {json.loads(line)["ident"] for line in listed} == {"monday", "tuesday"}
    assert json.loads(stages.call("show", "monday", "--json").stdout)["run"]["ident"] == "monday"
    compared = stages.call("diff", "monday", "tuesday")
    assert (compared.returncode, compared.stdout, compared.stderr) == (0, b"", b"")
    missing = stages.call("diff", "monday.playstream", "tuesday")
    assert missing.returncode == 1
    assert b"no directory 'monday.playstream', and the store has no run 'monday.playstream'" in missing.stderr
    other = tmp_path / "other.db"
    with open_store(str(other)):
        pass
    assert stages.call("runs", "--json", "--store", other).stdout == b""
    stages.variables["PLAYSTREAM_STORE"] = str(other)
    assert stages.call("runs", "--json").stdout == b""
    assert len(stages.call("runs", "--json", "--store", "user").stdout.splitlines()) == 2


@pytest.mark.parametrize("words", [("runs",), ("show", "x"), ("diff", "x", "y"), ("runs", "--store", "user")])
def test_reading_creates_nothing(stages: Stages, state: Path, words: tuple[str, ...]) -> None:
    done = stages.call(*words)
    assert done.returncode in {1, 69}
    assert b"Traceback" not in done.stderr
    if "--store" not in words:
        assert b"playstream run --store user creates" in done.stderr
    assert not state.parent.exists()


def test_a_directory_that_is_open_to_others_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(state.parent))
    state.mkdir(parents=True)
    state.chmod(0o755)
    with pytest.raises(StoreError, match="chmod 700"):
        open_store("user")
    assert os.listdir(state) == []
    state.chmod(0o700)
    with open_store("user") as store:
        assert list_runs(store) == []
    assert os.listdir(state) == ["runs.db"]


def test_a_directory_that_cannot_be_made(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(state.parent))
    state.parent.write_text("a file")
    with pytest.raises(StoreError, match="your store cannot be used"):
        open_store("user")


def test_old_runs_are_removed(stages: Stages, state: Path, tmp_path: Path) -> None:
    for ident in ("monday", "tuesday"):
        write(stages, tmp_path, ident)
    planned = stages.call("store", "prune", "--keep", "1", "--dry-run").stdout.decode()
    assert planned.startswith("Would remove 1 run with 1 result, started from ")
    assert stages.call("store", "prune", "--older-than", "90d").stdout == b"There is nothing to remove\n"
    assert stages.call("store", "prune", "--keep", "1").stdout.decode() == planned.replace("Would remove", "Removed")
    assert len(stages.call("runs", "--json").stdout.splitlines()) == 1


def test_a_run_is_taken_to_another_store(stages: Stages, state: Path, tmp_path: Path) -> None:
    write(stages, tmp_path, "nightly")
    file = tmp_path / "nightly.jsonl"
    done = stages.call("store", "export", "night", "-o", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stages.call("store", "export", "last").stdout == file.read_bytes()
    other = tmp_path / "other.db"
    assert stages.call("store", "import", file, "--store", other).stdout == b"Imported the run 'nightly'\n"
    again = stages.call("store", "import", file, "--store", other)
    assert again.stdout == b"The store has the run 'nightly' already\n"
    assert stages.call("store", "export", "nightly", "--store", other).stdout == file.read_bytes()
    refused = stages.call("store", "import", file, "--store", other, "--max-record-bytes", "100")
    assert refused.returncode == LimitExceeded.exit_status
    assert b"--max-record-bytes" in refused.stderr


def test_the_commands_of_the_page(stages: Stages, state: Path, tmp_path: Path) -> None:
    """Those of docs/results.md about one's own store and about looking after a store, in their order."""
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "demo", ignore=lambda *_: {"artifacts"})
    commands = re.findall(r"^    (playstream (?:run demo .*--store user|runs|store .*))$", PAGE, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        done = stages.type_in(command, tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    with open_store(str(tmp_path / "runs.db")) as store:
        assert [run.status for run in list_runs(store)] == ["successful"]


def test_a_run_is_compared_with_the_last_success(stages: Stages, state: Path, tmp_path: Path) -> None:
    def put(ident: str, recorded: bytes, *words: str, directory: str = "demo") -> None:
        stages.call("process", tmp_path / directory, "-q", "-i", ident, "--store", "user", *words, stdin=recorded)

    later = RECORDED.replace(b'"changed":true', b'"changed":false')
    assert later != RECORDED
    put("monday", RECORDED, "--label", "nightly")
    put("tuesday", later, directory="other")
    none = stages.call("diff", "--against", "last-success")
    assert none.returncode == 1
    assert b"no successful run with the playbook" in none.stderr
    put("wednesday", later, "--label", "nightly")
    compared = stages.call("diff", "--against", "last-success", "--json")
    assert (compared.returncode, compared.stderr) == (3, b"")
    (found,) = map(json.loads, compared.stdout.splitlines())
    assert (found["before"], found["after"]) == ("changed", "ok")
    for words in (("monday",), ("a", "b", "--against", "last-success"), ("monday", "--against", "last-success")):
        refused = stages.call("diff", *words)
        assert refused.returncode == 1
        assert b"Traceback" not in refused.stderr
    alone = stages.call("process", tmp_path / "demo", "--label", "x", stdin=RECORDED)
    assert alone.returncode == 1
    assert b"--label: expected a store too" in alone.stderr
