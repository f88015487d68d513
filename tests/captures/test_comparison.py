"""What differs between two runs, wherever they are kept."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.captures.comparison import OF_OUTCOMES, Change, Difference, Outline, compare, grouped
from playstream.captures.finding import find_stored
from playstream.pipeline.errors import ConfigurationError
from playstream.process import store as stores
from tests.captures.outlines import outline
from tests.captures.reading import a_run, an_event
from tests.conftest import MakeDir
from tests.stages import Stages

RUN = [("a", "One", "ok"), ("b", "One", "changed"), ("a", "Two", "ok"), ("a", "Two", "changed")]


def differences(first: Outline, second: Outline) -> list[tuple[str, ...]]:
    return [
        tuple(str(value) for value in (each.change, each.host, each.task, each.before, each.after) if value is not None)
        for each in compare(first, second)
    ]


def test_the_same_run() -> None:
    assert differences(outline(*RUN), outline(*RUN)) == []


def test_outcomes() -> None:
    other = [("a", "One", "failed"), ("a", "Two", "ok"), ("a", "Two", "ok"), ("c", "One", "ok")]
    assert differences(outline(*RUN), outline(*other, status="failed")) == [
        ("status", "successful", "failed, return code 2"),
        ("outcome", "a", "One", "ok", "failed"),
        ("gone", "b", "One", "changed"),
        ("outcome", "a", "Two (time 2)", "changed", "ok"),
        ("new", "c", "One", "ok"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        (1.0, 1.9, False),
        (1.0, 2.5, True),
        (100.0, 130.0, False),
        (100.0, 151.0, True),
        (5.0, 1.0, True),
        (None, 9, False),
    ],
)
def test_durations(before: float | None, after: float | None, differs: bool) -> None:
    found = differences(outline(RUN[0], seconds=before), outline(RUN[0], seconds=after))
    assert found == ([("duration", "a", "One", f"{before:.1f} s", f"{after:.1f} s")] if differs else [])


def test_results() -> None:
    before = outline(RUN[0], res={"stdout": "x", "rc": 0, "start": "1", "gone": {"deep": [1, {"a": 2}]}})
    after = outline(RUN[0], res={"stdout": "y", "rc": 0, "start": "2", "new": None})
    assert differences(before, after) == [("result", "a", "One", "gone, new, stdout")]
    assert differences(before, outline(RUN[0], res=None)) == [], "not all of it is known"


def test_facts() -> None:
    def facts(**values: object) -> Outline:
        return outline(RUN[0], res={"ansible_facts": {"ansible_kernel": "6.1", "ansible_date_time": "x", **values}})

    assert differences(facts(release="1"), facts(release="2", ansible_date_time="y")) == [("facts", "a", "release")]
    assert differences(facts(), outline(RUN[0])) == [], "facts that were not gathered are not compared"


def test_full_names_of_actions_are_the_same_as_short_ones() -> None:
    assert differences(outline(*RUN), outline(*RUN, action="ansible.builtin.command")) == []


def test_a_role_is_part_of_the_name() -> None:
    assert ("new", "a", "nginx : One", "ok") in differences(outline(), outline(*RUN, role="nginx"))


def test_hosts_are_grouped() -> None:
    found = [Difference(Change.OUTCOME, host, "One", "ok", "failed") for host in "bca"]
    other = Difference(Change.STATUS, None, None, "successful", "failed")
    assert list(grouped([other, *found])) == [(other, []), (found[0], ["a", "b", "c"])]


RESULTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["One", "Two"]), st.sampled_from(["ok", "changed", "failed"])),
    max_size=8,
)


@given(RESULTS, RESULTS)
def test_there_and_back(first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]) -> None:
    """The differences of two runs in the other order are the same, with their sides changed."""
    opposite = {Change.GONE: Change.NEW, Change.NEW: Change.GONE}
    one, two = outline(*first), outline(*second)
    there = {
        (opposite.get(each.change, each.change), each.host, each.task, each.after, each.before)
        for each in compare(one, two)
    }
    back = {(each.change, each.host, each.task, each.before, each.after) for each in compare(two, one)}
    assert there == back
    assert (not there) is (one.results == two.results)


PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say it
      command: echo {{ word }}
    - name: Maybe
      fail: {msg: no}
      when: broken | default(false)
    - set_fact: {release: "{{ word }}"}
"""


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": PLAY}, hosts=("node1", "node2"))


