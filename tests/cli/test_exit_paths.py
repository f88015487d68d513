"""Every way a command may end: a status that is neither 0 nor Ansible's own has one line on standard error.

The ways are collected from the source, so that a new one without a case here fails.
"""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import playstream.cli
from playstream.cli.main import COMMANDS
from playstream.cli.start import _ended_early
from playstream.pipeline.errors import CANCELED_EXIT_STATUS
from playstream.pipeline.protocol import Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.runner_dialect.wire import END, line
from tests.processes import MOUNTS_ALONE, wait_until
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.hostile.streams import NOW, STARTING, native

KNOWN = {
    "adhoc": {"run_here(flags, options)"},
    "bootstrap": {"CANCELED_EXIT_STATUS", "status"},
    "check": {
        "CANCELED_EXIT_STATUS",
        "_WOULD_NOT_RUN if any((problems for _found, problems, _warnings in judged)) else 0",
    },
    "detached": {"CANCELED_EXIT_STATUS"},
    "diff": {"DIFFERENT_EXIT_STATUS if any((each.change in OF_OUTCOMES for each in differences)) else 0"},
    "is_alive": {"_NOT_FOUND_EXIT_STATUS"},
    "local_run": {
        "CANCELED_EXIT_STATUS",
        "_exit_status(runner)",
        "JobError.exit_status if runner.exit_status is None else runner.exit_status",
    },
    "main": {"perform(arguments)", "int(arguments.run(arguments))", "error.exit_status", "INTERRUPTED_EXIT_STATUS"},
    "entry": {"settle(status)", "INTERRUPTED_EXIT_STATUS", "_refuse_windows()"},
    "mesh_attach": {"make_attached_runner(flags.job, options, cancellation)", "run_here(flags, options, make=make)"},
    "output": {"status or (OutputError.exit_status if unwritten else 0)"},
    "playbook": {"run_here(flags, options)"},
    "process": {"result.exit_status"},
    "replay": {"CANCELED_EXIT_STATUS"},
    "run": {
        "run_detached(flags, options)",
        "run_here(flags, options, note_directories(flags.private_data_dir, flags.artifact_dir), report)",
    },
    "start": {
        "_ended_early(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), explained=bool(complained))",
        "code",
        "128 - code if code < 0 else code or JobError.exit_status",
        "start_in_background(flags, ('-m', 'playstream'))",
    },
    "stop": {"_NOT_FOUND_EXIT_STATUS"},
    "transmit": {"CANCELED_EXIT_STATUS"},
    "worker": {"served.exit_status", "_print_worker_info()", "run_listener(flags)", "_serve_one(flags)"},
    "cache_verify": {"JobError.exit_status if done.stuck or done.unknown else 0"},
    "worker_cleanup": {"0 if complete else JobError.exit_status"},
}
"""What the commands' functions return, by module; a case below ends in each."""


def _ways(path: Path) -> set[str]:
    """The expressions that functions of an exit status return, but for 0."""
    tree = ast.parse(path.read_text())
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "int"
        and _tells_an_exit_status(node)
    ]
    found = [node.value for function in functions for node in ast.walk(function) if isinstance(node, ast.Return)]
    return {ast.unparse(value) for value in found if value is not None} - {"0"}


def _tells_an_exit_status(function: ast.FunctionDef) -> bool:
    return (
        "exit status" in (ast.get_docstring(function) or "").lower()
        or "exit_status" in function.name
        or (function.name in {"_print_worker_info", "_run"})
    )


def test_every_way_to_end_is_known() -> None:
    folder = Path(playstream.cli.__file__).parent
    found = {path.stem: ways for path in sorted(folder.glob("*.py")) if (ways := _ways(path))}
    assert found == KNOWN
    assert {name.replace("-", "_") for name in COMMANDS} - set(found) == {
        "cache",
        "store",
        "runs",
        "show",
        "plugin_path",
        "help",
        "completion",
        "mesh",
        "node",
        "inspect",
        "extract",
        "report",
    }


