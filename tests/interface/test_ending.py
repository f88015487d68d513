"""How runs end before their time: canceled, interrupted, out of time, killed; and nothing is left of them."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

import playstream
from tests.interface.programs import INVENTORY, debug, fake, leftovers, messages, play, run_program, start_program
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS

PLAYS = [play()]
SLEEP = "echo started; exec sleep 100"


def test_cancel_from_another_thread(temporary: Path, tmp_path: Path) -> None:
    thread, runner = playstream.run_async(binary=fake(tmp_path, SLEEP), playbook=PLAYS, quiet=True)
    assert next(iter(runner.events))["stdout"] == "started"
    assert not runner.wait(0)
    runner.cancel("no longer needed")
    assert runner.wait(LIMIT_SECONDS)
    assert (runner.status, runner.rc, runner.canceled) == ("canceled", 254, True)
    assert runner.explanation == "no longer needed"
    assert (runner.artifact_path / "status").read_text() == "canceled"
    assert (runner.artifact_path / "rc").read_text() == "254"
    assert marked_processes(temporary) == []
    runner.cancel("again")
    assert runner.explanation == "no longer needed"
    thread.join()


def test_cancel_before_the_start(tmp_path: Path) -> None:
    runner = playstream.init_runner(binary=fake(tmp_path, SLEEP), playbook=PLAYS, quiet=True)
    runner.cancel()
    assert runner.run() == ("canceled", 254)
    assert runner.explanation == "canceled by the caller"


def test_cancel_after_the_end_is_no_matter_of_the_next_run(tmp_path: Path) -> None:
    runner = playstream.init_runner(binary=fake(tmp_path, "true"), playbook=PLAYS, quiet=True)
    assert runner.run() == ("successful", 0)
    runner.cancel()
    assert runner.run() == ("successful", 0)


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"timeout": 0.4}, "0.4 seconds (job_timeout)"),
        ({"settings": {"job_timeout": 0.4}}, "0.4 seconds (job_timeout)"),
        ({"settings": {"idle_timeout": 0.4}}, "0.4 seconds (idle_timeout)"),
        ({"timeout": 0.4, "settings": {"job_timeout": 90}}, "0.4 seconds (job_timeout)"),
    ],
)
def test_time_limits(temporary: Path, tmp_path: Path, options: dict[str, Any], limit: str) -> None:
    runner = playstream.run(binary=fake(tmp_path, SLEEP), playbook=PLAYS, quiet=True, **options)
    assert (runner.status, runner.rc, runner.timed_out, runner.errored) == ("timeout", 254, True, False)
    assert runner.explanation is not None
    assert limit in runner.explanation
    assert [event["stdout"] for event in runner.events] == ["started"]
    assert marked_processes(temporary) == []


def test_no_time_limit(tmp_path: Path) -> None:
    """Nor does one of centuries end a run: poll(2) waits for at most 24 days."""
    centuries = dict.fromkeys(("job_timeout", "idle_timeout", "pexpect_timeout"), 10**10)
    for options in (
        {"timeout": 0},
        {"settings": {"job_timeout": 0, "idle_timeout": None}},
        {"settings": centuries, "cancel_callback": None},
    ):
        runner = playstream.run(binary=fake(tmp_path, "sleep 0.2"), playbook=PLAYS, quiet=True, **options)
        assert runner.status == "successful"


INTERRUPTED = """
import json, sys
import playstream
from playstream.interface.options import RunOptions

told = []
runner = playstream.init_runner(
    binary=sys.argv[1], playbook=[{"hosts": "all"}], quiet=True, artifact_dir=sys.argv[2], ident="x",
    event_handler=lambda event: print(event["stdout"], flush=True) or True,
    status_handler=lambda data, runner_config: told.append(data["status"]),
    finished_callback=lambda runner: told.append("finished"),
)
try:
    runner.run()
except KeyboardInterrupt:
    print(json.dumps([runner.status, runner.rc, runner.explanation, told]))