def run(stages: Stages, demo: Path, ident: str, *words: str | Path) -> None:
    stages.call("run", demo, "-p", "site.yml", "-i", ident, *words)


@pytest.fixture
def runs(stages: Stages, demo: Path, tmp_path: Path) -> Path:
    """A store with three runs; the artifacts and a capture of each lie beside it."""
    for ident, values in (("r1", "word=x"), ("r2", "word=y"), ("bad", "word=x broken=true")):
        env = demo / "env"
        env.mkdir(exist_ok=True)
        (env / "extravars").write_text(json.dumps(dict(pair.split("=") for pair in values.split())))
        run(stages, demo, ident, "--capture", tmp_path / f"{ident}.playstream", "--store", tmp_path / "runs.db")
    return tmp_path


def test_runs_in_every_form(stages: Stages, demo: Path, runs: Path) -> None:
    def names(ident: str) -> list[str | Path]:
        return [runs / f"{ident}.playstream", demo / "artifacts" / ident, ident]

    for before, after in zip(names("r1"), names("r2"), strict=True):
        done = stages.call("diff", before, after, "--store", runs / "runs.db", "--json")
        assert (done.returncode, done.stderr) == (0, b"")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        found = [each for each in found if each["change"] != "duration"]  # that of real tasks depends on the machine
        assert {(each["change"], each["host"]) for each in found} == {
            (change, host) for change in ("result", "facts") for host in ("node1", "node2")
        }
        assert {each["after"] for each in found if each["task"] == "Say it"} == {"cmd, stdout, stdout_lines"}

    for before, after in zip(names("r1"), names("bad"), strict=True):
        done = stages.call("diff", before, after, "--store", runs / "runs.db")
        assert done.returncode == 3
        rows = [line.split() for line in done.stdout.decode().splitlines()]
        assert rows[0] == ["CHANGE", "HOSTS", "TASK", "BEFORE", "AFTER"]
        assert ["outcome", "node1,", "node2", "Maybe", "skipped", "failed"] in rows
        assert any(row[0] == "gone" for row in rows)
    same = stages.call("diff", names("r1")[0], names("r1")[1])
    assert (same.returncode, same.stdout) == (0, b"")


def test_names_in_a_store(stages: Stages, demo: Path, runs: Path) -> None:
    def find(name: str) -> str:
        with stores.open_store(str(runs / "runs.db"), writable=False) as store:
            return find_stored(store, name).run.ident

    assert [find(name) for name in ("r1", "last", "last-failed", "b")] == ["r1", "bad", "bad", "bad"]
    with pytest.raises(ConfigurationError, match="several runs whose names start with 'r': r1, r2"):
        find("r")
    with pytest.raises(ConfigurationError, match="the store has no run 'none'"):
        find("none")
    shown = stages.call("show", "last", "--store", runs / "runs.db")
    assert b"bad" in shown.stdout

    shutil.copytree(demo / "artifacts" / "r1", runs / "bad")
    done = stages.call("diff", "bad", "r1", "--store", runs / "runs.db", cwd=runs)
    assert (done.returncode, done.stdout) == (0, b""), "a directory wins"


def test_a_store_without_runs(tmp_path: Path) -> None:
    with stores.open_store(str(tmp_path / "runs.db")) as store:
        for name, message in (("last", "the store has no run, so"), ("last-failed", "no run that has failed, so")):
            with pytest.raises(ConfigurationError, match=message):
                find_stored(store, name)


def test_what_cannot_be_compared(stages: Stages, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.write_bytes(a_run(an_event(1)))
    cut.write_bytes(a_run(an_event(1))[:-100])
    assert stages.call("diff", whole, cut).returncode == 75
    done = stages.call("diff", whole, "nightly")
    assert done.returncode == 1
    assert b"there is no file and no directory 'nightly'" in done.stderr
    assert b"--store URL" in done.stderr


def test_files_are_compared_without_the_library_of_the_store(tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run(an_event(1)))
    program = "import sys; sys.modules['sqlalchemy'] = None; from playstream.cli.main import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program, "diff", file, file], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_which_changes_are_of_outcomes() -> None:
    assert {Change.STATUS, Change.OUTCOME, Change.GONE, Change.NEW} == OF_OUTCOMES