FAILED_SILENTLY = native([STARTING, Status(StatusName.ERROR, NOW)], Direction.RESULT)
CANCELED_SILENTLY = line(status="starting") + line(status="canceled") + END
ENDS: dict[str, tuple[Sequence[str], bytes, int]] = {
    "run, nothing to run": (("run", "DIR"), b"", 1),
    "run, no such playbook": (("run", "DIR", "-p", "none.yml"), b"", 1),
    "run, no such program": (("run", "DIR", "-m", "ping", "-b", "/nowhere/ansible"), b"", 127),
    "adhoc, nothing to run": (("adhoc", "all"), b"", 1),
    "playbook, no such file": (("playbook", "none.yml"), b"", 1),
    "start, no such playbook": (("start", "DIR", "-p", "none.yml"), b"", 1),
    "start, no such directory": (("start", "DIR/none", "-p", "none.yml"), b"", 1),
    "stop, no run": (("stop", "DIR"), b"", 1),
    "stop, no run, quietly": (("stop", "DIR", "-q"), b"", 1),
    "is-alive, no run": (("is-alive", "DIR"), b"", 1),
    "is-alive, no such run": (("is-alive", "DIR", "-i", "x"), b"", 1),
    "transmit, no such playbook": (("transmit", "DIR", "-p", "none.yml"), b"", 1),
    "check, a link that is none": (("check", "tcp://host"), b"", 1),
    "bootstrap, a link that is none": (("bootstrap", "tcp://host"), b"", 1),
    "worker, nothing": (("worker",), b"", 75),
    "worker, another stream": (("worker",), b"hello\n", 75),
    "worker, results": (("worker",), FAILED_SILENTLY, 76),
    "worker, a listener on nothing": (("worker", "--listen", "tcp://host:1"), b"", 1),
    "worker cleanup, a bad number": (("worker", "cleanup", "--grace-period", "-1"), b"", 1),
    "worker, a cache that is no directory": (("worker", "--cache=/dev/null"), b"", 1),
    "cache stats, no cache": (("cache", "stats", "--cache", "DIR"), b"", 1),
    "cache verify, no cache": (("cache", "verify", "--cache", "DIR"), b"", 1),
    "cache prune, two sizes": (("cache", "prune", "--all", "--cache-size", "1"), b"", 1),
    "store prune, which runs": (("store", "prune"), b"", 1),
    "store prune, a number below 0": (("store", "prune", "--keep", "-1", "--store", "DIR/x.db"), b"", 1),
    "store export, a store that is not there": (("store", "export", "x", "--store", "DIR/x.db"), b"", 69),
    "store import, no such file": (("store", "import", "DIR/none", "--store", "DIR/x.db"), b"", 1),
    "store import, another file": (("store", "import", __file__, "--store", "DIR/x.db"), b"", 76),
    "process, nothing": (("process", "DIR"), b"", 75),
    "process, an error that is not explained": (("process", "DIR"), FAILED_SILENTLY, 72),
    "process, the same, quietly": (("process", "DIR", "-q"), FAILED_SILENTLY, 72),
    "process, canceled and not explained": (("process", "DIR"), CANCELED_SILENTLY, CANCELED_EXIT_STATUS),
    "runs, no store": (("runs",), b"", 1),
    "runs, a store that is not there": (("runs", "--store", "sqlite:////nowhere/x.db"), b"", 69),
    "show, no store": (("show", "x"), b"", 1),
    "inspect, no such file": (("inspect", "DIR/none"), b"", 1),
    "inspect, a file that is no capture": (("inspect", __file__), b"", 75),
    "replay, no such file": (("replay", "DIR/none"), b"", 1),
    "replay, a file that is no capture": (("replay", __file__), b"", 75),
    "diff, no such run": (("diff", "DIR/none", "DIR/none"), b"", 1),
    "diff, a directory without runs": (("diff", "DIR", "DIR"), b"", 1),
    "report, no such run": (("report", "DIR/none", "-o", "DIR/x.html"), b"", 1),
    "report, a file that is no capture": (("report", __file__, "-o", "DIR/x.html"), b"", 75),
    "extract, no such file": (("extract", "DIR/none", "DIR/x"), b"", 1),
    "extract, a directory that is not empty": (("extract", __file__, "DIR"), b"", 1),
    "show, a store that is not there": (("show", "x", "--store", "sqlite:////nowhere/x.db"), b"", 69),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_line_says_why(stages: Stages, directory: Path, name: str) -> None:
    words, stdin, status = ENDS[name]
    stages.variables["XDG_STATE_HOME"] = str(directory / "none")
    done = stages.call(*(word.replace("DIR", str(directory)) for word in words), stdin=stdin)
    (said,) = done.stderr.decode().splitlines()
    assert done.returncode == status, said
    assert said.startswith("playstream ")
    assert ": " in said


def test_a_command_line_that_cannot_be_understood(stages: Stages) -> None:
    """argparse shows the usage above the line."""
    for name in COMMANDS:
        done = stages.call(name, "--no-such-flag")
        assert done.returncode == 2
        assert done.stderr.decode().splitlines()[-1].startswith("playstream"), name


@pytest.mark.parametrize(
    "words", [("run", "HANG", "-p", "hang.yml", "-i", "x"), ("transmit", "HANG", "-p", "hang.yml", "--hold")]
)
def test_a_command_that_is_canceled_says_so(fakes: Stages, hanging: Path, words: Sequence[str]) -> None:
    process = fakes.start(*(str(hanging) if word == "HANG" else word for word in words))
    assert process.stdout is not None
    assert process.stdout.read(1)  # it is under way: output, or the beginning of the stream
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stderr.decode()) == _canceled(words[0])


