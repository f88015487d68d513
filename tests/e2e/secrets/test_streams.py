"""The pipeline with every secret: they travel in the job, and are in no other record, process, file or text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import sql

from playstream.pipeline.protocol.order import Direction
from tests.e2e.secrets.captures import parts_of
from tests.e2e.secrets.conftest import CheckPlaces
from tests.e2e.secrets.job import SecretJob
from tests.e2e.secrets.markers import Search, make_markers
from tests.e2e.secrets.rules import Places, not_allowed
from tests.e2e.secrets.watch import Watch
from tests.process.store.postgresql import Postgresql
from tests.stages import LIMIT_SECONDS, Stages

NOT_IN_THE_JOB = {"vaulted variable", "vaulted variable dev", "vaulted variable prod"}
"""They are in the tree, vaulted."""


def transmit(stages: Stages, job: SecretJob, given: str, dialect: str, log: Path) -> bytes:
    """The job's stream, made from the files of `env/`, with `--fast` or not, or from a program's arguments."""
    if given != "arguments":
        job.write_env()
        fast = ["--fast"] if given == "files, fast" else []
        return stages.transmit(job.directory, "-p", "site.yml", "--dialect", dialect, "--logfile", log, *fast)
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.secrets.program", "transmit", job.directory],
        input=json.dumps({**job.options, "logfile": str(log)}).encode(),
        capture_output=True,
        check=True,
        env=stages.env,
        timeout=LIMIT_SECONDS,
    )
    assert Search(job.secrets).names_in(done.stderr) == set()
    return done.stdout


@pytest.mark.parametrize(
    ("dialect", "given", "mechanism"),
    [
        ("playstream", "files", "ssh_askpass"),
        ("playstream", "files, fast", "ssh_askpass"),
        ("playstream", "arguments", "sshpass"),
        ("runner", "files", "sshpass"),
    ],
)
def test_each_stage(
    stages: Stages,
    secret_job: SecretJob,
    watch: Watch,
    check_places: CheckPlaces,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dialect: str,
    given: str,
    mechanism: str,
) -> None:
    monkeypatch.setenv("ANSIBLE_SSH_PASSWORD_MECHANISM", mechanism)
    directory = secret_job.directory
    search = Search(secret_job.secrets)
    store = tmp_path / "runs.db"
    log = tmp_path / "log"
    with watch:
        job = transmit(stages, secret_job, given, dialect, log)
        worker = stages.call("worker", "--debug", "--logfile", log, stdin=job)
        shown = stages.call("process", directory, "--debug", "--logfile", log, "--store", store, stdin=worker.stdout)
    assert (worker.returncode, shown.returncode) == (0, 0), shown.stdout.decode() + worker.stderr.decode()
    check_places(watch)

    carrying = {name: search.names_in(content) for name, content in parts_of(job, Direction.JOB).items()}
    carrying = {name: found for name, found in carrying.items() if found}
    assert carrying == {"Job" if dialect == "playstream" else "kwargs": set(secret_job.secrets) - NOT_IN_THE_JOB}

    results = parts_of(worker.stdout, Direction.RESULT)
    assert {name for name, content in results.items() if search.names_in(content)} == set()
    assert results["Event"]
    assert "MY_TOKEN" in results["Status"].decode()
    for text in (worker.stdout, worker.stderr, shown.stdout, shown.stderr, store.read_bytes(), log.read_bytes()):
        assert search.names_in(text) == set()
    command = json.loads((directory / "artifacts" / "command").read_text())
    assert set(command["env"]["MY_TOKEN"]) == {"*"}
    assert command["env"]["HOME"] == secret_job.options["envvars"]["HOME"]


def test_the_url_of_a_store(stages: Stages, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "demo"
    (directory / "project").mkdir(parents=True)
    (directory / "project" / "site.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: env\n"
    )
    markers = make_markers(["store password"])
    password = markers["store password"]
    server = Postgresql()
    try:
        with server.connect() as connection:
            statement = sql.SQL("CREATE ROLE someone SUPERUSER LOGIN PASSWORD {}")
            connection.execute(statement.format(sql.Literal(password)))
        url = f"postgresql://someone:{password}@127.0.0.1:{server.port}/{server.make_database()}"
        monkeypatch.setenv("PLAYSTREAM_STORE", url)
        with Watch(markers, [tmp_path, stages.temporary], stages.temporary) as watch:
            done = stages.call("run", directory, "-p", "site.yml", "--debug", "--logfile", tmp_path / "log")
        assert done.returncode == 0, done.stderr.decode()
        runs = stages.call("runs", "--json")
    finally:
        server.close()
    assert runs.stdout.count(b"\n") == 1
    assert Search(markers).names_in(done.stdout + done.stderr + runs.stdout + runs.stderr) == set()
    assert not_allowed(watch.findings, Places(directory, stages.temporary, home)) == []
    assert {finding.kind for finding in watch.findings} == {"environ"}
