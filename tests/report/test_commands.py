"""`--format` of run and process: the report is the output, and what is shown of the run goes elsewhere."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.report.events import parse_xml
from tests.stages import Stages

PLAY = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: hello}\n    - fail: {msg: no}\n"


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": PLAY})


def test_run(stages: Stages, demo: Path) -> None:
    done = stages.call("run", demo, "-p", "site.yml", "-i", "x", "--format", "agent")
    assert done.returncode == 2
    assert done.stdout.startswith(b"site.yml failed, return code 2, ")
    assert b"FAILED node1\ntask: fail (fail, " in done.stdout
    assert b"TASK [" not in done.stdout
    assert b"TASK [fail]" in done.stderr
    assert b"PLAY RECAP" in (demo / "artifacts" / "x" / "stdout").read_bytes()


@pytest.mark.parametrize("word", ["html", "junit", "markdown", "agent", "trace"])
def test_process_says_the_same_as_run(stages: Stages, demo: Path, tmp_path: Path, word: str) -> None:
    file, report = tmp_path / "capture", tmp_path / "report"
    words = ("-p", "site.yml", "-i", "x", "--format", word, "-o", report, "--capture", file)
    ran = stages.call("run", demo, *words)
    assert b"TASK [fail]" in ran.stdout
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    done = stages.call("process", tmp_path / "other", "-i", "x", "--format", word, stdin=file.read_bytes())
    assert done.returncode == 2
    assert done.stdout == report.read_bytes()
    assert b"TASK [fail]" in done.stderr
    if word == "junit":
        assert parse_xml(done.stdout).attrib["failures"] == "1"


def test_quietly(stages: Stages, demo: Path) -> None:
    done = stages.call("run", demo, "-p", "site.yml", "-q", "--format", "markdown", "-o", "-")
    assert done.stdout.startswith(b"### site.yml failed")
    assert b"TASK [" not in done.stderr


def test_without_a_directory(stages: Stages, demo: Path) -> None:
    words = ("playbook", demo / "project" / "site.yml", "-i", "localhost,", "-c", "local", "--format", "agent")
    assert b"FAILED localhost" in stages.call(*words).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "x"), b"--output: concerns the report of --format"),
        (("--format", "agent", "-j"), b"--format: cannot be combined with --json"),
        (("--format", "agent", "--summary", "-"), b"--format: cannot be combined with --summary"),
        (("--format", "agent", "-o", "/nowhere/x"), b"--output: '/nowhere/x' cannot be written"),
        (("--format", "pdf"), b"invalid choice: 'pdf'"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_run(
    stages: Stages, demo: Path, words: tuple[str, ...], message: bytes
) -> None:
    done = stages.call("run", demo, "-p", "site.yml", *words)
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert not (demo / "artifacts").exists()
    done = stages.call("process", demo, *words)
    assert message in done.stderr
    assert not (demo / "artifacts" / "status").exists()
