"""run_command() and the get_…() functions."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

import pytest

import playstream
from playstream.compat import ansible_runner
from playstream.interface.ansible_queries import _start_of_json
from playstream.pipeline.errors import ConfigurationError, ExecutableNotFound, JobError
from tests.interface.programs import fake, leftovers, run_program


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_output_and_errors_apart(temporary: Path) -> None:
    done = playstream.run_command("sh", ["-c", "echo out; echo err >&2; exit 3"], runner_mode="subprocess")
    assert done == ("out\n", "err\n", 3)
    assert leftovers(temporary) == []


def test_on_a_terminal_they_are_one(capfd: pytest.CaptureFixture[str]) -> None:
    done = playstream.run_command("sh", ["-c", "echo out; echo err >&2; test -t 0 -a -t 1 -a -t 2"])
    assert done == ("out\nerr\n", "", 0)
    assert capfd.readouterr().out == "out\nerr\n"
    done = playstream.run_command("sh", ["-c", "echo out"], quiet=True)
    assert done == ("out\n", "", 0)
    assert capfd.readouterr().out == ""


def test_output_of_another_program_is_no_event(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["-c", r"""printf '{"a": "\033[31mb"}\n\033[2Jtext\nend'"""]
    done = playstream.run_command("sh", words, json_mode=True)
    assert done == ('{"a": "\x1b[31mb"}\n\x1b[2Jtext\nend', "", 0)
    assert capfd.readouterr().out == '{"a": "\x1b[31mb"}\x1b[0m\n\\x1b[2Jtext\nend\n'


def test_events_of_ansible_among_lines_of_text(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("- {hosts: localhost, gather_facts: false, tasks: [{debug: }]}\n")
    words = [str(tmp_path / "site.yml"), "-i", "localhost,", "-c", "local", "-v"]
    output, _, rc = playstream.run_command("ansible-playbook", words, json_mode=True, quiet=True)
    text = [line for line in output.splitlines() if not line.startswith("{")]
    events = [json.loads(line)["event"] for line in output.splitlines() if line.startswith("{")]
    assert (rc, "onfig file" in text[0]) == (0, True)
    assert (events[0], events[-1]) == ("playbook_on_start", "playbook_on_stats")


def test_no_shell_has_a_part_in_it() -> None:
    words = ["$HOME", "a b", "'", ";", "`id`", "*", ""]
    done = playstream.run_command("printf", ["<%s>", *words], runner_mode="subprocess")
    assert done == ("".join(f"<{word}>" for word in words), "", 0)


def test_the_callers_descriptors(tmp_path: Path) -> None:
    before = open_descriptors()
    (tmp_path / "in").write_text("some text\n")
    with (tmp_path / "in").open() as given, (tmp_path / "out").open("w") as out, (tmp_path / "err").open("wb") as err:
        out.write("before, ")
        done = playstream.run_command(
            "sh", ["-c", "cat; echo bad >&2"], input_fd=given, output_fd=out, error_fd=err.fileno()
        )
        out.write("after")
    assert done == ("", "", 0)
    assert (tmp_path / "out").read_text() == "before, some text\nafter"
    assert (tmp_path / "err").read_text() == "bad\n"
    null = os.open(os.devnull, os.O_WRONLY)
    done = playstream.run_command("sh", ["-c", "echo out; echo err >&2"], error_fd=null)
    os.close(null)
    assert done == ("out\n", "", 0)
    assert open_descriptors() == before


def test_nothing_to_read_when_there_is_no_input() -> None:
    assert playstream.run_command("cat", runner_mode="subprocess") == ("", "", 0)


def test_much_output_from_both() -> None:
    program = "import sys\nfor _ in range(2000): print('o' * 999); print('e' * 999, file=sys.stderr)"
    out, err, rc = playstream.run_command(sys.executable, ["-c", program], runner_mode="subprocess")
    assert (len(out), len(err), rc) == (2_000_000, 2_000_000, 0)


def test_environment_directory_and_handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []
    out, _, rc = playstream.run_command(
        "sh",
        ["-c", "pwd; echo $WORD"],
        runner_mode="subprocess",
        envvars={"WORD": "x y"},
        status_handler=lambda data, **_: seen.append(data["status"]),
        finished_callback=lambda r: seen.append(r.status),
    )
    assert (out, rc) == (f"{tmp_path}\nx y\n", 0)
    assert seen == ["starting", "running", "successful", "successful"]
    (tmp_path / "elsewhere").mkdir()
    out, _, _ = playstream.run_command("pwd", runner_mode="subprocess", host_cwd="elsewhere")
    assert out == f"{tmp_path}/elsewhere\n"


@pytest.mark.parametrize("options", [{"timeout": 0.3}, {"settings": {"subprocess_timeout": 0.3}}])
def test_a_time_limit(options: dict[str, Any]) -> None:
    out, _, rc = playstream.run_command("sh", ["-c", "echo 1; exec sleep 60"], runner_mode="subprocess", **options)
    assert (out, rc) == ("1\n", 254)


@pytest.mark.parametrize("run", [playstream.run_command, ansible_runner.run_command], ids=["playstream", "compat"])
def test_a_command_that_could_not_be_watched_to_its_end_is_no_success(run: Any) -> None:
    """Its parent is the guard: when that is killed nobody knows how the command ended, and None would pass for 0."""
    _, _, rc = run("sh", ["-c", "kill -9 $PPID; exec sleep 100"])
    assert rc == JobError.exit_status


def test_in_a_thread(tmp_path: Path) -> None:
    thread, runner = playstream.run_command_async("sh", ["-c", "echo out; echo err >&2"], runner_mode="subprocess")
    thread.join()
    assert (runner.status, runner.rc) == ("successful", 0)
    with runner.stdout as out, runner.stderr as err:
        assert (out.read(), err.read()) == ("out\n", "err\n")


def test_the_last_status_comes_after_the_output() -> None:
    """Programs poll the status and then read; more than once, for it is a matter of milliseconds."""
    for _ in range(10):
        thread, runner = playstream.run_command_async("echo", ["x"], runner_mode="subprocess")
        while runner.status not in {"successful", "failed", "error"}:
            time.sleep(0.0005)
        with runner.stdout as out, runner.stderr as err:
            assert (out.read(), err.read()) == ("x\n", "")
        thread.join()


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        (("",), {}, "executable_cmd: expected the name of a program"),
        ((7,), {}, "executable_cmd: expected the name of a program, got 7"),
        (("ls", "-l"), {}, "cmdline_args: expected a list of strings"),
        (("ls", [1]), {}, "cmdline_args: expected a list of strings"),
        (("ls",), {"inventory": "x"}, r"run_command\(\) got an unexpected keyword argument 'inventory'"),
        (("ls",), {"input_fd": __import__("io").StringIO("x")}, "input_fd: expected a file with a descriptor"),
        (("ls",), {"error_fd": 2, "runner_mode": "pexpect"}, "error_fd requires runner_mode='subprocess'"),
        (("ls",), {"output_fd": 1, "runner_mode": "pexpect"}, "output_fd requires runner_mode='subprocess'"),
        (("ls",), {"runner_mode": "shell"}, "runner_mode: expected 'pexpect' or 'subprocess'"),
    ],
)
def test_bad_input(temporary: Path, arguments: tuple[Any, ...], options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        playstream.run_command(*arguments, **options)
    assert leftovers(temporary) == []


def test_a_missing_program_leaves_nothing(temporary: Path) -> None:
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(ExecutableNotFound, match="no-such-program was not found"):
            playstream.run_command("no-such-program", runner_mode="subprocess")
    assert open_descriptors() == before
    assert leftovers(temporary) == []


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    playstream.run_command("true", runner_mode="subprocess")
    before = open_descriptors()
    modes: list[Literal["subprocess", "pexpect"]] = ["subprocess", "pexpect"]
    for mode in modes:
        for _ in range(3):
            playstream.run_command("true", runner_mode=mode, quiet=True)
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("get_plugin_docs", {"plugin_names": "debug"}, "plugin_names: expected a list of strings, got str"),
        ("get_plugin_docs", {"plugin_names": ["x"], "response_format": "xml"}, "response_format: expected one of json"),
        ("get_plugin_list", {"response_format": "yaml"}, "response_format: expected one of json, human"),
        ("get_inventory", {"action": "show", "inventories": []}, "action: expected one of graph, host, list"),
        ("get_inventory", {"action": "host", "inventories": []}, "host: expected the name of a host"),
        (
            "get_inventory",
            {"action": "graph", "inventories": [], "response_format": "yaml"},
            "response_format: expected",
        ),
        ("get_ansible_config", {"action": "edit"}, "action: expected one of list, dump, view"),
        ("get_ansible_config", {"action": "list", "only_changed": True}, "only_changed requires action 'dump'"),
        ("get_role_list", {"colection": "a.b"}, r"unexpected keyword argument 'colection'"),
    ],
)
def test_bad_questions(function: str, arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        getattr(playstream, function)(**arguments)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that answer with the words they were asked with."""
    for name in ("ansible-doc", "ansible-inventory", "ansible-config"):
        fake(tmp_path, 'echo "${0##*/} $@"; echo "a warning" >&2', name)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("asked")
