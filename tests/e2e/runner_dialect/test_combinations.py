"""transmit, worker and process, each ours or ansible-runner's: what comes out is the same.

ansible-runner's own three stages are the measure; comparison.py lists every difference that is excused.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from tests.e2e.runner_dialect.comparison import Normal, differences, open_files
from tests.e2e.runner_dialect.pipeline import OURS, THEIRS, Combination, Run
from tests.e2e.runner_dialect.private_data import LARGE_SIZE, SECRET, TIME

RunOf = Callable[[Combination], Run]

MEASURE = Combination(THEIRS, THEIRS, THEIRS)
MIXED = [Combination(*programs) for programs in product((OURS, THEIRS), repeat=3)]
ALL = [*MIXED, Combination(OURS, OURS, OURS, "playstream")]
each_combination = pytest.mark.parametrize("combination", ALL, ids=str)

FAILED = 4
"""Ansible's return code when a host was unreachable."""


@each_combination
def test_what_comes_out_is_the_same(run_of: RunOf, combination: Combination) -> None:
    run = run_of(combination)
    assert run.artifacts.is_dir(), run.stderr
    found, expected = Normal(run).contents(), Normal(run_of(MEASURE)).contents()
    assert differences(found, expected) == []


@each_combination
def test_the_exit_statuses(run_of: RunOf, combination: Combination) -> None:
    run = run_of(combination)
    # ansible-runner's process ends with 0 after a job that failed.
    assert run.exit_statuses == (0, FAILED, FAILED if combination.process == OURS else 0), run.stderr
    told = "playstream process: failed: nowhere could not be reached at task 'Gathering Facts': Failed to connect "
    assert run.stderr.startswith(told) if combination.process == OURS else run.stderr == ""
    assert run.stderr.count("\n") == (combination.process == OURS), "one line, whoever sends the events"


@each_combination
def test_the_secrets_stay_secret(run_of: RunOf, combination: Combination) -> None:
    run = run_of(combination)
    files = [path for path in run.artifacts.rglob("*") if path.is_file()]
    assert [path for path in files if SECRET in path.read_text()] == []
    if combination.process == OURS:
        assert open_files(run) == []


@each_combination
def test_the_worker_leaves_nothing(run_of: RunOf, combination: Combination) -> None:
    run = run_of(combination)
    if combination.worker == OURS:
        assert list((run.artifacts.parents[2] / "tmp").glob("playstream-*")) == []


def test_a_native_stream_into_their_worker_names_the_flag(run_of: RunOf) -> None:
    run = run_of(Combination(OURS, THEIRS, OURS, "playstream"))
    assert "add --dialect runner to playstream transmit" in run.stderr
    assert run.exit_statuses[2] not in {0, FAILED}


def test_the_measure_is_what_it_should_be(run_of: RunOf) -> None:
    events = run_of(MEASURE).events
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert {event["event"] for event in events} >= {
        "playbook_on_start",
        "playbook_on_play_start",
        "playbook_on_task_start",
        "playbook_on_include",
        "playbook_on_notify",
        "playbook_on_stats",
        "runner_on_start",
        "runner_on_ok",
        "runner_on_failed",
        "runner_on_file_diff",
        "runner_on_skipped",
        "runner_on_unreachable",
        "runner_item_on_ok",
        "runner_item_on_failed",
        "runner_retry",
    }
    stats = events[-1]["event_data"]
    assert stats["rescued"] == {"node1": 1}
    assert stats["dark"] == {"nowhere": 1}
    assert stats["artifact_data"] == {"answer": 42, "text": "ü"}
    facts = Normal(run_of(MEASURE)).contents()["fact cache"]
    assert facts["node1"]["answer"] == {"deep": [42, "é"]}
    assert facts["node2"]["answer"] == 2
    assert facts["node2"]["ansible_python"]["type"] == "cpython"


def test_the_tree_of_the_measure_is_whole(run_of: RunOf) -> None:
    [listing] = [
        event["event_data"]["res"]["stdout_lines"]
        for event in run_of(MEASURE).events
        if event["event"] == "runner_on_ok" and event["event_data"]["task"] == "Tell what has arrived"
    ]

    def line(name: str) -> str:
        [found] = [line for line in listing if line.startswith(f"{name} ")]
        return str(found).removeprefix(f"{name} ")

    assert line("data/large.bin").startswith(f"-rw-r--r-- {LARGE_SIZE} {TIME} ")
    assert line("data/tool.sh").startswith("-rwxr-x--- ")
    assert line("data/private").startswith("-rw------- ")
    assert line("data/größe 尺寸 🙂").startswith("-rw-r--r-- ")
    assert line("no files/none either") == "drwx------"
    assert line("to-nothing") == "lrwxrwxrwx ../nowhere/at all"
    assert line("to-directory") == "lrwxrwxrwx data"
