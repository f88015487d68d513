"""check: one table of what is at the other end of links, and whether a job would run there."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playstream.links.inquiry import Findings
from playstream.links.needs import Needs, find_problems, find_warnings
from playstream.pipeline.protocol import Hello
from playstream.pipeline.versions import accepts
from tests.links.conftest import WORKER
from tests.links.hosts import Host
from tests.processes import marked_processes
from tests.stages import Stages


def check(stages: Stages, *words: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """Run it with --json; return the exit status and the objects."""
    done = stages.call("check", "--json", *words)
    assert done.stderr == b"", done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_worker_that_is_ready(stages: Stages) -> None:
    status, (found,) = check(stages, WORKER)
    assert (status, found["ok"], found["problems"], found["warnings"]) == (0, True, [], [])
    assert 0 < found["round_trip_seconds"] < 20
    assert found["bytes_per_second"] > 0
    assert found["free_bytes"] > 0
    assert abs(found["clock_seconds"]) < 20
    assert found["protocol_minor"] >= 2
    assert "Ping" in found["records"]
    assert found["limits"]["max_tree_entries"] == 1_000_000
    assert found["ansible_core"].startswith("2.")
    assert found["collections"] is None  # nobody asked
    assert stages.leftovers() == []
    assert marked_processes(stages.temporary) == []


def test_several_links(stages: Stages, host: Host) -> None:
    """Each problem is below the table, once, with the link that it concerns."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"ssh://worker-1:{probe.getsockname()[1]}"
        done = stages.call("check", "ssh://worker-1", closed)
    assert done.returncode == 1
    lines = done.stdout.decode().splitlines()
    assert lines[0].split()[:2] == ["LINK", "OK"]
    assert [line.split()[:2] for line in lines[1:3]] == [["ssh://worker-1", "yes"], [closed, "no"]], "\n".join(lines)
    assert len(lines) == 4
    assert lines[3].startswith(f"{closed}: the host is up but refuses the connection")


def make_collection(place: Path, name: str, version: str) -> None:
    namespace, _, own = name.partition(".")
    directory = place / "ansible_collections" / namespace / own
    directory.mkdir(parents=True)
    about = {"namespace": namespace, "name": own, "version": version, "authors": [], "readme": "README.md"}
    (directory / "MANIFEST.json").write_text(json.dumps({"collection_info": about, "format": 1}))


def test_the_collections_of_a_job(
    stages: Stages, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(tmp_path / "there", "mine.tools", "1.2.0")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(tmp_path / "there"))
    requirements = directory / "project" / "requirements.yml"
    requirements.write_text("collections:\n  - mine.tools\nroles:\n  - some.role\n")
    status, (found,) = check(stages, WORKER, "--job", directory)
    assert (status, found["problems"]) == (0, [])
    assert found["collections"]["mine.tools"] == "1.2.0"
    requirements.write_text("collections:\n  - {name: mine.tools, version: '>=2.0.0'}\n")
    (directory / "project" / "collections").mkdir()
    (directory / "project" / "collections" / "requirements.yml").write_text("collections: [mine.other]\n")
    status, (found,) = check(stages, WORKER, "--job", directory)
    assert status == 1
    assert found["problems"] == [
        "the collection mine.tools is 1.2.0 there, and requirements.yml wants >=2.0.0",
        "the collection mine.other is not installed there, and requirements.yml names it",
    ]


def test_a_directory_that_is_too_large_there(stages: Stages, directory: Path) -> None:
    (directory / "project" / "large").write_bytes(bytes(2000))
    (directory / "artifacts").mkdir()
    (directory / "artifacts" / "not-sent").write_bytes(bytes(100_000))
    status, (found,) = check(stages, f"{WORKER} --max-tree-bytes 2000", "--job", directory)
    assert status == 1
    assert "and the worker accepts 2000" in found["problems"][0]
    assert check(stages, f"{WORKER} --max-tree-bytes 50000", "--job", directory)[0] == 0


