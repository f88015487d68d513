"""Jobs in real containers of podman's, with the callback plugin in them and its pipes outside."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from playstream.pipeline.job.isolation import Isolation, RegistryAuth
from playstream.worker.command import Command
from playstream.worker.isolation.containers import Container
from playstream.worker.isolation.sandbox import make_sandbox
from playstream.worker.killing import kill_marked
from tests.processes import children, marked_processes, wait_until
from tests.worker.isolation.conftest import list_containers, podman
from tests.worker.isolation.image import IMAGE
from tests.worker.isolation.inside import IDENT, Inside, make_paths, wait_for_task, wait_for_text

# A network of its own would need CNI plugins, which say nothing about these jobs.
ISOLATION = Isolation(image=IMAGE, options=("--network=none",))
SITE = """\
- hosts: all
  gather_facts: false
  tasks:
  - name: facts
    set_fact: {cacheable: true, colour: blue}
  - name: who
    command: sh -c 'id -u; pwd; echo "$HOME"; test -w "$HOME" && echo writable'
  - name: variable
    debug: msg="{{ lookup('env', 'SECRET') }}"
  - name: extra
    debug: msg="{{ greeting }}"
  - name: go
    wait_for: {path: /runner/project/go, timeout: 30, sleep: 1}
  - name: end
    debug:
"""
SLEEPING = """\
- hosts: all
  gather_facts: false
  tasks:
  - name: sleep
    command: sleep 1000
