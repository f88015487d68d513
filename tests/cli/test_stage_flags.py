"""Flags of transmit, worker and process, and what worker says of its host."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml

from playstream.pipeline.protocol import Job
from playstream.pipeline.protocol.order import Direction
from playstream.worker.capacity import host_uuid
from tests.stages import Stages, read_events, read_records


def job_of(stages: Stages, directory: Path, *words: str) -> Job:
    job = read_records(stages.transmit(directory, *words), Direction.JOB)[0]
    assert isinstance(job, Job)
    return job


def test_a_job_travels_with_all_its_flags(
    stages: Stages, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", f"{tmp_path}/elsewhere:{directory}/roles")
    job = job_of(
        stages,
        directory,
        "-p",
        "site.yml",
        "-b",
        "/opt/ansible-playbook",
        "--container-image",
        "ee",
        "-j",
        "-q",
        "--container-volume-mount",
        "/a:/b",
        "--container-option",
        "--network=none",
        "--process-isolation",
        "--process-isolation-executable",
        "podman",
        "--process-isolation-hide-paths",
        "/x",
        "/y",
        "--rotate-artifacts",
        "3",
        "--artifact-dir",
        "/nowhere",
        "--directory-isolation-base-path",
        "/tmp/base",
    )
    assert job.binary == "/opt/ansible-playbook"
    assert tuple(job.roles_path) == ("roles",)
    assert job.settings == {
        "container_image": "ee",
        "container_volume_mounts": ["/a:/b"],
        "container_options": ["--network=none"],
        "process_isolation": True,
        "process_isolation_executable": "podman",
        "process_isolation_hide_paths": ["/x", "/y"],
        "directory_isolation_base_path": "/tmp/base",
    }


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("run", "-d"),
        ("transmit", "--entrypoint=/bin/true"),
        ("start", "--help"),
    ],
)
def test_an_option_that_takes_the_job_away_is_refused(stages: Stages, directory: Path, command: str, word: str) -> None:
    done = stages.call(command, directory, "-p", "site.yml", "--container-image", "ee", "--container-option", word)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"--container-option: {word!r} cannot be used: " in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert not (directory / "artifacts").exists()


def test_process_shows_events_and_keeps_artifacts_elsewhere(stages: Stages, directory: Path, tmp_path: Path) -> None:
    run = stages.call("worker", stdin=stages.transmit(directory, "-p", "site.yml")).stdout
    shown = stages.call("process", directory, "-j", "--artifact-dir", tmp_path / "kept", "-i", "x", stdin=run)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert [json.loads(line) for line in shown.stdout.splitlines()] == read_events(tmp_path / "kept" / "x")
    quiet = stages.call("-q", "process", directory, stdin=run)
    assert (quiet.returncode, quiet.stdout) == (0, b"")
    assert b"ok: [node1]" in (directory / "artifacts" / "stdout").read_bytes()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("soon", "ANSIBLE_RUNNER_KEEPALIVE_SECONDS: expected a number of seconds, 0 or more, got 'soon'"),
        ("-3", "ANSIBLE_RUNNER_KEEPALIVE_SECONDS: expected a number of seconds, 0 or more, got -3"),
        ("3", "the stream is empty"),
    ],
)
def test_the_environment_says_how_often_to_send_a_heartbeat(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    monkeypatch.setenv("ANSIBLE_RUNNER_KEEPALIVE_SECONDS", value)
    assert expected in stages.call("worker").stderr.decode()


@pytest.mark.parametrize("command", ["worker", "process"])
def test_a_limit_may_be_longer_than_the_system_can_wait(stages: Stages, tmp_path: Path, command: str) -> None:
    words = [command] if command == "worker" else [command, str(tmp_path)]
    for value, expected in (
        ("3e6", "the stream is empty"),
        ("10000000000", "the stream is empty"),
        ("1e11", "--liveness-seconds: expected at most 10000000000 seconds; 0 means no limit"),
        ("inf", "--liveness-seconds: expected at most 10000000000 seconds; 0 means no limit"),
        ("nan", "--liveness-seconds: expected a number of seconds, 0 or more, got nan"),
    ):
        assert expected in stages.call(*words, "--liveness-seconds", value).stderr.decode()


def test_worker_info_is_one_flow_mapping(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    done = stages.call("worker", "--worker-info")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 1
    info = yaml.safe_load(done.stdout)
    assert list(info) == ["cpu_count", "errors", "mem_in_bytes", "runner_version", "uuid"]
    assert info["cpu_count"] == os.cpu_count()
    assert info["mem_in_bytes"] > 1 << 20
    assert info["errors"] == []
    assert stages.call("--worker-info", "worker").stdout == done.stdout
    assert stat.S_IMODE((tmp_path / ".ansible_runner_uuid").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob(".ansible*")] == [".ansible_runner_uuid"]


def test_worker_info_says_what_it_does_not_know(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    done = stages.call("worker", "--worker-info")
    info = yaml.safe_load(done.stdout)
    assert (done.returncode, info["uuid"], len(info["errors"])) == (0, None, 1)


def test_the_name_of_a_host_stays(tmp_path: Path) -> None:
    path = tmp_path / "uuid"
    name = host_uuid(path)
    assert host_uuid(path) == name
    path.write_text("nonsense")
    with pytest.raises(ValueError, match="expected a uuid in"):
        host_uuid(path)


def test_cleanup_says_what_it_did(stages: Stages, tmp_path: Path) -> None:
    for name in ("job_1", "job_2", "job_keep"):
        (tmp_path / name / "project").mkdir(parents=True)
    words = ("worker", "cleanup", f"--file-pattern={tmp_path}/job_*", "--exclude-strings=keep other")
    assert stages.call(*words).stdout == b"(changed: False)\n", "all are younger than the grace period"
    done = stages.call(*words, "--grace-period=0")
    assert done.stdout.decode().splitlines() == [
        f"Removed 2 private data dir(s) in pattern {tmp_path}/job_*",
        "(changed: True)",
    ]
    assert sorted(path.name for path in tmp_path.glob("job_*")) == ["job_keep"]


@pytest.mark.parametrize(
    ("words", "exit_status", "expected"),
    [
        (("worker", "cleanup", "--file-pattern", "/*"), 1, "matches system directories"),
        (("worker", "cleanup", "--grace-period", "-1"), 1, "--grace-period: expected 0 or more minutes"),
        (("worker", "--delete", "cleanup"), 1, "--delete does not apply to cleanup"),
        (("worker", "--image-prune"), 2, "--image-prune is a flag of worker cleanup"),
        (
            ("worker", "cleanup", "--image-prune", "--process-isolation-executable", "bwrap"),
            1,
            "expected podman or docker",
        ),
        (("process", "DIR", "--logfile", "DIR/no/log"), 1, "cannot be written"),
    ],
)
def test_bad_input_is_one_clear_error(
    stages: Stages, directory: Path, words: tuple[str, ...], exit_status: int, expected: str
) -> None:
    done = stages.call(*(word.replace("DIR", str(directory)) for word in words))
    assert done.returncode == exit_status
    assert expected in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
