"""What a job's tree and a job itself put into the way: nothing is made, changed or removed through a link.

The place that a stage works in is watched: what its links lead to must be as it was.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from playstream.interface import run
from playstream.pipeline.errors import UnsafePath
from playstream.pipeline.protocol import Job, Log, Record, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.worker.isolation.mounts import list_job_mounts
from playstream.worker.paths import Paths
from playstream.worker.spool import Spool
from tests.pipeline.runner_dialect.wire import END, archive, carry, line
from tests.stages import Stages, read_records
from tests.stress.hostile.place import call_process, call_worker, open_place
from tests.stress.hostile.streams import (
    JOB,
    KWARGS,
    ROOT,
    Zipped,
    directory,
    linked,
    native,
    native_tree,
    symlink,
    zipped,
)

IN_ARTIFACTS = "artifacts=${ANSIBLE_CACHE_PLUGIN_CONNECTION%/fact_cache}; "
"""A job's own way to its artifacts."""


def native_job(ident: str, *parts: Record) -> bytes:
    tree = [ROOT, *parts, TreeEnd(1 + len(parts), 0)]
    return native([replace(JOB, ident=ident, tree=True), *tree], Direction.JOB)


def runner_job(ident: str, *entries: Zipped) -> bytes:
    return line(kwargs={**KWARGS, "ident": ident}) + carry(archive(*entries)) + END


def jobs(ident: str, path: str, target: Path, *parents: str) -> dict[str, bytes]:
    """A job in each dialect whose tree has a link."""
    return {
        "native": native_job(
            ident, *(directory(parent.encode()) for parent in parents), symlink(path.encode(), os.fsencode(target))
        ),
        "runner": runner_job(
            ident, *(zipped(f"{parent}/", b"", 0o755, stat.S_IFDIR) for parent in parents), linked(path, str(target))
        ),
    }


@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_artifacts_that_are_a_link(dialect: str) -> None:
    with open_place() as place:
        stream = jobs("directory", "artifacts", place.guarded)[dialect]
        assert call_worker(place, stream, own_directory=False).error is None
        answer = call_worker(place, stream, own_directory=True)
        assert answer.error is UnsafePath
        assert "which may come from the transmitted tree" in answer.message


@pytest.mark.parametrize("own_directory", [False, True])
@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_a_link_in_the_place_of_the_runs_own_directory(dialect: str, own_directory: bool) -> None:
    with open_place() as place:
        stream = jobs("run", "artifacts/run", place.guarded, "artifacts")[dialect]
        assert call_worker(place, stream, own_directory=own_directory).error is None


def shell_job(script: str, place: Path) -> bytes:
    command = ("/bin/sh", "-c", IN_ARTIFACTS + script, "sh", str(place))
    return native([Job("run", command=command)], Direction.JOB)


@pytest.mark.parametrize(
    "script",
    [
        'ln -s "$1/secret" "$artifacts/status"; ln -s "$1/new" "$artifacts/stderr"',
        'mkdir -p "$artifacts/status/x" "$artifacts/rc"',
    ],
)
def test_what_a_job_puts_in_the_place_of_the_workers_own_files(script: str) -> None:
    with open_place() as place:
        assert call_worker(place, shell_job(script, place.guarded), own_directory=True).error is None
        artifacts = place.target / "artifacts" / "run"
        assert [(artifacts / name).read_text() for name in ("status", "rc")] == ["successful", "0"]
        assert not (artifacts / "status").is_symlink()


@pytest.mark.parametrize("own_directory", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        'cd "$artifacts/.."; mv directory away; ln -s "$1/directory" directory',
        'cd "$artifacts/../.."; mv artifacts away; ln -s "$1" artifacts',
    ],
)
def test_a_job_that_puts_a_link_in_the_place_of_its_artifacts(script: str, own_directory: bool) -> None:
    with open_place() as place:
        command = ("/bin/sh", "-c", IN_ARTIFACTS + script, "sh", str(place.guarded))
        stream = native([Job("directory", command=command)], Direction.JOB)
        answer = call_worker(place, stream, own_directory=own_directory)
        assert answer.error is UnsafePath
        assert "replaced its artifact directory" in answer.message


