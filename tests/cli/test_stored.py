"""Runs that are written to a store, and asked for."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.cli.show import _write_json
from playstream.cli.tables import table_lines
from tests.process.test_recording import line
from tests.stages import Stages

RECORDED = (
    line(1, "playbook_on_task_start", name="t", task="t", task_uuid="t1", task_action="debug")
    + line(2, "runner_on_ok", host="a", task="t", task_uuid="t1", task_action="debug", res={"changed": True})
    + line(3, "playbook_on_stats", ok={"a": 1}, changed={"a": 1}, processed={"a": 1})
)


@pytest.fixture
def store(stages: Stages, tmp_path: Path) -> str:
    """A store with one run."""
    url = f"sqlite:///{tmp_path}/runs.db"
    done = stages.call("process", tmp_path, "-q", "-i", "nightly", "--store", url, stdin=RECORDED)
    assert (done.returncode, done.stderr) == (0, b"")
    return url


def test_runs(stages: Stages, store: str, tmp_path: Path) -> None:
    listed = stages.call("runs", "--store", store, "--host", "a", "--since", "1h").stdout.decode().splitlines()
    assert len(listed) == 2
    assert listed[1].split()[2:] == ["nightly", "successful", "0", "-", "1", "1", "0", "0", "-"]
    assert len(stages.call("runs", "--store", store, "--host", "b").stdout.splitlines()) == 1
    found = json.loads(stages.call("runs", "--store", store, "--task", "t", "--status", "changed", "--json").stdout)
    assert (found["ident"], found["counts"]["changed"]) == ("nightly", 1)
    again = stages.call("process", tmp_path, "-q", "-i", "nightly", "--store", store, stdin=RECORDED)
    assert again.returncode == 0
    assert len(stages.call("runs", "--store", store).stdout.splitlines()) == 2


def test_show(stages: Stages, store: str) -> None:
    shown = stages.call("show", "nightly", "--store", store).stdout.decode()
    assert "TASK" in shown
    assert "debug" in shown
    whole = json.loads(stages.call("show", "nightly", "--store", store, "--json").stdout)
    assert [result["host"] for result in whole["results"]] == ["a"]
    missing = stages.call("show", "nope", "--store", store)
    assert missing.returncode == 1
    assert b"the store has no run 'nope'" in missing.stderr


def test_a_table_is_written_while_its_rows_come() -> None:
    taken: list[int] = []

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(2500):
            taken.append(number)
            yield number, "x" * (12 if number == 2200 else 3), None

    lines = table_lines(("NUMBER", "NAME", "RC"), rows())
    assert next(lines) == "NUMBER  NAME  RC"
    assert len(taken) == 1000
    assert next(lines) == "0       xxx   -"
    *_, last = lines
    assert last == "2499    xxx           -"
    assert len(taken) == 2500
    assert list(table_lines(("A", "B"), [])) == ["A  B"]


def test_results_are_written_while_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)

    def results() -> Iterator[object]:
        for number in range(5):
            assert written.getvalue().count("result") == number + 1
            yield {"result": f"\x9b{number}"}

    _write_json({"run": {}}, results())
    assert json.loads(written.getvalue())["results"][4] == {"result": "\x9b4"}
    assert "\x9b" not in written.getvalue()


@pytest.mark.parametrize("words", [("process", "DIR"), ("run", "DIR", "-m", "ping", "--hosts", "localhost"), ("runs",)])
def test_an_empty_url_is_not_no_store(stages: Stages, tmp_path: Path, words: tuple[str, ...]) -> None:
    place = tmp_path / "demo"
    words = tuple(str(place) if word == "DIR" else word for word in words)
    done = stages.call(*words, "--store", "", stdin=RECORDED)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"argument --store: expected a URL, got an empty string" in done.stderr
    assert not (place / "artifacts").exists()


def test_what_is_no_store(stages: Stages, tmp_path: Path) -> None:
    stages.variables["XDG_STATE_HOME"] = str(tmp_path / "state")
    neither = stages.call("runs")
    assert (neither.returncode, b"expected --store URL or PLAYSTREAM_STORE" in neither.stderr) == (1, True)
    url = "postgresql://u:secret-word@127.0.0.1:1/x"
    refused = stages.call("process", tmp_path, "--store", url, stdin=RECORDED)
    assert refused.returncode == 69
    assert b"secret-word" not in refused.stderr
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize("command", ["process", "runs", "show"])
def test_a_control_character_in_a_url_is_refused(
    stages: Stages, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_commands: dict[str, list[str | Path]] = {"process": [tmp_path], "runs": [], "show": ["nightly"]}
    words = of_commands[command]
    url = "postgresql://u:secret-word%00@127.0.0.1:1/x"
    by_flag = stages.call(command, *words, "--store", url, stdin=RECORDED)
    monkeypatch.setenv("PLAYSTREAM_STORE", url)
    by_variable = stages.call(command, *words, stdin=RECORDED)
    for done in (by_flag, by_variable):
        assert done.returncode == 1
        assert b"control character U+0000" in done.stderr
        assert b"secret-word" not in done.stderr
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize("command", ["runs", "show"])
def test_the_help_needs_no_database(command: str) -> None:
    """Without the extra there was a traceback; what needs it is an error that names it."""
    program = "import sys; sys.modules['sqlalchemy'] = None\nfrom playstream.cli.main import main\nsys.exit(main())"
    words = [sys.executable, "-c", program, command]
    shown = subprocess.run([*words, "--help"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith(f"usage: playstream {command}")
    given = [*(["x"] if command == "show" else []), "--store", "sqlite:///nowhere.db"]
    done = subprocess.run([*words, *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "a store requires SQLAlchemy" in done.stderr
    assert "Traceback" not in done.stderr
