"""`playstream report`: of whatever keeps a run, and in each format."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from playstream.pipeline.errors import JobError
from playstream.pipeline.protocol import End, Noise
from playstream.pipeline.protocol.order import Direction
from playstream.report.page.rendering import load_page
from playstream.report.templates import load_template
from tests.conftest import MakeDir
from tests.report.page.reading import Page, read_page
from tests.stages import Stages, read_records
from tests.stress.hostile.streams import native

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - copy: {content: "new\\n", dest: "{{ playbook_dir }}/made"}
      diff: true
    - debug: {msg: "hello {{ inventory_hostname }}"}
    - fail: {msg: broken}
"""
EXPECTED = [("node1", "copy", "changed"), ("node1", "debug", "ok"), ("node1", "fail", "failed")]


@pytest.fixture
def kept(private_data_dir: MakeDir, stages: Stages, tmp_path: Path) -> Path:
    """A directory with a run that has failed, as a capture, as artifacts, and in a store."""
    demo = private_data_dir({"site.yml": PLAY})
    words = ("-p", "site.yml", "-i", "one", "--capture", tmp_path / "one.playstream", "--store", tmp_path / "runs.db")
    assert stages.call("run", demo, *words).returncode == 2
    shutil.copytree(demo / "artifacts" / "one", tmp_path / "one")
    return tmp_path


def page_of(stages: Stages, *words: str | Path, status: int = 0) -> Page:
    """The page that the command writes to standard output."""
    done = stages.call("report", *words, "--format", "html")
    assert done.returncode == status, done.stderr
    return read_page(done.stdout.decode())


def test_the_same_page_wherever_the_run_is_kept(stages: Stages, kept: Path) -> None:
    capture = page_of(stages, kept / "one.playstream")
    artifacts = page_of(stages, kept / "one")
    stored = page_of(stages, "one", "--store", kept / "runs.db")
    for page in (capture, artifacts, stored):
        assert page.rows() == EXPECTED
        head = page.head
        assert (head["title"], head["ident"], head["status"], head["rc"]) == ("site.yml", "one", "failed", 2)
        assert head["explanation"] == "node1 failed at task 'fail': broken"
        assert head["counts"] == [[2, 1, 1, 0, 0, 0, 0]]
        assert head["notes"] == []
        assert page.marked("DIFF") == [0]
        assert [group["results"] for group in head["failures"]] == [[2]]
        assert all(took >= 0 for took in page.columns["took"])
    assert capture.head["tasks"][0] == ["copy", "copy", "site.yml:5", 0]
    assert capture.head == artifacts.head
    assert capture.blocks == artifacts.blocks


def test_a_store_with_the_events_of_a_run(stages: Stages, kept: Path) -> None:
    words = ("-i", "two", "--store", kept / "runs.db", "--store-events")
    stages.call("process", kept / "again", *words, stdin=(kept / "one.playstream").read_bytes())
    page = page_of(stages, "two", "--store", kept / "runs.db")
    assert page.blocks == page_of(stages, kept / "one.playstream").blocks
    assert page.head["tasks"][0] == ["copy", "copy", "site.yml:5", 0]


def test_nothing_private_is_in_the_page(stages: Stages, kept: Path) -> None:
    env = {**stages.env, "A_SECRET": "s3cret-of-the-environment"}
    page = page_of(stages, kept / "one.playstream")
    text = page.everything()
    for private in (str(kept), env["A_SECRET"], os.path.expanduser("~/"), "PATH"):
        assert private not in text
    assert page.head["tasks"][2][2] == "site.yml:8"


def test_without_names(stages: Stages, kept: Path) -> None:
    for words in ((kept / "one.playstream",), ("one", "--store", kept / "runs.db")):
        page = page_of(stages, *words, "--hide-hosts")
        assert page.rows()[1] == ("host-1", "debug", "ok")
        found = page.body(1)
        assert found is not None
        assert found[0]["msg"] == "hello host-1"
        assert "node1" not in page.everything()


@pytest.mark.parametrize(
    ("name", "start"), [("r.html", "<!DOCTYPE"), ("r.xml", "<?xml"), ("r.md", "###"), ("r.json", "{")]
)
def test_the_name_of_the_file_says_the_format(stages: Stages, kept: Path, name: str, start: str) -> None:
    done = stages.call("report", kept / "one", "-o", kept / name)
    assert (done.returncode, done.stdout) == (0, b"")
    assert (kept / name).read_text().startswith(start)
    assert stat.S_IMODE((kept / name).stat().st_mode) == 0o600


def test_each_format_says_the_same_as_run(stages: Stages, kept: Path) -> None:
    for word in ("junit", "markdown", "agent", "trace"):
        ran = stages.call(
            "process", kept / "again", "-i", "one", "--format", word, stdin=(kept / "one.playstream").read_bytes()
        )
        done = stages.call("report", kept / "one.playstream", "--format", word)
        assert (done.returncode, done.stdout) == (0, ran.stdout)


def test_a_page_right_after_the_run(stages: Stages, kept: Path) -> None:
    stream = (kept / "one.playstream").read_bytes()
    done = stages.call("process", kept / "again", "-i", "one", "--format", "html", "-o", kept / "r.html", stdin=stream)
    assert done.returncode == 2
    assert read_page((kept / "r.html").read_text()).head["tasks"][2][2] == "site.yml:8"
    done = stages.call("run", kept / "demo", "-p", "site.yml", "--format", "html", "-o", kept / "s.html")
    assert done.returncode == 2
    assert read_page((kept / "s.html").read_text()).head["tasks"][2][2] == "site.yml:8"


def test_a_damaged_run_is_reported_up_to_the_damage(stages: Stages, kept: Path) -> None:
    cut = kept / "cut.playstream"
    records = [
        each for each in read_records((kept / "one.playstream").read_bytes()) if not isinstance(each, Noise | End)
    ]
    cut.write_bytes(native(records, Direction.RESULT)[:-10])  # a real run has any number of records in a frame
    page = page_of(stages, cut, status=75)
    assert page.rows() == EXPECTED
    assert page.head["status"] == "incomplete"
    assert page.head["explanation"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("one",), b"expected --format, or -o with a file"),
        (("one", "-o", "r.pdf"), b"expected --format, or -o with a file"),
        (("nothing", "-o", "r.html"), b"there is no file and no directory 'nothing'"),
        (("one", "-o", "/nowhere/r.html"), b"--output: '/nowhere/r.html' cannot be written"),
        (("one", "--format", "agent", "--hide-hosts"), b"--hide-hosts: concerns the formats html and trace"),
        (("one", "-o", ".", "--format", "html"), b"--output: '.' cannot be written"),
    ],
)
def test_what_cannot_be_written(stages: Stages, tmp_path: Path, words: tuple[str, ...], message: bytes) -> None:
    (tmp_path / "one" / "job_events").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "playstream", "report", *words],
        cwd=tmp_path,
        env=stages.env,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr


def test_without_jinja2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    load_template.cache_clear()
    with pytest.raises(JobError, match=r"pip install 'playstream\[report\]'"):
        load_page()
