"""Cleaning up removes what is dead, keeps what is used, and touches nothing that the pattern does not name."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError, ExecutableNotFound, JobError
from playstream.worker.cleanup import prune_images, remove_directories, remove_images, split_list
from playstream.worker.spool import PrivateDirectory, remove_leftovers
from tests.processes import MODES_BIND, wait_until
from tests.stages import LIMIT_SECONDS, Stages

ENGINE = f"""#!{sys.executable}
import sys
with open({{log!r}}, "a") as log:
    print(*sys.argv[1:], file=log)
if sys.argv[1] == "images":
    print("quay.io/me/image:1\\nquay.io/me/image:1\\n<none>:<none>\\n" if "image" in sys.argv[-1] else "")
elif sys.argv[1:] == ["image", "prune", "--force"]:
    print({{pruned!r}})
elif "broken" in sys.argv[-1]:
    sys.exit("Error: no such thing")
"""


def make(base: Path, *names: str) -> None:
    for name in names:
        (base / name / "artifacts" / "1").mkdir(parents=True)
        (base / name / "project").mkdir()
        (base / name / "project" / "site.yml").write_text("[]\n")


def remaining(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir())


def test_what_the_pattern_names_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, "awx_1", "awx_2", "awx_3_keep", "other")
    (tmp_path / "awx_file").write_text("")
    (tmp_path / "awx_link").symlink_to(tmp_path / "other")
    (tmp_path / "awx_1" / "out").symlink_to(tmp_path / "other")
    done = remove_directories(f"{tmp_path}/awx_*", exclude=["keep"], grace_minutes=0)
    assert [path.name for path in done.removed] == ["awx_1", "awx_2"]
    assert (done.kept, done.failed) == ([], [])
    assert remaining(tmp_path) == ["awx_3_keep", "awx_file", "awx_link", "other"]
    assert (tmp_path / "other" / "project" / "site.yml").exists()


@pytest.mark.parametrize(
    "pattern",
    [
        "awx_*/out",
        "awx_*/*",
        "awx_*/out/*",
        "awx_*/in/*",
        "aw?_1/deep/out/*",
        "*/*/*/*",
    ],
)
def test_what_a_pattern_reaches_through_a_link_stays(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "other")
    jobs = tmp_path / "jobs"
    make(jobs, "awx_1")
    (jobs / "awx_1" / "deep").mkdir()
    (jobs / "awx_1" / "in").symlink_to("project")
    for link in ("out", "deep/out"):
        (jobs / "awx_1" / link).symlink_to(tmp_path / "other")
    (jobs / "awx_1" / "project" / "below").mkdir()
    done = remove_directories(f"{jobs}/{pattern}", grace_minutes=0)
    assert remaining(tmp_path / "other") == ["artifacts", "project"]
    assert (jobs / "awx_1" / "project" / "below").exists() or "*/*" in pattern
    assert not [path for path in done.removed if "out" in path.parts or "in" in path.parts]


def test_a_pattern_is_followed_through_links_as_far_as_it_is_literal(tmp_path: Path) -> None:
    make(tmp_path / "real", "awx_1")
    (tmp_path / "link").symlink_to("real")
    done = remove_directories(f"{tmp_path}/link/awx_*", grace_minutes=0)
    assert done.removed == [tmp_path / "link" / "awx_1"]
    assert remaining(tmp_path / "real") == []


def test_the_grace_period_is_in_minutes(tmp_path: Path) -> None:
    make(tmp_path, "awx_new", "awx_old")
    old = time.time() - 59 * 60
    os.utime(tmp_path / "awx_old", (old, old))
    assert remove_directories(f"{tmp_path}/awx_*").removed == []
    assert [path.name for path in remove_directories(f"{tmp_path}/awx_*", grace_minutes=58).removed] == ["awx_old"]


@pytest.mark.parametrize("place", [".", "artifacts", "artifacts/1", "artifacts/.running/@1"])
def test_a_lock_keeps_a_directory(tmp_path: Path, place: str) -> None:
    make(tmp_path, "awx_1")
    locked = tmp_path / "awx_1" / place
    if not locked.exists():
        locked.parent.mkdir()
        locked.write_text("")
    fd = os.open(locked, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        done = remove_directories(f"{tmp_path}/awx_*", grace_minutes=0)
        assert (done.removed, [path.name for path, _ in done.kept]) == ([], ["awx_1"])
    finally:
        os.close(fd)
    assert len(remove_directories(f"{tmp_path}/awx_*", grace_minutes=0).removed) == 1


NOBODYS = """
import os, sys
from playstream.worker.cleanup import remove_directories
os.geteuid = lambda: os.getuid() + int(sys.argv[2])
print(len(remove_directories(sys.argv[1], grace_minutes=0).kept))
"""


@pytest.mark.parametrize(("other", "kept"), [("1", b"1\n"), ("0", b"0\n")])
def test_what_another_user_has_closed_in_a_directory_keeps_it(tmp_path: Path, other: str, kept: bytes) -> None:
    """Its lock cannot be looked at, and a run may go on there. What is this user's own is opened and removed."""
    make(tmp_path, "awx_1")
    (tmp_path / "awx_1/artifacts").chmod(0)
    words = [*MODES_BIND, sys.executable, "-c", NOBODYS, f"{tmp_path}/awx_*", other]
    assert subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout == kept
    assert (tmp_path / "awx_1/project").exists() is (kept == b"1\n")


