"""ansible-runner's command lines with `playstream` in the place of `ansible-runner`: both run, and compared.

What differs on purpose is in test_ansible_runner_differences.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from playstream.cli.job_options import job_options
from playstream.cli.main import parse
from tests.ansible_runner_env import ansible_runner_python
from tests.cli.side_by_side import GREET, Side, both, call_both, make_directory
from tests.stages import read_events

Env = dict[str, str]
SITE = "run demo -p site.yml"

SAME_COMMAND: tuple[tuple[str, Env], ...] = (
    (SITE + " -i 7 --limit localhost --forks 3 -vvv --cmdline '--tags x --check' --rotate-artifacts 2", {}),
    ("run -i 7 -p site.yml --omit-env-files -q demo -vv", {}),
    ("run demo --play site.yml --lim localhost --rot 3 --only --omit-ev --omit-env --id 7 --qu", {}),
    (SITE + " --cmdline=--check --inventory hosts -v -v", {}),
    (SITE + " --inventory demo/inventory/hosts --cmdline '-e a=1'", {}),
    (SITE + " --inventory elsewhere/hosts", {}),
    (SITE + " --inventory HERE/elsewhere/hosts", {}),
    (SITE + " --project-dir elsewhere/project --artifact-dir arts", {}),
    (SITE + " -a x --role-vars a=b --role-skip-facts --roles-path HERE/elsewhere/roles", {}),
    (SITE + " --process-isolation-executable podman --process-isolation-path /tmp -j", {}),
    ("run demo -r greet --hosts localhost --role-vars \"who=1 what='x'\" --role-skip-facts", {}),
    ("run demo --rotate-artifacts 20 --role other --roles-path HERE/elsewhere/roles/ --hosts localhost -i 8 -vv", {}),
    ("run made -m ping -a 'data=x y' --hosts localhost --forks 1", {}),
    ("run demo", {"RUNNER_PLAYBOOK": "site.yml"}),
    ("run demo", {"RUNNER_ROLE": "greet", "ANSIBLE_ROLES_PATH": "HERE/elsewhere/roles"}),
    ("run made --hosts localhost -a data=x", {"RUNNER_MODULE": "ping"}),
    (SITE, {"EXIT_STATUS": "2"}),
    (SITE, {"EXIT_STATUS": "250"}),
)
SAME_REFUSAL: tuple[tuple[str, int], ...] = (
    ("", 2),
    ("nonsense", 2),
    ("run", 2),
    ("process", 2),
    ("worker nonsense", 2),
    ("run demo -p site.yml -m ping", 2),
    (SITE + " --rotate-artifacts x", 2),
    (SITE + " --nonsense", 2),
    ("process demo -p site.yml", 2),
    ("worker --keepalive-seconds x", 2),
    ("worker cleanup --grace-period x", 2),
    ("run demo", 1),
    ("transmit demo", 1),
    ("start demo", 1),
    (SITE + " --hosts x", 1),
    ("transmit demo -p site.yml --hosts x", 1),
    (SITE + " --inventory nowhere", 1),
    (SITE + " --process-isolation", 1),
    (SITE + " --process-isolation --process-isolation-executable nonesuch", 1),
    (SITE + " -b /nowhere/ansible", 127),
    ("stop demo", 1),
    ("is-alive demo", 1),
    ("is-alive nowhere", 1),
    ("worker cleanup --file-pattern '/*'", 1),
    ("--version", 0),
    ("run --version", 0),
    ("worker cleanup --help", 0),
)


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Side, Side]:
    return both(tmp_path)


@pytest.mark.parametrize(("line", "env"), SAME_COMMAND, ids=lambda value: value if isinstance(value, str) else "")
def test_the_same_command_is_run(sides: tuple[Side, Side], line: str, env: Env) -> None:
    for side in sides:
        folder = side.home / "demo" / "env"
        folder.mkdir()
        for name, text in (("extravars", "b: 2"), ("envvars", "COLOR: red"), ("cmdline", "--diff")):
            (folder / name).write_text(text)
    theirs, ours = call_both(sides, line, **env)
    assert ours.started == theirs.started, ours.stderr
    assert theirs.started is not None
    assert ours.exit_status == theirs.exit_status
    assert "Traceback" not in ours.stderr
    if "-i " in line:
        assert ours.files() == theirs.files()
    if "-q" in line:
        assert ours.stdout == theirs.stdout == ""


@pytest.mark.parametrize(("line", "exit_status"), SAME_REFUSAL)
def test_the_same_exit_status_without_a_run(sides: tuple[Side, Side], line: str, exit_status: int) -> None:
    theirs, ours = call_both(sides, line)
    assert (theirs.exit_status, ours.exit_status) == (exit_status, exit_status), ours.stderr
    assert theirs.started is None
    assert ours.started is None


@pytest.mark.parametrize(
    ("line", "exit_status"),
    [
        (SITE, 0),
        (SITE + " --cmdline '-e broken=1'", 2),
        ("run demo -m debug -a msg=hi --hosts localhost", 0),
        ("run demo -r greet --role-skip-facts --only-failed-event-data", 0),
        ("run demo -r inner --role-skip-facts --roles-path 'own roles'", 0),
    ],
)
def test_real_runs_leave_the_same(sides: tuple[Side, Side], line: str, exit_status: int) -> None:
    for side in sides:
        tasks = side.home / "demo" / "project" / "own roles" / "inner" / "tasks"
        tasks.mkdir(parents=True)
        (tasks / "main.yml").write_text(GREET)
    theirs, ours = call_both(sides, line + " -i 7", real=True)
    assert (theirs.exit_status, ours.exit_status) == (exit_status, exit_status), ours.stderr
    assert ours.files() == theirs.files()
    kept = []
    for side in sides:
        artifacts = side.home / "demo" / "artifacts" / "7"
        events = read_events(artifacts)
        stats = next(event["event_data"] for event in events if event["event"] == "playbook_on_stats")
        counts = {
            name: stats.get(name)
            for name in ("ok", "changed", "dark", "failures", "ignored", "processed", "rescued", "skipped")
        }
        names = [(event["counter"], event["event"]) for event in events]
        texts = [(artifacts / name).read_text() for name in ("rc", "status")]
        kept.append((texts, counts, names, sorted(json.loads((artifacts / "command").read_text()))))
    assert kept[0] == kept[1]


def test_a_container(sides: tuple[Side, Side]) -> None:
    line = (
        f"{SITE} --limit localhost --process-isolation --container-image quay.io/a/b:1 --container-volume-mount "
        "HERE/elsewhere:/b:ro --container-option=--network=none --container-option=--userns=keep-id"
    )
    for side, outcome in zip(sides, call_both(sides, line), strict=True):
        assert outcome.exit_status == 0, outcome.stderr
        words = (side.home / "podman").read_text().splitlines()
        image = words.index("quay.io/a/b:1")
        assert {"--rm", "--tty", "--interactive", "--network=none", "--userns=keep-id"} <= set(words[:image])
        assert words[words.index("--workdir") + 1] == "/runner/project"
        assert f"{side.home}/elsewhere:/b:ro" in words[:image]
        assert words[words.index("ansible-playbook") :] == [
            "ansible-playbook",
            "-i",
            "/runner/inventory",
            "--limit",
            "localhost",
            "site.yml",
        ]


def test_bwrap(sides: tuple[Side, Side]) -> None:
    line = (
        f"{SITE} --process-isolation --process-isolation-executable bwrap --process-isolation-hide-paths /opt "
        "--process-isolation-show-paths HERE/elsewhere --process-isolation-ro-paths /srv "
        "--directory-isolation-base-path HERE/tmp"
    )
    for side, outcome in zip(sides, call_both(sides, line), strict=True):
        assert outcome.exit_status == 0, outcome.stderr
        text = (side.home / "bwrap").read_text().replace("\n", " ")
        shown = f"{side.home}/elsewhere"
        for part in ("--unshare-pid", f"--bind {shown} {shown} ", "--ro-bind /srv /srv ", f"--chdir {side.home}/tmp/"):
            assert part in text
        assert re.search(r"--bind \S+ /opt ", text)
        assert text.endswith(f"ansible-playbook -i {side.home}/demo/inventory site.yml ")


@pytest.mark.parametrize("words", ["-p site.yml --inventory demo/inventory/hosts -v", "-r greet --hosts localhost"])
@pytest.mark.parametrize("exit_status", [0, 2])
def test_three_stages(sides: tuple[Side, Side], words: str, exit_status: int) -> None:
    found = []
    for side in sides:
        job = side.pipe(f"transmit demo {words}")
        run = side.pipe("worker --keepalive-seconds 5", stdin=job.stdout, EXIT_STATUS=str(exit_status))
        done = side.call("process demo -i 7", stdin=run.stdout)
        found.append((job.returncode, run.returncode, done.files()))
        assert done.exit_status == (0 if "theirs" in str(side.home) else exit_status)
        assert (side.home / "demo/artifacts/7/status").read_text() == ("failed" if exit_status else "successful")
    assert found[0] == found[1]
    assert found[0][:2] == (0, exit_status)


def test_what_is_sent_is_looked_for_in_the_directory_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_directory(tmp_path / "demo")
    (tmp_path / "hosts").touch()
    monkeypatch.chdir(tmp_path)
    found = [
        job_options(parse([command, "demo", "-p", "site.yml", "--inventory", "hosts"]))["inventory"]
        for command in ("transmit", "run")
    ]
    assert found == [["hosts"], [str(tmp_path / "hosts")]]


def test_in_the_background(sides: tuple[Side, Side]) -> None:
    for side in sides:
        started, release = side.home / "started", side.home / "release"
        os.mkfifo(started)
        os.mkfifo(release)
        keeper = os.open(release, os.O_RDWR)
        assert (
            side.call(SITE.replace("run", "start") + " -i 7", STARTED=str(started), RELEASE=str(release)).exit_status
            == 0
        )
        started.read_text()  # until it has been opened for writing
        assert [side.call(f"{word} demo").exit_status for word in ("is-alive", "stop", "is-alive", "stop")] == [
            0,
            0,
            1,
            1,
        ], side.home
        os.close(keeper)
    theirs, ours = (side.home / "demo" for side in sides)
    assert not (theirs / "artifacts/7/status").exists()
    assert (ours / "artifacts/7/status").read_text() == "canceled"
    assert ((theirs / "daemon.log").exists(), (ours / "daemon.log").exists()) == (True, False)


_LIST_FLAGS = """\
import argparse, json, sys
from ansible_runner import __main__ as face
parsers = []
make = argparse.ArgumentParser.__init__
def note(self, *words, **options):
    parsers.append(self)
    make(self, *words, **options)
