"""The private data directory is only read; runs on it do not touch one another; old artifacts are rotated out."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError, JobError
from tests.interface.programs import fake, leftovers, output, play, run_program
from tests.processes import MODES_BIND, wait_until

PLAYS = [play()]


def picture(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything in a directory with its modes, times and contents."""
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [directory, *directory.rglob("*")]
    }


def test_nothing_is_written_into_the_directory(temporary: Path, demo: Path, tmp_path: Path) -> None:
    """With all that could be tempted to: passwords, a key, extra variables, an inventory, a role, a module."""
    (demo / "env").mkdir()
    (demo / "env" / "extravars").write_text("word: from the file\n")
    (demo / "env" / "passwords").write_text('"^Nobody asks:": x\n')
    (demo / "project" / "roles" / "r" / "tasks").mkdir(parents=True)
    (demo / "project" / "roles" / "r" / "tasks" / "main.yml").write_text("- debug: {msg: hi}\n")
    before = picture(demo)
    options: list[dict[str, Any]] = [
        {"playbook": "site.yml", "passwords": {"^Never:": "y"}, "extravars": {"a": 1}, "cmdline": "--diff"},
        {"role": "r", "role_skip_facts": True, "inventory": "node9 ansible_connection=local"},
        {"playbook": PLAYS, "envvars": {"A": "b"}, "settings": {"idle_timeout": 90}},
    ]
    for given in options:
        runner = playstream.run(private_data_dir=demo, quiet=True, artifact_dir=tmp_path / "a", **given)
        assert runner.status == "successful", output(runner)
    assert picture(demo) == before
    playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, binary=fake(tmp_path, "true"))
    after = picture(demo)
    assert {name for name in after if not name.startswith("artifacts")} == set(before)
    del before["."], after["."]  # its time changes with the new artifacts/
    assert {name: value for name, value in after.items() if not name.startswith("artifacts")} == before
    assert leftovers(temporary) == []


READ_ONLY = """
import os, sys
import playstream
try:
    os.mkdir(sys.argv[1] + "/artifacts")
except PermissionError:
    pass
else:
    sys.exit("it can be written")
r = playstream.run(private_data_dir=sys.argv[1], playbook="site.yml", artifact_dir=sys.argv[2], ident="x", quiet=True)
print(r.status, r.config.artifact_dir)
try:
    playstream.run(private_data_dir=sys.argv[1], playbook="site.yml", quiet=True)
except playstream.PlaystreamError as error:
    print(type(error).__name__, error)
"""


