"""Streams captured from released versions of ansible-runner are read as what they say."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from playstream.pipeline.errors import WorkerError
from playstream.pipeline.job.fact_cache import untag
from playstream.pipeline.job.redaction import REDACTED, redact
from playstream.pipeline.protocol import StatusName
from tests.e2e.runner_dialect import captured
from tests.e2e.runner_dialect.replay import kept_events, process_stream
from tests.stages import Stages

each_version = pytest.mark.parametrize("version", captured.VERSIONS)

HELLO = "hello from a file that travelled: 你好"


@each_version
def test_the_results(version: str, tmp_path: Path) -> None:
    data = captured.stream(version, "worker")
    result, watcher = process_stream(data, tmp_path / "artifacts")
    assert (result.status, result.rc, result.exit_status) == (StatusName.SUCCESSFUL, 0, 0)
    assert result.explanation is None
    assert watcher.logs == []
    assert watcher.statuses == ["starting", "running", "successful"]
    assert kept_events(result.artifact_dir) == captured.events(data)
    assert HELLO in "\n".join(watcher.shown)


@each_version
def test_the_artifacts(version: str, tmp_path: Path) -> None:
    data = captured.stream(version, "worker")
    artifacts = process_stream(data, tmp_path / "artifacts")[0].artifact_dir
    found = {str(path.relative_to(artifacts)): path for path in artifacts.rglob("*") if path.is_file()}
    expected = captured.files(data)
    facts = {name: content for name, content in expected.items() if b'"__payload__"' in content}
    for name in facts:  # of ansible-core 2.19 and later; clients know `fact_cache/<host>`
        plain = name.replace("s1_", "")
        expected[plain] = json.dumps(untag(json.loads(json.loads(expected.pop(name))["__payload__"]))).encode()
    assert bool(facts) is (version == "2.4.3")
    assert {name for name in found if not name.startswith("job_events/")} == expected.keys()
    told, kept = json.loads(expected.pop("command")), json.loads(found["command"].read_bytes())
    assert kept == {**told, "env": redact(told["env"])}
    assert set(told["env"].values()) > set(kept["env"].values()) - {REDACTED}
    for name, content in expected.items():
        assert found[name].read_bytes() == content, name
    assert [str(path) for path in artifacts.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@each_version
def test_the_failure_of_a_worker(version: str, tmp_path: Path) -> None:
    result, watcher = process_stream(captured.stream(version, "worker-error"), tmp_path / "artifacts")
    assert (result.status, result.rc) == (StatusName.ERROR, None)
    assert result.exit_status == WorkerError.exit_status
    assert result.explanation == "Failed to JSON parse a line from transmit stream."
    assert watcher.statuses == ["error"]
    assert (result.artifact_dir / "status").read_text() == "error"


@each_version
def test_the_job(version: str, stages: Stages, tmp_path: Path) -> None:
    served = stages.call("worker", stdin=captured.stream(version, "transmit"))
    assert (served.returncode, served.stderr.decode()) == (0, "")
    found = captured.objects(served.stdout)
    assert [values["status"] for values in found if "status" in values] == ["starting", "running", "successful"]
    assert {values["runner_ident"] for values in found if "runner_ident" in values} == {"demo"}
    assert found[-1] == {"eof": True}
    theirs = captured.events(captured.stream(version, "worker"))
    assert [event["event"] for event in captured.events(served.stdout)] == [event["event"] for event in theirs]
    assert HELLO in "".join(event["stdout"] for event in captured.events(served.stdout))
    files = captured.files(served.stdout)
    assert json.loads(files["fact_cache/localhost"]) == {"answer": 42}
    assert (files["rc"], files["status"]) == (b"0", b"successful")
    assert stages.leftovers() == []


def test_keepalives_are_among_them() -> None:
    found = [captured.objects(captured.stream(version, "worker")) for version in captured.VERSIONS]
    assert any({"event": "keepalive", "counter": 0, "uuid": 0} in objects for objects in found)


def test_they_are_small_and_of_no_machine() -> None:
    paths = sorted(captured.FOLDER.rglob("*.stream"))
    assert len(paths) == 3 * len(captured.VERSIONS)
    for path in paths:
        data = path.read_bytes()
        assert len(data) < 60_000, path
        contents = captured.files(data).values() if b'"zipfile"' in data else ()
        for text in (data, *contents):
            assert b"/home/" not in text, path
            assert b"/root" not in text, path