def test_a_process_inside_keeps_a_directory(tmp_path: Path) -> None:
    """As Ansible is inside its project, whoever started it."""
    make(tmp_path, "awx_1", "awx_10")
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path / "awx_1" / "project") as inside:
        done = remove_directories(f"{tmp_path}/awx_*", grace_minutes=0)
        inside.kill()
    assert done.kept == [(tmp_path / "awx_1", f"process {inside.pid} uses it")]
    assert [path.name for path in done.removed] == ["awx_10"]


def test_a_worker_keeps_its_directory_and_a_dead_one_does_not(
    fake_ansible: Stages, misbehaving: Path, tmp_path: Path
) -> None:
    job = fake_ansible.transmit(misbehaving, "-p", "hang.yml")
    worker = fake_ansible.start("worker", "--private-data-dir", tmp_path / "awx_1")
    assert worker.stdin is not None
    worker.stdin.write(job)
    worker.stdin.flush()
    wait_until(lambda: list((tmp_path / "awx_1" / "artifacts").glob("*/stdout")))
    done = remove_directories(f"{tmp_path}/awx_*", grace_minutes=0)
    assert (done.removed, len(done.kept)) == ([], 1)
    worker.kill()
    worker.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: remove_directories(f"{tmp_path}/awx_*", grace_minutes=0).removed)
    assert not (tmp_path / "awx_1").exists()


def test_spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    alive = PrivateDirectory()
    (tmp_path / "playstream-dead").mkdir(mode=0o700)
    done = remove_directories(f"{tmp_path}/playstream-*", grace_minutes=0)
    assert done.removed == [tmp_path / "playstream-dead"]
    assert done.kept == [(alive.root, "a job uses it")]
    alive.remove()


@pytest.mark.parametrize("pattern", ["/", "/*", "/tmp", "/tm*", "/usr/share/*", "/etc/*", "~/.."])
def test_directories_of_the_system_are_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="matches system directories"):
        remove_directories(os.path.expanduser(pattern), grace_minutes=1e9)


def test_lists_in_every_spelling() -> None:
    assert split_list(["a b", "c,d", '"e f"', "", "g"]) == ["a", "b", "c", "d", "e", "f", "g"]


@pytest.mark.parametrize(("engine", "verb"), [("podman", "untag"), ("docker", "rmi --force")])
def test_images_lose_their_names(tmp_path: Path, engine: str, verb: str) -> None:
    log = tmp_path / "log"
    program = tmp_path / engine
    program.write_text(ENGINE.format(log=str(log), pruned="Deleted: 123"))
    program.chmod(0o755)
    assert remove_images(["image:1", "unknown"], str(program)) == 1
    assert prune_images(str(program))
    assert log.read_text().splitlines() == [
        "images --format {{.Repository}}:{{.Tag}} image:1",
        f"{verb} quay.io/me/image:1",
        "images --format {{.Repository}}:{{.Tag}} unknown",
        "image prune --force",
    ]
    program.write_text(ENGINE.format(log=str(log), pruned="Total reclaimed space: 0B"))
    assert not prune_images(str(program))


def test_engines_that_cannot_do_it(tmp_path: Path) -> None:
    with pytest.raises(ExecutableNotFound):
        prune_images(str(tmp_path / "podman"))
    with pytest.raises(ConfigurationError, match="expected podman or docker"):
        prune_images("bwrap")
    with pytest.raises(ConfigurationError, match="expected the name of an image"):
        remove_images(["--all"], "podman")
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\necho Error: out of order >&2\nexit 125\n")
    program.chmod(0o755)
    with pytest.raises(JobError, match="podman image prune --force failed: Error: out of order"):
        prune_images(str(program))


@pytest.mark.parametrize("name", ["playstream-demo-abcdefgh", "playstream-abcdefgh", "playstream-spool-mine"])
def test_what_is_no_spool_is_never_swept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / name).mkdir(mode=0o700)
    dead = tmp_path / "playstream-spool-abcdefgh"
    dead.mkdir(mode=0o700)
    assert remove_leftovers() == [dead]
    assert (tmp_path / name).is_dir()