"""


def test_ctrl_c_in_the_main_thread(temporary: Path, tmp_path: Path) -> None:
    program = start_program(INTERRUPTED, fake(tmp_path, SLEEP), tmp_path / "a", temporary=temporary)
    assert program.stdout is not None
    assert program.stdout.readline() == "started\n"
    program.send_signal(signal.SIGINT)
    stdout, stderr = program.communicate(timeout=LIMIT_SECONDS)
    assert (program.returncode, stderr) == (0, "")
    assert json.loads(stdout) == [
        "canceled",
        254,
        "interrupted from the keyboard",
        ["starting", "running", "canceled", "finished"],
    ]
    assert (tmp_path / "a" / "x" / "status").read_text() == "canceled"
    assert marked_processes(temporary) == []
    assert leftovers(temporary) == []


KILLED = """
import sys
import playstream
playstream.run(
    binary=sys.argv[1], playbook=[{"hosts": "all"}], quiet=True,
    event_handler=lambda event: print(event["stdout"], flush=True) or True,
)
"""


def test_a_program_that_is_killed_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    """From memory: its artifacts are among the temporary files too."""
    program = start_program(KILLED, fake(tmp_path, SLEEP), temporary=temporary)
    assert program.stdout is not None
    assert program.stdout.readline() == "started\n"
    assert marked_processes(temporary) != []
    program.kill()
    program.communicate()
    wait_until(lambda: not marked_processes(temporary) and not leftovers(temporary))


CLOSED = """
import os, sys
report = os.dup(2)
os.set_inheritable(report, False)
import playstream
for number in map(int, sys.argv[2]):
    os.close(number)
runner = playstream.run(binary=sys.argv[1], playbook=[{"hosts": "all"}])
out, err, rc = playstream.run_command("sh", ["-c", "cat; echo out; echo err >&2"], runner_mode="subprocess")
os.write(report, repr([runner.status, [event["stdout"] for event in runner.events], out, err, rc]).encode())
"""


@pytest.mark.parametrize("closed", ["0", "01", "02", "012"])
def test_a_program_without_standard_streams(temporary: Path, tmp_path: Path, closed: str) -> None:
    done = run_program(CLOSED, fake(tmp_path, "echo 1; echo 2 >&2"), closed, temporary=temporary)
    assert done.stderr == "['successful', ['1', '2'], 'out\\n', 'err\\n', 0]"
    assert leftovers(temporary) == []


def test_many_runs_in_many_threads(temporary: Path, tmp_path: Path) -> None:
    """Sixteen at once in a program that has another sixty threads."""
    stop = threading.Event()
    others = [threading.Thread(target=stop.wait) for _ in range(60)]
    for other in others:
        other.start()
    script = fake(tmp_path, 'echo "$PLAYSTREAM_IDENT"')
    results: list[tuple[str, list[str], bool]] = []

    def run(number: int) -> None:
        runner = playstream.run(binary=script, playbook=PLAYS, quiet=True, ident=number)
        texts = [event["stdout"] for event in runner.events]
        results.append((runner.status, texts, texts == [str(number)]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
    stop.set()
    for other in others:
        other.join()
    assert [(status, right) for status, _, right in results] == [("successful", True)] * 16
    assert leftovers(temporary) == []


AT_EXIT = """
import os, sys
import playstream
kept = playstream.run(binary=sys.argv[1], playbook=[{"hosts": "all"}], quiet=True)
unstarted = playstream.init_runner(binary=sys.argv[1], playbook=[{"hosts": "all"}], quiet=True)
unstarted.set_fact_cache("node1", {"a": 1})
print(kept.status, len(os.listdir(os.environ["TMPDIR"])) > 1)
"""


def test_nothing_is_left_when_the_interpreter_exits(temporary: Path, tmp_path: Path) -> None:
    done = run_program(AT_EXIT, fake(tmp_path, "true"), temporary=temporary)
    assert (done.stdout, done.stderr) == ("successful True\n", "")
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_when_the_runner_is_gone(temporary: Path) -> None:
    runner = playstream.run(playbook=[play(debug("hello"))], inventory=INVENTORY, quiet=True)
    assert messages(runner.events) == ["hello"]
    assert len(leftovers(temporary)) == 1
    del runner
    assert list(temporary.iterdir()) == []
    assert not os.path.exists("artifacts")


def test_an_ansible_that_is_killed(tmp_path: Path) -> None:
    runner = playstream.run(binary=fake(tmp_path, "kill -9 $$"), playbook=PLAYS, quiet=True)
    assert (runner.status, runner.rc) == ("failed", 137)
    assert runner.explanation == "Ansible was killed by signal 9"
    assert (runner.artifact_path / "rc").read_text() == "137"


@pytest.mark.parametrize("rc", [250, 254, 255])
def test_numbers_of_ansibles_own_are_no_signals(tmp_path: Path, rc: int) -> None:
    runner = playstream.run(binary=fake(tmp_path, f"exit {rc}"), playbook=PLAYS, quiet=True)
    assert (runner.status, runner.rc, runner.exit_status) == ("failed", rc, rc)
    assert runner.explanation is None