argparse.ArgumentParser.__init__ = note
try:
    face.main(["--version"])
except SystemExit:
    pass
json.dump({p.prog: [[a.option_strings, a.nargs] for a in p._actions if a.option_strings] for p in parsers}, sys.stderr)
"""


def test_every_flag_is_known_and_so_is_what_is_short_for_it() -> None:
    done = subprocess.run([ansible_runner_python(), "-c", _LIST_FLAGS], capture_output=True, check=True)
    commands: dict[str, list[Any]] = json.loads(done.stderr)
    assert len(commands) == 9
    checked = 0
    for prog, flags in commands.items():
        command = prog.split()[1:]
        if not command:
            continue
        command = [*command, *([] if command[0] == "worker" else ["DIR"])]
        names = [name for option_strings, _ in flags for name in option_strings]
        for option_strings, nargs in flags:
            if option_strings[-1] in {"--help", "--version"}:
                continue
            value = [] if nargs == 0 else ["3"]
            for replaces in (False, True):
                meant = _values([*command, option_strings[-1], *value], replaces)
                for name in {*option_strings, _shortest(option_strings[-1], names)}:
                    if name == "--on" and not replaces:
                        continue  # short for --only-failed-event-data, and a flag of ours
                    assert _values([*command, name, *value], replaces) == meant, (command, name)
                    checked += 1
    assert checked > 250


def _values(words: list[str], replaces: bool = False) -> dict[str, Any]:
    found = vars(parse(words, as_ansible_runner=replaces))
    return {name: value for name, value in found.items() if name not in {"words", "usage_error", "for_cleanup"}}


def _shortest(name: str, names: list[str]) -> str:
    """The shortest abbreviation of a flag among others."""
    if not name.startswith("--"):
        return name
    return next(
        name[:end]
        for end in range(3, len(name) + 1)
        if name[:end] == name or sum(other.startswith(name[:end]) for other in names) == 1
    )