@pytest.mark.parametrize("own_directory", [False, True])
def test_facts_behind_a_link_that_the_job_has_made_stay(own_directory: bool) -> None:
    """Of facts in Ansible's layout playstream makes plain ones, but not there."""
    script = 'ln -s "$1" "${ANSIBLE_CACHE_PLUGIN_CONNECTION%/up/guarded}/up"'
    with open_place() as place:
        command = ("/bin/sh", "-c", script, "sh", str(place.outer))
        job = Job("run", command=command, settings={"fact_cache": "up/guarded"})
        assert call_worker(place, native([job], Direction.JOB), own_directory=own_directory).error is None


def test_facts_are_not_written_through_a_link_that_a_worker_has_sent(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    (artifacts / "nightly").mkdir(parents=True)
    sent = native_tree([symlink(b"up", b"nightly")], Direction.RESULT)
    (tmp_path / "capture").write_bytes(sent)
    with (tmp_path / "capture").open("rb") as stream:
        runner = run(
            streamer="process",
            _input=stream,
            private_data_dir=str(tmp_path),
            quiet=True,
            settings={"fact_cache": "up/facts"},
        )
    assert (artifacts / "up").is_symlink()
    with pytest.raises(UnsafePath, match="got a symbolic link"):
        runner.set_fact_cache("node1", {"a": 1})
    assert list((artifacts / "nightly").iterdir()) == []


def test_links_of_a_sent_tree_bring_nothing_into_a_container(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("project", "env", "artifacts/other"):
        (data / name).mkdir(parents=True)
    (data / "env" / "credential").write_text("x")
    links: dict[str, str | Path] = {
        "out": tmp_path,
        "all": ".",
        "others": "artifacts",
        "other": "artifacts/other",
        "secrets": "env",
        "env/key": "ssh_key",
        "again": "project",
        "needed": "env/credential",
    }
    (data / "env" / "ssh_key").write_text("x")
    for name, target in links.items():
        (data / name).symlink_to(target)
    spool = Spool(data)
    try:
        paths = Paths(data, data / "project", spool.run_dir, spool.artifact_dir("run"), spool.root)
        sent = {mount.inside for mount in list_job_mounts(paths, "run")}
        own = {mount.inside for mount in list_job_mounts(replace(paths, in_place=True), "run")}
    finally:
        spool.remove()
    always = {
        f"/runner/{name}"
        for name in (
            ".playstream",
            "artifacts/run",
            "project",
            "env/credential",
            "again",
            "needed",
        )
    }
    assert sent == always
    assert own == always | {f"/runner/{name}" for name in links}


LINKS = 'cd "$artifacts"; mkdir d; ln -s /etc/hostname absolute; ln -s ../../x d/up; ln -s ../rc d/inside; mkfifo p'


def warnings(records: Sequence[object]) -> list[str]:
    return [record.message for record in records if isinstance(record, Log)]


def test_links_out_of_the_artifacts_are_left_out_with_a_warning(stages: Stages) -> None:
    done = stages.call("worker", stdin=shell_job(LINKS, Path("/")))
    told = warnings(read_records(done.stdout))
    assert [text.split(" is not sent")[0] for text in told] == ["'absolute'", "'d/up'", "'p'"]
    assert "it is a symlink to '/etc/hostname', which is outside the artifacts" in told[0]
    with open_place() as place:
        answer = call_process(place, done.stdout)
        assert answer.error is None, answer.message
        assert os.readlink(place.target / "d" / "inside") == "../rc"
        assert not {"absolute", "d/up", "p"} & answer.kept


def test_the_same_in_the_runner_dialect(stages: Stages) -> None:
    script = zipped("env/x", b""), zipped("links", f"#!/bin/sh\n{IN_ARTIFACTS}{LINKS}\n".encode(), 0o755)
    kwargs = {**KWARGS, "binary": "./links"}
    done = stages.call("worker", stdin=line(kwargs=kwargs) + carry(archive(*script)) + END)
    with open_place() as place:
        answer = call_process(place, done.stdout)
        assert answer.error is None, answer.message
        assert os.readlink(place.target / "d" / "inside") == "../rc"
        assert not {"absolute", "d/up", "p"} & answer.kept