"""
MULTILINE = "line 1\nline 2 'quoted' \"twice\" $HOME\n\nlast ü"


@pytest.mark.parametrize("user", [None, "1234:100"])
def test_ansible_runs_in_the_container_as_any_user(
    user: str | None, tmp_path: Path, podman_storage: dict[str, str]
) -> None:
    paths = make_paths(tmp_path, SITE)
    isolation = dataclasses.replace(
        ISOLATION, options=(*ISOLATION.options, *([] if user is None else [f"--user={user}"]))
    )
    sandbox = make_sandbox(isolation, paths, IDENT)
    env = {"SECRET": MULTILINE, "PATH": "/usr/local/bin:/usr/bin"}
    inside = Inside(sandbox, paths, env, extravars={"greeting": "hi"})
    wait_for_task(inside, "go")
    assert inside.results("extra")[0]["msg"] == "hi", "events come while the job runs"
    (paths.project / "go").touch()
    assert inside.wait() == 0, inside.text
    uid, cwd, home, writable = inside.results("who")[0]["stdout_lines"]
    assert uid == (user or "0").split(":")[0]
    assert (cwd, writable) == ("/runner/project", "writable")
    assert home == ("/root" if user is None else "/runner/.playstream/home")
    assert inside.results("variable")[0]["msg"] == MULTILINE
    assert inside.events[-1]["event"] == "playbook_on_stats"
    assert list((paths.artifact_dir / "fact_cache").iterdir()), "facts are in the artifacts"
    assert list_containers(podman_storage) == []
    for words in sandbox.cleanup:
        subprocess.run(words, env=inside.command.start_env, check=True, capture_output=True)
    shutil.rmtree(paths.spool)  # whoever wrote what is there


def test_no_secret_is_on_the_command_line_or_in_a_file(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    paths = make_paths(tmp_path, SITE)
    (paths.project / "go").touch()
    sandbox = make_sandbox(ISOLATION, paths, IDENT)
    inside = Inside(sandbox, paths, {"SECRET": MULTILINE}, extravars={"greeting": "hi"})
    wait_for_task(inside, "who")
    assert not any("line 2" in word for word in inside.command.argv)
    assert inside.wait() == 0, inside.text
    # podman's own database, private like its images, keeps a container's variables; it shows no others.
    storage = Path(podman_storage["CONTAINERS_CONF"]).parent
    places = [paths.spool, storage / "run", *(storage / "images").glob("*-containers"), storage / "images" / "libpod"]
    words = ["grep", "--recursive", "--files-with-matches", "--exclude=bolt_state.db", "--exclude=db.sql", "line 2"]
    found = subprocess.run([*words, *places], check=False, capture_output=True, text=True)
    assert found.stdout == ""


def test_a_killed_client_leaves_no_container(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    paths = make_paths(tmp_path, SLEEPING)
    sandbox = make_sandbox(ISOLATION, paths, IDENT)
    assert isinstance(sandbox, Container)
    inside = Inside(sandbox, paths)
    wait_for_task(inside, "sleep")
    labels = podman(podman_storage, "ps", "--format", "{{.Names}} {{.Labels}}").stdout
    assert sandbox.name in labels
    assert f"playstream.ident:{IDENT}" in labels
    assert f"playstream.spool:{paths.spool}" in labels
    # Without root the client has a child in a user namespace, which would end the container when its parent ends.
    for pid in (*children(inside.process.pid), inside.process.pid):
        os.kill(pid, signal.SIGKILL)
    inside.close()
    assert list_containers(podman_storage) == [sandbox.name]
    assert marked_processes(tmp_path), "the job goes on without its client"
    for command in sandbox.cleanup:
        done = subprocess.run(command, env=inside.command.start_env, check=False, capture_output=True, timeout=5)
        assert done.returncode == 0, done.stderr
    assert list_containers(podman_storage) == []
    wait_until(lambda: not marked_processes(tmp_path), 3)


def test_the_next_worker_ends_a_container_that_worker_and_guard_left(
    tmp_path: Path, podman_storage: dict[str, str]
) -> None:
    paths = make_paths(tmp_path, SLEEPING)
    inside = Inside(make_sandbox(ISOLATION, paths, IDENT), paths)
    wait_for_task(inside, "sleep")
    os.kill(inside.process.pid, signal.SIGKILL)
    inside.close()
    assert kill_marked(paths.spool)
    wait_until(lambda: not marked_processes(tmp_path), 3)
    wait_until(lambda: not list_containers(podman_storage), 10)


def test_cleaning_up_after_nothing_is_no_error(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    for command in make_sandbox(ISOLATION, make_paths(tmp_path), IDENT).cleanup:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_prompt_is_answered_and_the_answer_not_shown(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    paths = make_paths(tmp_path)
    script = "printf 'Colour? '; read answer; test $answer = blue"
    inside = Inside(make_sandbox(ISOLATION, paths, IDENT), paths, argv=("sh", "-c", script))
    wait_for_text(inside, "Colour? ")
    os.write(inside.terminal, b"blue\n")
    assert inside.wait() == 0
    assert "blue" not in inside.text


def test_what_is_seen_inside(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    paths = make_paths(tmp_path)
    data = paths.private_data_dir
    (data / "env" / "envvars").write_text("SECRET: x\n")
    (data / "env" / "credential").write_text("needed\n")
    (data / "requirements.yml").write_text("[]\n")
    (data / "stolen").symlink_to("/etc/hostname")
    (data / "artifacts" / "other").mkdir()
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "key").write_text("a key\n")
    isolation = dataclasses.replace(ISOLATION, volume_mounts=(f"{keys}:/keys:ro",), host_cwd=str(keys))
    sandbox = make_sandbox(isolation, paths, IDENT)
    assert sandbox.seen(data / "project" / "a.yml") == Path("/runner/project/a.yml")
    assert sandbox.seen(data) == Path("/runner")
    assert sandbox.seen(paths.artifact_dir / "fact_cache") == Path("/runner/artifacts", IDENT, "fact_cache")
    assert sandbox.seen(paths.events) == Path("/runner/.playstream/events")
    assert sandbox.seen(Path("/elsewhere")) == Path("/elsewhere")
    script = "pwd; cat /keys/key; touch /keys/new 2>&1; ls -A /runner /runner/env /runner/artifacts | cat"
    inside = Inside(sandbox, paths, argv=("sh", "-c", script))
    assert inside.wait() == 0
    lines = inside.text.split("\r\n")
    assert lines[:2] == [str(keys), "a key"]
    assert "Read-only file system" in lines[2]
    assert lines[3:-1] == [
        "/runner:",
        ".playstream",
        "artifacts",
        "env",
        "inventory",
        "project",
        "requirements.yml",
        "",
        "/runner/artifacts:",
        IDENT,
        "",
        "/runner/env:",
        "credential",
    ]


def test_the_return_code_is_the_jobs(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    paths = make_paths(tmp_path)
    assert Inside(make_sandbox(ISOLATION, paths, IDENT), paths, argv=("sh", "-c", "exit 4")).wait() == 4


def test_pipes_keep_output_and_errors_apart(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    sandbox = make_sandbox(ISOLATION, make_paths(tmp_path), IDENT, tty=False)
    script = "tty; cat; echo error >&2"
    command = sandbox.enclose(Command(("sh", "-c", script), {}, Path("/runner/project")))
    done = subprocess.run(command.argv, env=command.start_env, check=True, input=b"input\n", capture_output=True)
    assert (done.stdout, done.stderr) == (b"not a tty\ninput\n", b"error\n")


def test_variables_of_the_engines_own_reach_the_job_and_not_the_engine(
    tmp_path: Path, podman_storage: dict[str, str]
) -> None:
    paths = make_paths(tmp_path)
    variables = {
        "PATH": "/usr/bin",
        "LD_PRELOAD": "/nowhere.so",
        "XDG_RUNTIME_DIR": "/nowhere",
        "TMPDIR": "/nowhere",
        "CONTAINERS_STORAGE_CONF": "/nowhere",
        "GODEBUG": "x",
        "HOME": "/runner/project",
    }
    inside = Inside(make_sandbox(ISOLATION, paths, IDENT), paths, variables, argv=("env",))
    assert inside.wait() == 0, inside.text
    assert {f"{name}={value}" for name, value in variables.items()} <= set(inside.text.split("\r\n"))


def test_the_loader_of_the_engine_is_not_the_jobs(tmp_path: Path, podman_storage: dict[str, str]) -> None:
    """LD_DEBUG has each program that is started leave a file; LD_PRELOAD would have it run code of the job's."""
    traces = tmp_path / "traces"
    traces.mkdir()
    variables = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(traces / "of"), "BASH_ENV": "/x", "SHELLOPTS": "xtrace"}
    paths = make_paths(tmp_path)
    sandbox = make_sandbox(ISOLATION, paths, IDENT)
    inside = Inside(sandbox, paths, variables, argv=("env",))
    assert inside.wait() == 0, inside.text
    assert sandbox.started
    for words in sandbox.cleanup:
        subprocess.run(words, env=inside.command.start_env, check=True, capture_output=True)
    assert {f"{name}={value}" for name, value in variables.items()} <= set(inside.text.split("\r\n"))
    assert list(traces.iterdir()) == []