def test_a_directory_that_can_only_be_read(temporary: Path, demo: Path, tmp_path: Path) -> None:
    """For a user whom modes bind: not the root that tests may run as."""
    for path in (demo, *demo.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run_program(READ_ONLY, demo, tmp_path / "a", temporary=temporary, prefix=MODES_BIND)
    lines = done.stdout.splitlines()
    assert lines[0] == f"successful {tmp_path}/a/x", done
    assert lines[1].startswith(f"JobError the artifacts cannot be written to '{demo}/artifacts/")
    assert leftovers(temporary) == []


def test_two_runs_at_once_do_not_touch_each_other(demo: Path, tmp_path: Path) -> None:
    script = fake(tmp_path, "sleep 0.2; cat ${6#@}; echo; cat $2")
    runners: list[playstream.Runner] = []

    def run(number: int) -> None:
        runners.append(
            playstream.run(
                private_data_dir=demo,
                playbook="site.yml",
                binary=script,
                quiet=True,
                extravars={"n": number},
                inventory=f"host{number} a=b",
                cmdline="x",
                forks=number + 1,
            )
        )

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted(output(runner) for runner in runners)
    assert found == [f'{{"n": {number}}}\nhost{number} a=b\n' for number in range(6)]
    assert len({runner.config.artifact_dir for runner in runners}) == 6


def test_the_same_ident_at_once(demo: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"private_data_dir": demo, "playbook": "site.yml", "ident": "same", "quiet": True}
    thread, first = playstream.run_async(binary=fake(tmp_path, "echo first; sleep 60"), **options)
    next(iter(first.events))
    with pytest.raises(ConfigurationError, match=r"another run is writing its artifacts to .*same.*another ident"):
        playstream.run(binary=fake(tmp_path, "echo second", "second"), **options)
    assert [event["stdout"] for event in first.events if first.cancel() is None] == ["first"]  # type: ignore[func-returns-value]
    thread.join()
    again = playstream.run(binary=fake(tmp_path, "echo second", "second"), **options)
    assert [event["stdout"] for event in again.events] == ["second"]


def test_artifacts_that_cannot_be_made(temporary: Path, demo: Path, tmp_path: Path) -> None:
    """When what was in the way is gone, the next run can have the directory."""
    obstacle = demo / "artifacts" / "x"
    obstacle.parent.mkdir()
    obstacle.touch()
    options: dict[str, Any] = {"private_data_dir": demo, "playbook": "site.yml", "ident": "x", "quiet": True}
    for _ in range(2):
        with pytest.raises(JobError, match=r"the artifacts cannot be written to .*is a file"):
            playstream.run(binary=fake(tmp_path, "true"), **options)
    assert leftovers(temporary) == []
    obstacle.unlink()
    assert playstream.run(binary=fake(tmp_path, "true"), **options).status == "successful"


@pytest.mark.parametrize(
    ("ident", "place"),
    [
        (7, "artifacts/7"),
        (UUID(int=1), "artifacts/00000000-0000-0000-0000-000000000001"),
        ("", "artifacts"),
        ("a b-ü", "artifacts/a b-ü"),
        ("a..x", "artifacts/a..x"),
    ],
)
def test_idents(demo: Path, tmp_path: Path, ident: str | int | UUID, place: str) -> None:
    runner = playstream.run(
        private_data_dir=demo, playbook="site.yml", quiet=True, binary=fake(tmp_path, "true"), ident=ident
    )
    assert runner.config.artifact_dir == str(demo / place)
    assert (demo / place / "rc").read_text() == "0"
    assert runner.config.ident == str(ident)


@pytest.mark.parametrize("ident", ["a/b", "..", ".", "../../x", "x" * 201, "a\0b"])
def test_idents_that_are_none(demo: Path, ident: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a valid directory name"):
        playstream.run(private_data_dir=demo, playbook="site.yml", ident=ident)


def test_a_new_ident_for_each_run(demo: Path, tmp_path: Path) -> None:
    idents = {
        playstream.init_runner(private_data_dir=demo, playbook="site.yml", binary=fake(tmp_path, "true")).config.ident
        for _ in range(2)
    }
    assert len(idents) == 2


def test_rotation(demo: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"private_data_dir": demo, "playbook": "site.yml", "quiet": True}
    script = fake(tmp_path, "true")
    artifacts = demo / "artifacts"
    for number in range(4):
        playstream.run(binary=script, ident=number, **options)
        os.utime(artifacts / str(number), (1000 + number, 1000 + number))
    assert os.readlink(artifacts / "latest") == "3"
    (artifacts / "notes.txt").write_text("mine")
    (artifacts / "other").mkdir()
    thread, living = playstream.run_async(binary=fake(tmp_path, "echo 1; sleep 60", "slow"), ident="living", **options)
    next(iter(living.events))
    os.utime(artifacts / "living", (1, 1))
    playstream.run(binary=script, ident="new", rotate_artifacts=2, **options)
    assert sorted(path.name for path in artifacts.iterdir()) == ["3", "latest", "living", "new", "notes.txt", "other"]
    living.cancel()
    thread.join()
    assert (artifacts / "living" / "status").read_text() == "canceled"


def test_rotation_in_a_directory_of_ones_own_leaves_its_neighbours(demo: Path, tmp_path: Path) -> None:
    """With ident '' there is no directory of directories to rotate."""
    for name in ("a", "b"):
        playstream.run(
            playbook=PLAYS,
            quiet=True,
            binary=fake(tmp_path, "true"),
            artifact_dir=tmp_path / "runs" / name,
            ident="",
            rotate_artifacts=1,
        )
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b"]


def test_directory_isolation(demo: Path, tmp_path: Path) -> None:
    script = fake(tmp_path, "pwd; echo x > made-here; ls -1")
    for options in (
        {"directory_isolation_base_path": tmp_path / "copies"},
        {"settings": {"directory_isolation_base_path": str(tmp_path / "copies")}},
    ):
        runner = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, binary=script, **options)
        lines = output(runner).splitlines()
        assert lines[0].startswith(str(tmp_path / "copies"))
        assert lines[1:] == ["made-here", "site.yml"]
        assert not (demo / "project" / "made-here").exists()
        assert list((tmp_path / "copies").iterdir()) == []


def test_an_abandoned_copy_is_removed(demo: Path, tmp_path: Path) -> None:
    runner = playstream.init_runner(
        private_data_dir=demo,
        playbook="site.yml",
        directory_isolation_base_path=tmp_path / "copies",
        binary=sys.executable,
    )
    assert len(list((tmp_path / "copies").iterdir())) == 1
    del runner
    wait_until(lambda: not list((tmp_path / "copies").iterdir()))
