"""A job in a container: what the engine is told is in no command line, and its login in a private file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.e2e.secrets.markers import Search, make_markers
from tests.e2e.secrets.rules import Places, not_allowed
from tests.e2e.secrets.watch import Watch, find_in_files
from tests.processes import wait_until
from tests.stages import SAY_STARTED, Stages

ENGINE = f"""\
#!/bin/sh
# Stands in for podman: tells how it was called, and stays until it is told to go.
[ "$1" = run ] || exit 0
env >"$ENGINE_SEEN.env"
printf '%s\\n' "$@" >"$ENGINE_SEEN"
{SAY_STARTED}
: <"$ENGINE_GATE"
"""


def test_the_engine(stages: Stages, home: Path, tmp_path: Path) -> None:
    markers = make_markers(["registry password", "environment variable", "extra variable"])
    directory = tmp_path / "demo"
    for name in ("project", "env"):
        (directory / name).mkdir(parents=True)
    (directory / "project" / "site.yml").write_text("[]\n")
    login = {"host": "registry.example", "username": "me", "password": markers["registry password"]}
    settings = {"process_isolation": True, "container_image": "ee", "container_auth_data": login}
    (directory / "env" / "settings").write_text(json.dumps(settings))
    (directory / "env" / "envvars").write_text(json.dumps({"MY_TOKEN": markers["environment variable"]}))
    (directory / "env" / "extravars").write_text(json.dumps({"extra": markers["extra variable"]}))
    seen, gate = tmp_path / "seen", tmp_path / "gate"
    os.mkfifo(gate)
    engine = tmp_path / "bin" / "podman"
    engine.parent.mkdir()
    engine.write_text(ENGINE.replace("$ENGINE_SEEN", str(seen)).replace("$ENGINE_GATE", str(gate)))
    engine.chmod(0o755)
    stages.path_before.append(engine.parent)
    with Watch(markers, [directory, stages.temporary, home], stages.temporary) as watch:
        worker = stages.start("worker")
        job = stages.transmit(directory, "-p", "site.yml")
        assert worker.stdin is not None
        worker.stdin.write(job)
        worker.stdin.close()
        worker.stdin = None
        wait_until(seen.exists)
        watch.look_at_processes()
        watch.look_at_files()
        gate_opened = os.open(gate, os.O_RDWR)
        stream, complaints = worker.communicate(timeout=60)
        os.close(gate_opened)
    assert worker.returncode == 0, complaints.decode()
    places = Places(directory, stages.temporary, home)
    assert not_allowed(watch.findings, places) == []
    assert {finding.secret for finding in watch.findings if "registry/auth.json" in finding.where} == {
        "registry password"
    }
    assert markers["environment variable"] in (tmp_path / "seen.env").read_text()
    assert Search(markers).names_in(seen.read_bytes()) == set()
    assert Search(markers).names_in(stages.call("process", directory, stdin=stream).stdout + complaints) == set()
    assert not_allowed(find_in_files(markers, [directory, stages.temporary]), places, at_end=True) == []
    assert stages.leftovers() == []