@pytest.mark.parametrize("option", ["--entrypoint=/bin/true", "--help"])
def test_an_engine_that_does_something_else_has_not_started_the_job(
    option: str, tmp_path: Path, podman_storage: dict[str, str]
) -> None:
    """Should an engine ever read its words in another way than playstream does."""
    paths = make_paths(tmp_path)
    sandbox = make_sandbox(dataclasses.replace(ISOLATION, options=(*ISOLATION.options, option)), paths, IDENT)
    assert Inside(sandbox, paths, argv=("true",)).wait() == 0
    assert not sandbox.started


def test_the_registrys_files_are_private_and_out_of_the_containers_sight(
    tmp_path: Path, podman_storage: dict[str, str]
) -> None:
    paths = make_paths(tmp_path)
    auth = RegistryAuth("registry.example:5000", "me", "sesame", verify_ssl=False)
    inside = Inside(make_sandbox(dataclasses.replace(ISOLATION, auth=auth), paths, IDENT), paths, argv=("env",))
    registry = paths.spool / "registry"
    assert f"--authfile={registry / 'auth.json'}" in inside.command.argv
    assert not any("sesame" in word for word in inside.command.argv)
    assert stat.S_IMODE(registry.stat().st_mode) == 0o700
    assert sorted((item.name, stat.S_IMODE(item.stat().st_mode)) for item in registry.iterdir()) == [
        ("auth.json", 0o600),
        ("registries.conf", 0o600),
    ]
    assert inside.wait() == 0, "podman accepts them"
    assert str(registry) not in inside.text
    logged_in = podman(
        {**podman_storage, "REGISTRY_AUTH_FILE": str(registry / "auth.json")},
        "login",
        "--get-login",
        "registry.example:5000",
    )
    assert logged_in.stdout == "me\n"
