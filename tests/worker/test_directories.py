"""Directories with unusual names, and a current directory that is gone."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playstream
from tests.conftest import MakeDir
from tests.stages import Stages

SITE = "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: reached}}]\n"
HOSTS = "node1 ansible_connection=local\n"


@pytest.mark.parametrize("name", ["a,b", "a:b", "a b", "a%b", "a'b", "a~b", "a{{b}}", "a#b", 'a"b', "a\\b", "[a]", "é"])
@pytest.mark.parametrize("words", [(), ("--inventory", "inventory/hosts"), ("--inventory", "inventory")])
def test_temporary_files_of_a_worker(
    stages: Stages, private_data_dir: MakeDir, tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    demo = private_data_dir({"site.yml": SITE})
    (demo / "inventory" / "hosts").write_text(HOSTS)
    stages.temporary = tmp_path / name
    stages.temporary.mkdir()
    run = stages.run(demo, "-p", "site.yml", *words)
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert [event["event_data"]["host"] for event in run.events if event["event"] == "runner_on_ok"] == ["node1"]
    assert stages.leftovers() == []


@pytest.mark.parametrize("excess", [0, 1])
def test_temporary_files_where_ansible_has_no_room_for_a_socket(
    stages: Stages, private_data_dir: MakeDir, tmp_path: Path, excess: int
) -> None:
    """ansible-core 2.21 ends like this; older ones need no socket."""
    stages.temporary = tmp_path / ("x" * (75 - len(str(tmp_path)) - 1 + excess))
    stages.temporary.mkdir()
    stages.path_before.append(tmp_path)
    (tmp_path / "ansible-playbook").write_text("#!/bin/sh\nexit 250\n")
    (tmp_path / "ansible-playbook").chmod(0o755)
    run = stages.run(private_data_dir({"site.yml": SITE}), "-p", "site.yml")
    assert run.exit_statuses == (0, 250, 250)
    assert ("the path of TMPDIR has 76 bytes" in run.stderr) is bool(excess)
    assert run.text("status") == "failed"
    if importlib.metadata.version("ansible-core") >= "2.21":
        (tmp_path / "ansible-playbook").unlink()
        run = stages.run(private_data_dir({"site.yml": SITE}, name="real"), "-p", "site.yml")
        assert run.exit_statuses == ((0, 250, 250) if excess else (0, 0, 0))
        assert ("the path of TMPDIR has 76 bytes" in run.stderr) is bool(excess)


@pytest.mark.parametrize("inventory", [HOSTS, {"all": {"hosts": {"node1": {"ansible_connection": "local"}}}}, None])
def test_a_run_here_between_commas(
    private_data_dir: MakeDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inventory: Any
) -> None:
    """The directory for temporary files has one, and the private data directory."""
    (tmp_path / "t,t").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t,t"))
    demo = private_data_dir({"site.yml": SITE}, name="d,d")
    (demo / "inventory" / "hosts").write_text(HOSTS)
    options = {} if inventory is None else {"inventory": inventory}
    for more in (options, {**options, "inventory": "inventory/hosts"}):
        runner = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, **more)
        assert (runner.status, runner.explanation) == ("successful", None)
        assert runner.stats is not None
        assert runner.stats["ok"] == {"node1": 1}


def test_a_name_that_ansible_would_replace(stages: Stages, private_data_dir: MakeDir, tmp_path: Path) -> None:
    demo = private_data_dir({"site.yml": SITE})
    (demo / "inventory" / "hosts").write_text(HOSTS)
    stages.temporary = tmp_path / "a$HOME"
    stages.temporary.mkdir()
    run = stages.run(demo, "-p", "site.yml")
    assert run.exit_statuses[1:] == (71, 71)
    assert "contains the name of an environment variable" in run.stderr
    stages.temporary = tmp_path / "a$NO_SUCH_VARIABLE"
    stages.temporary.mkdir()
    assert stages.run(demo, "-p", "site.yml").exit_statuses == (0, 0, 0)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, which is gone."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    return gone


@pytest.mark.parametrize(
    "function",
    [
        lambda: playstream.run(module="debug", inventory="n,"),
        lambda: playstream.run(private_data_dir="demo", playbook="site.yml"),
        lambda: playstream.run_command("ansible", ["--version"]),
        lambda: playstream.get_inventory("list", ["n,"]),
        lambda: playstream.RunnerConfig(private_data_dir="demo", playbook="site.yml"),
        lambda: playstream.run(module="debug", inventory="n,", artifact_dir="x"),
    ],
    ids=range(6),
)
def test_functions_without_a_current_directory(nowhere: Path, function: Callable[[], object]) -> None:
    with pytest.raises(playstream.ConfigurationError, match=r"the current directory cannot be found .* was probably"):
        function()


def test_whole_paths_need_none(nowhere: Path, private_data_dir: MakeDir) -> None:
    demo = private_data_dir({"site.yml": SITE})
    runner = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True)
    assert runner.status == "successful"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "demo", "-p", "site.yml"),
        ("start", "demo", "-p", "site.yml"),
        ("transmit", "demo", "-p", "site.yml"),
        ("adhoc", "all", "-m", "debug", "-i", "n,"),
        ("playbook", "site.yml"),
        ("process", "demo"),
        ("worker", "--private-data-dir", "demo"),
        ("playbook", "/site.yml", "-e", "@vars.yml"),
        ("run", "demo", "-m", "ping"),
        ("start", "demo", "-r", "web"),
        ("is-alive", "demo"),
        ("runs", "--store", "sqlite:///runs.db"),
    ],
)
def test_commands_without_a_current_directory(stages: Stages, tmp_path: Path, words: tuple[str, ...]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    # Of a shell's that is there; the interpreter's own start does not need it.
    prefix = ("sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone))
    process = stages.start(*words, prefix=prefix)
    _, stderr = process.communicate(b"")
    assert process.returncode == 1
    assert "the current directory cannot be found" in stderr.decode()
    assert b"Traceback" not in stderr
    assert not os.path.exists(gone)
