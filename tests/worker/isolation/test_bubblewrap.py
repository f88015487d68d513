"""Jobs in real sandboxes of bubblewrap's, with the callback plugin in them and its pipes outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from playstream.pipeline.errors import ExecutableNotFound
from playstream.pipeline.job.isolation import Isolation
from playstream.worker.command import Command
from playstream.worker.isolation.sandbox import make_sandbox
from tests.processes import marked_processes, wait_until
from tests.worker.isolation.inside import IDENT, Inside, make_paths, wait_for_task, wait_for_text

SITE = """\
- hosts: all
  gather_facts: false
  vars_prompt: [{name: colour, prompt: "Colour", private: false}]
  tasks:
  - name: facts
    set_fact: {cacheable: true, colour: blue}
  - name: processes
    command: sh -c 'ls -d /proc/[0-9]* | wc -l; echo $$; pwd'
  - name: go
    wait_for: {path: "{{ playbook_dir }}/go", timeout: 30, sleep: 1}
"""


def isolate(**settings: object) -> Isolation:
    return Isolation(executable="bwrap", **settings)  # type: ignore[arg-type]


def run_shell(tmp_path: Path, isolation: Isolation, script: str) -> list[str]:
    """The lines that a script prints inside."""
    paths = make_paths(tmp_path)
    inside = Inside(make_sandbox(isolation, paths, IDENT), paths, argv=("sh", "-c", script))
    assert inside.wait() == 0, inside.text
    return inside.text.split("\r\n")[:-1]


def test_ansible_runs_inside_and_asks_its_questions(tmp_path: Path, home: Path) -> None:
    paths = make_paths(tmp_path, SITE)
    inside = Inside(make_sandbox(isolate(), paths, IDENT), paths)
    wait_for_text(inside, "Colour")
    os.write(inside.terminal, b"blue\n")
    wait_for_task(inside, "go")
    count, pid, cwd = inside.results("processes")[0]["stdout_lines"]
    assert int(count) < 15, "the host's processes are not seen"
    assert int(pid) < 1000
    assert cwd == str(paths.project)
    (paths.project / "go").touch()
    assert inside.wait() == 0, inside.text
    assert inside.events[-1]["event"] == "playbook_on_stats"
    assert list((paths.artifact_dir / "fact_cache").iterdir())
    assert [item.name for item in home.iterdir()] == ["private"], "Ansible's own files are in a home of the sandbox's"
    assert not marked_processes(tmp_path)


def test_of_the_host_only_the_system_and_the_job_are_seen(tmp_path: Path, home: Path) -> None:
    (tmp_path / "other").mkdir()
    lines = run_shell(
        tmp_path,
        isolate(),
        f"ls {tmp_path} {tmp_path}/playstream-spool | cat; ls -A $HOME /tmp | cat; touch /usr/new 2>&1;"
        "touch $HOME/mine /tmp/mine ../inventory/ours",
    )
    # The job's places are there, and Ansible's, wherever it is installed.
    needed = [place for place in (tmp_path, Path(sys.prefix)) if place.is_relative_to("/tmp")]
    seen_in_tmp = sorted({place.relative_to("/tmp").parts[0] for place in needed})
    assert lines == [
        f"{tmp_path}:",
        "home",
        "playstream-spool",
        "",
        f"{tmp_path}/playstream-spool:",
        "data",
        "run",
        "/tmp:",
        *seen_in_tmp,
        "",
        f"{home}:",
        "touch: cannot touch '/usr/new': Read-only file system",
    ]
    assert (tmp_path / "playstream-spool/data/inventory/ours").exists()
    assert not Path("/tmp/mine").exists()
    assert [item.name for item in home.iterdir()] == ["private"]


def test_paths_are_hidden_read_only_and_shown(tmp_path: Path) -> None:
    for name in ("hidden", "read", "shown", "shown/secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"{name}\n")
    (tmp_path / "link").symlink_to("read")
    isolation = isolate(
        hide_paths=("/etc/hostname", str(tmp_path / "shown/secret"), str(tmp_path / "nowhere"), "/opt"),
        ro_paths=(str(tmp_path / "link"),),
        show_paths=(str(tmp_path / "shown"),),
    )
    lines = run_shell(
        tmp_path,
        isolation,
        f"cd {tmp_path}; cat /etc/hostname; ls -A /opt shown/secret | cat; cat read/file shown/file; ls hidden 2>&1;"
        "touch read/new 2>&1; touch shown/new shown/secret/new; true",
    )
    assert lines == [
        "/opt:",
        "",
        "shown/secret:",
        "read",
        "shown",
        "ls: cannot access 'hidden': No such file or directory",
        "touch: cannot touch 'read/new': Read-only file system",
    ]
    assert sorted(item.name for item in (tmp_path / "shown").iterdir()) == ["file", "new", "secret"]
    assert [item.name for item in (tmp_path / "shown/secret").iterdir()] == ["file"]
    assert Path("/etc/hostname").exists()


def test_the_isolation_path_is_private_and_stays(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    (staging / "precious").touch()
    lines = run_shell(tmp_path, isolate(isolation_path=str(staging)), f"ls -A {staging}; touch {staging}/mine")
    assert lines == []
    assert [item.name for item in staging.iterdir()] == ["precious"]


def test_what_was_left_running_ends_with_the_job(tmp_path: Path) -> None:
    assert run_shell(tmp_path, isolate(), "setsid sleep 1000 & echo started; exec true") == ["started"]
    wait_until(lambda: not marked_processes(tmp_path), 3)


def test_the_return_code_is_the_jobs(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    sandbox = make_sandbox(isolate(), paths, IDENT)
    assert (sandbox.inherits_env, sandbox.cleanup) == (True, ())
    assert Inside(sandbox, paths, argv=("sh", "-c", "exit 4")).wait() == 4


def test_the_loader_of_bwrap_is_not_the_jobs(tmp_path: Path, home: Path) -> None:
    """LD_DEBUG has each program that is started leave a file; LD_PRELOAD would have bwrap run code of the job's."""
    traces = tmp_path / "traces"
    traces.mkdir()
    variables = {
        "LD_DEBUG": "files",
        "LD_DEBUG_OUTPUT": str(traces / "of"),
        "BASH_ENV": "/x",
        "PYTHONPATH": "/y",
        "PATH": "/usr/bin",
        "BASH_FUNC_x%%": "() { :; }",
        "my.name": "1",
        "EMPTY": "",
        "TEXT": "a\nb=ü",
        "LC_ALL": "C",
    }
    paths = make_paths(tmp_path)
    inside = Inside(
        make_sandbox(isolate(), paths, IDENT),
        paths,
        variables,
        argv=(
            "/usr/bin/env",
            "-u",
            "LD_DEBUG",
            sys.executable,
            "-I",
            "-S",
            "-c",
            "import sys; data = open('/proc/self/environ', 'rb').read(); print(data.hex())",
        ),
    )
    assert inside.wait() == 0, inside.text
    seen = dict(line.split(b"=", 1) for line in bytes.fromhex(inside.text.split()[-1]).split(b"\0") if line)
    expected = {name: value for name, value in inside.command.env.items() if name != "LD_DEBUG"}
    expected["PWD"] = str(inside.command.cwd)  # by bwrap
    assert seen == {name.encode(): os.fsencode(value) for name, value in expected.items()}
    assert variables.items() <= inside.command.env.items()
    assert list(traces.iterdir()) == []


