"""The files with which a run and its callback plugin tell each other about sudo."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from playstream.pipeline.protocol import Job
from playstream.worker.fast.answers import Answer, Login, State
from playstream.worker.fast.asking import Asking, describe, place_of

NAME = "sudo-" + "0" * 31
JOB = Job(ident="1", playbook="site.yml")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return State()


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    directory.mkdir()
    return directory


def answer(run_dir: Path, number: int, item: Any) -> None:
    (run_dir / f"{NAME}{number}").write_text(json.dumps(item))


def test_the_plugin_is_told_what_is_known(run_dir: Path, state: State) -> None:
    state.add({Login("web1", 22, "deploy"): Answer.WORKS})
    Asking(run_dir, JOB).begin()
    assert json.loads((run_dir / "sudo-known").read_text()) == [["web1", 22, "deploy", "works"]]


def test_what_the_plugin_was_told_is_remembered(run_dir: Path, state: State) -> None:
    asking = Asking(run_dir, JOB)
    asking.begin()
    answer(run_dir, 1, ["web1", 0, "", "works"])
    answer(run_dir, 2, ["web2", 0, "", "terminal"])
    answer(run_dir, 3, ["web3", 0, "", "missing"])
    assert asking.finish() == (
        "fast: 3 hosts asked about sudo: pipelining on 1; not on web2, where it requires a terminal (requiretty); "
        "not on web3, where it was not found"
    )
    assert state.read() == {Login("web1"): Answer.WORKS, Login("web2"): Answer.TERMINAL}


def test_what_is_no_answer_is_passed_over(run_dir: Path, state: State) -> None:
    asking = Asking(run_dir, JOB)
    (run_dir / f"{NAME}1").write_bytes(b"")
    (run_dir / f"{NAME}2").write_bytes(b"[" * 5000)
    answer(run_dir, 3, ["web1\x1b[2J", 0, "", "works"])
    os.mkfifo(run_dir / f"{NAME}4")
    (run_dir / f"{NAME}5").mkdir()
    secret = run_dir / "secret"
    secret.write_text(json.dumps(["web2", 0, "", "works"]))
    (run_dir / f"{NAME}6").symlink_to(secret)
    answer(run_dir, 7, {"a": 1})
    (run_dir / "sudo-other").write_text(json.dumps(["web3", 0, "", "works"]))
    assert asking.finish() is None
    assert state.read() == {}


def test_a_run_directory_that_has_gone_is_no_error(tmp_path: Path) -> None:
    assert Asking(tmp_path / "gone", JOB).finish() is None


def test_many_hosts_are_counted() -> None:
    line = describe({Login(f"h{number}"): Answer.UNCLEAR for number in range(9)}, {Login("h1"): "web"})
    assert line == (
        "fast: 9 hosts asked about sudo: pipelining on 0; not on h0, web, h2 and 6 more, where it gave no clear answer"
    )


def test_a_container_is_another_place() -> None:
    for settings, place in (
        ({}, ""),
        ({"process_isolation": True, "process_isolation_executable": "bwrap"}, "bwrap"),
        ({"process_isolation": True, "container_image": "quay.io/ee:1"}, "quay.io/ee:1"),
    ):
        assert place_of(Job(ident="1", playbook="site.yml", settings=settings)) == place