def test_the_words_of_questions() -> None:
    p = playstream
    options: dict[str, Any] = {"plugin_type": "lookup", "snippet": True, "playbook_dir": "/x", "module_path": "y"}
    assert p.get_plugin_docs(["a.b.c", "d"], **options) == (
        "ansible-doc -t lookup --playbook-dir /x -M y -s a.b.c d\n",
        "a warning\n",
    )
    assert p.get_plugin_list(list_files=True, plugin_type="become")[0] == "ansible-doc -F -t become\n"
    assert p.get_inventory("host", ["a", "b"], host="n", response_format="yaml", vault_ids="v", export=True)[0] == (
        "ansible-inventory --host n -i a -i b --yaml --vault-id v --export\n"
    )
    files = {"output_file": "/o", "vault_password_file": "/v"}
    assert p.get_inventory("graph", ["a"], **files)[0] == (  # type: ignore[arg-type]
        "ansible-inventory --graph -i a --vault-password-file /v --output /o\n"
    )
    assert p.get_ansible_config("view", config_file="/c")[0] == "ansible-config view -c /c\n"
    with pytest.raises(JobError, match=r"ansible-doc did not print valid JSON.*a warning"):
        p.get_role_list(playbook_dir="/x")


def test_json_behind_warnings() -> None:
    text = '[WARNING]: strange\n more of it\n{"a": 1}\n'
    assert text[_start_of_json(text) :] == '{"a": 1}\n'
    assert _start_of_json("no json") == 0


SIGNALS = """
import os, signal, sys
import playstream
os.setpgid(0, 0)
print(playstream.run_command("sh", ["-c", "kill -INT 0; sleep 0.2; echo alive"], runner_mode="subprocess"))
"""


def test_a_command_has_a_session_of_its_own(tmp_path: Path) -> None:
    """What it does to its process group is not done to the caller."""
    done = run_program(SIGNALS, temporary=tmp_path)
    assert done.returncode == 0
    assert "130" in done.stdout