def test_a_program_that_is_nowhere_is_named(tmp_path: Path) -> None:
    sandbox = make_sandbox(isolate(), make_paths(tmp_path), IDENT)
    with pytest.raises(ExecutableNotFound, match="ansible-nowhere"):
        sandbox.enclose(Command(("ansible-nowhere",), {"PATH": "/usr/bin"}, tmp_path))


@pytest.mark.parametrize("name", ["venv/bin/python3", "links/tool"])
def test_a_virtual_environment_anywhere_is_found(name: str, tmp_path: Path, home: Path) -> None:
    venv.create(home / "venv", symlinks=True, with_pip=False)
    (home / "venv/bin/tool").write_text(f"#!{home}/venv/bin/python3\nimport sys; print(sys.prefix)\n")
    (home / "venv/bin/tool").chmod(0o755)
    (home / "links").mkdir()
    (home / "links/tool").symlink_to(home / "venv/bin/tool")
    paths = make_paths(tmp_path)
    words = (str(home / name), *(("-c", "import sys; print(sys.prefix)") if name.endswith("3") else ()))
    for argv in (words, ("env", *words)) if name.endswith("3") else (words,):
        command = make_sandbox(isolate(), paths, IDENT).enclose(Command(argv, os.environ, paths.project))
        done = subprocess.run(command.argv, env=command.start_env, cwd=command.cwd, check=True, capture_output=True)
        assert done.stdout.decode() == f"{home}/venv\n"
        shutil.rmtree(paths.spool / "sandbox")