def test_what_is_no_worker(stages: Stages) -> None:
    status, found = check(stages, "exec:false", "exec:sh -c 'exit 127'", "exec:echo hello")
    assert status == 1
    assert [item["ok"] for item in found] == [False] * 3
    assert "no worker answered" in found[0]["problems"][0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("local:",), "local: is this host"),
        (("web1",), "For a host: ssh://web1"),
        ((WORKER, "--job", "/no/such"), "expected a private data directory"),
    ],
)
def test_what_is_refused(stages: Stages, words: tuple[str, ...], said: str) -> None:
    done = stages.call("check", *words)
    assert done.returncode == 1
    assert said in done.stderr.decode()


def test_requirements_that_cannot_be_read(stages: Stages, directory: Path) -> None:
    (directory / "project" / "requirements.yml").write_text("a: [\n")
    done = stages.call("check", WORKER, "--job", directory)
    assert done.returncode == 1
    assert "requirements.yml: not valid YAML" in done.stderr.decode()


HELLO = Hello(1, "0.1.0", ("Cancel", "Ping"), ansible_core="2.19.1")
READY = Findings("ssh://web1", hello=HELLO)


@pytest.mark.parametrize(
    ("found", "needs", "said"),
    [
        (replace(READY, hello=None), Needs(), "older than this playstream"),
        (replace(READY, hello=replace(HELLO, ansible_core=None)), Needs(), "Ansible was not found there"),
        (replace(READY, free_bytes=10), Needs(size=11), "10 are free where jobs are unpacked"),
        (READY, Needs(engine="/usr/bin/podman"), "/usr/bin/podman, which env/settings chooses for isolation"),
        (READY, Needs(collections={"a.b": "*"}), "cannot be listed"),
        (replace(READY, error="it is down"), Needs(), "it is down"),
    ],
)
def test_problems(found: Findings, needs: Needs, said: str) -> None:
    (problem,) = find_problems(found, needs)
    assert said in problem


def test_no_problems() -> None:
    found = replace(READY, free_bytes=11, engines=["podman"], collections={"a.b": "1.0.0"})
    assert list(find_problems(found, Needs(11, {"a.b": ">=1.0"}, "podman"))) == []
    assert list(find_warnings(found)) == []


def test_warnings() -> None:
    found = replace(READY, hello=replace(HELLO, ansible_core="2.13.1"), clock_seconds=-75.0)
    core, clock = find_warnings(found)
    assert "ansible-core 2.13.1 there is older than 2.15" in core
    assert "75 seconds behind" in clock


@pytest.mark.parametrize(
    ("wanted", "version", "accepted"),
    [
        ("*", "1.0.0", True),
        ("", "1.0.0", True),
        ("1.0.0", "1.0.0", True),
        ("1.0", "1.0.0", True),
        ("==1.0.0", "1.0.1", False),
        (">=1.0.0,<2.0.0", "1.9.9", True),
        (">=1.0.0,<2.0.0", "2.0.0", False),
        (">=1.10", "1.9", False),
        ("!=1.0.0", "1.0.0", False),
        (">1.0.0", "1.0.0", False),
        ("<=1.0.0", "1.0.0", True),
        ("main", "1.0.0", True),
        (">=2", "unknown", True),
    ],
)
def test_versions(wanted: str, version: str, accepted: bool) -> None:
    assert accepts(wanted, version) is accepted


def test_a_signal_ends_it(stages: Stages) -> None:
    """Also while a link says nothing."""
    process = stages.start("check", "exec:sh -c 'echo started >&2; exec sleep 600'", "--debug")
    assert process.stderr is not None
    while b"started" not in process.stderr.readline():
        pass
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 254
    assert subprocess.run(["pgrep", "-f", "exec sleep 600"], capture_output=True, check=False).stdout == b""
