"""The Flask service over real HTTP, running real playbooks."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.examples.conftest import EXAMPLES
from tests.e2e.examples.service import COMMAND, Service

WAITING = """\
- name: Wait
  hosts: app
  gather_facts: false
  tasks:
    - name: wait for the test
      wait_for: {path: "{{ inventory_dir }}/../go", timeout: 60, sleep: 1}
"""
UNKNOWN = str(uuid.UUID(int=7))


@pytest.fixture(scope="module")
def service(checkout: Path, env: dict[str, str]) -> Iterator[Service]:
    """The documented command, on the project of the example."""
    service = Service(checkout / "examples", env, ["deploy"])
    yield service
    assert service.stop() == 0
    assert not [line for line in service.lines if "Traceback" in line], service.lines


@pytest.fixture(scope="module")
def deployed(service: Service) -> str:
    """The id of a run that has ended."""
    answer = service.deploy({"version": "2.5.0-rc.1", "environment": "production"})
    assert answer.status == 202
    assert answer.json["status"] in {"unstarted", "starting", "running"}
    run_id: str = answer.json["run_id"]
    assert answer.headers["Location"] == f"/status/{run_id}"
    assert service.get(f"/status/{run_id}").json["rc"] is None
    assert service.wait(run_id, "successful", "failed", "error")["status"] == "successful"
    return run_id


def test_the_command_is_the_documented_one() -> None:
    for name in ("README.md", "flask_service/README.md", "flask_service/__main__.py"):
        assert f"{COMMAND} deploy" in (EXAMPLES / name).read_text()


def test_a_run_to_its_end(service: Service, deployed: str) -> None:
    status = service.get(f"/status/{deployed}").json
    assert (status["run_id"], status["rc"], status["explanation"]) == (deployed, 0, None)
    assert status["stats"]["ok"] == {"web1": 4, "web2": 4}
    assert deployed in [run["run_id"] for run in service.get("/runs").json["runs"]]
    stdout = service.get(f"/stdout/{deployed}")
    assert stdout.headers["Content-Type"].startswith("text/plain")
    assert stdout.headers["X-Content-Type-Options"] == "nosniff"
    assert "deployed 2.5.0-rc.1 in production" in stdout.text


def test_events_come_while_the_run_goes_on(service: Service) -> None:
    run_id = service.deploy({}).json["run_id"]
    answer = service.get(f"/events/{run_id}")  # ends with the run
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    events = [json.loads(line) for line in answer.text.splitlines()]
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["event"], events[-1]["event"]) == ("playbook_on_start", "playbook_on_stats")
    assert {event["runner_ident"] for event in events} == {run_id}
    assert service.wait(run_id, "successful")["rc"] == 0
    assert service.get(f"/events/{run_id}").text == answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"version": "1.0; rm -rf /"},
        {"version": "{{ lookup('env', 'HOME') }}"},
        {"version": "../../etc"},
        {"version": "1.0\n"},
        {"version": "1\x00"},
        {"version": "\u0661.0"},
        {"version": ""},
        {"version": 1.0},
        {"version": None},
        {"version": ["1.0"]},
        {"version": "1" * 1000},
        {"environment": "moon"},
        {"environment": ["staging"]},
        {"rollback": "yes"},
        {"playbook": "other.yml"},
        [],
        "1.0",
        None,
        "{",
        "[" * 3000,
    ],
)
def test_bad_input_is_refused(service: Service, body: Any) -> None:
    before = len(service.get("/runs").json["runs"])
    text = body if isinstance(body, str) and body[:1] in "{[" else json.dumps(body)
    answer = service.deploy(text)
    assert answer.status == 400
    assert answer.json["error"]
    assert len(service.get("/runs").json["runs"]) == before


def test_requests_of_other_web_sites_are_refused(service: Service) -> None:
    assert service.deploy('{"version": "1.0"}', Content_Type="text/plain").status == 415
    assert service.deploy("version=1.0", Content_Type="application/x-www-form-urlencoded").status == 415
    assert service.deploy("{}" + " " * 5000).status == 413
    assert service.get("/runs", Host="rebound.example").status == 400
    assert service.get("/deploy").status == 405


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/..",
        "/%2e%2e",
        "/../../etc/passwd",
        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/..%2f..%2fetc%2fpasswd",
        "/%252e%252e%252fetc",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/etc/passwd",
        "/..%5c..%5c",
        "/%00",
        "/{run}%00",
        "/{run}/",
        "/{run}/..",
        "/{run}%2f..%2f{run}",
        "//{run}",
        "/../service/{run}",
        "/%2e%2e%2f{run}",
        "/{run}.json",
        "/{hex}",
        "/%7b{run}%7d",
        "/urn:uuid:{run}",
        "/{foreign}",
        f"/{UNKNOWN}",
        "/%ff%fe",
        "/..%c0%af..%c0%af",
    ],
)
@pytest.mark.parametrize("what", ["status", "events", "stdout"])
def test_other_paths_are_refused(service: Service, deployed: str, checkout: Path, what: str, target: str) -> None:
    own = checkout / "examples" / "deploy" / "artifacts" / "service" / deployed
    foreign = own.parent / "00000000-0000-4000-8000-000000000000"
    if not foreign.exists():  # a run on the disk that this service has not started
        shutil.copytree(own, foreign)
    path = target.replace("{run}", deployed).replace("{hex}", deployed.replace("-", ""))
    answer = service.get(f"/{what}{path.replace('{foreign}', foreign.name)}")
    assert answer.status in {400, 404}
    assert answer.json["error"]
    assert "root:" not in answer.text


@pytest.fixture
def waiting(checkout: Path, env: dict[str, str], tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """A service with a playbook that waits for a file, and with room for one run; and its project."""
    project = tmp_path / "waiting"
    shutil.copytree(EXAMPLES / "deploy", project, ignore=shutil.ignore_patterns("artifacts"))
    (project / "project" / "deploy.yml").write_text(WAITING)
    service = Service(checkout / "examples", env, [str(project), "--max-running", "1", "--keep", "1"])
    yield service, project
    service.stop()


def test_limits_and_the_end_of_the_service(waiting: tuple[Service, Path]) -> None:
    service, project = waiting
    first = service.deploy({}).json["run_id"]
    refused = service.deploy({})
    assert refused.status == 429
    assert refused.json["error"]
    (project / "go").touch()
    assert service.wait(first, "successful", "failed", "error")["status"] == "successful"
    (project / "go").unlink()
    second = service.deploy_when_free({}).json["run_id"]
    service.wait(second, "running")
    assert [run["run_id"] for run in service.get("/runs").json["runs"]] == [first, second]
    assert service.stop() == 0
    assert (project / "artifacts" / "service" / second / "status").read_text() == "canceled"