def _canceled(command: str) -> tuple[int, str]:
    return CANCELED_EXIT_STATUS, f"playstream {command}: canceled by SIGTERM\n"


@pytest.mark.parametrize("when", ["before the job", "while it runs"])
def test_a_worker_that_is_canceled_says_so(fakes: Stages, hanging: Path, when: str) -> None:
    process = fakes.start("worker")
    assert process.stdin is not None
    assert process.stdout is not None
    if when == "while it runs":
        process.stdin.write(fakes.transmit(hanging, "-p", "hang.yml"))
        process.stdin.flush()
        assert process.stdout.read(1)
    else:
        wait_until(lambda: bool(fakes.leftovers()))
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stderr.decode()) == _canceled("worker")


@pytest.mark.parametrize(
    ("code", "told", "status", "words"),
    [
        (1, True, 1, ""),
        (3, False, 3, "with exit status 3"),
        (0, False, 71, "with exit status 0"),
        (0, True, 71, "with exit status 0"),
        (-9, False, 137, "by signal 9"),
        (-15, True, 143, "by signal 15"),
    ],
)
def test_a_run_in_the_background_that_ended_at_once(
    code: int, told: bool, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended_early(code, explained=told) == status
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == (1 if words else 0)


def test_a_directory_that_cannot_be_removed(stages: Stages, tmp_path: Path) -> None:
    """A file system that is mounted there stays, also for root."""
    directory = tmp_path / "job_1"
    (directory / "mounted").mkdir(parents=True)
    prefix = (*MOUNTS_ALONE, "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(directory / "mounted"))
    process = stages.start(
        "worker", "cleanup", "--file-pattern", str(tmp_path / "job_*"), "--grace-period", "0", prefix=prefix
    )
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    (said,) = stderr.decode().splitlines()
    assert process.returncode == 71, said
    assert said.startswith(f"playstream worker cleanup: {directory} cannot be removed")


@pytest.mark.parametrize("words", [(), ("-x",), ("none.py",), ("-m",), ("-m", "no.such.module")])
def test_a_program_for_compat_that_is_not_there(words: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "playstream.compat", *words], capture_output=True, check=False, timeout=LIMIT_SECONDS
    )
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[0].startswith("playstream.compat: ")
