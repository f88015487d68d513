"""What is started on the host, and what of the job's is on its command line and in its environment."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError, ExecutableNotFound, JobError
from playstream.pipeline.job.isolation import Isolation, RegistryAuth
from playstream.pipeline.protocol import Job
from playstream.worker.command import Command
from playstream.worker.environment import make_environment
from playstream.worker.isolation.sandbox import Sandbox, make_sandbox
from playstream.worker.paths import CACHE_PLUGIN_DIR, PLUGIN_DIR
from tests.worker.isolation.inside import IDENT, make_paths

_FAKE = """\
#!{python} -S
import json, os, sys
print(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ)}}))
"""
AUTH = RegistryAuth("quay.io", "me", "sesame", verify_ssl=False)


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which podman and docker only tell what they were started with."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("podman", "docker"):
        (directory / name).write_text(_FAKE.format(python=sys.executable))
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))
    return directory


def enclose(sandbox: Sandbox, env: dict[str, str] | None = None) -> Command:
    return sandbox.enclose(Command(("ansible", "--version"), env or {}, Path("/runner/project")))


def start(command: Command) -> tuple[list[str], dict[str, str]]:
    """The words and the environment that a fake engine was started with."""
    done = subprocess.run(command.argv, env=command.start_env, cwd=command.cwd, check=True, capture_output=True)
    told = json.loads(done.stdout)
    return told["argv"], told["env"]


def see_inside(command: Command) -> dict[str, str]:
    """The environment that the job has when the real shell is started with what a fake engine was given."""
    argv, env = start(command)
    if "/bin/sh" in argv:
        passed = [word for before, word in itertools.pairwise(argv) if before == "--env"]
        given = dict(
            word.partition("=")[::2] if "=" in word else (word, env[word])
            for word in passed
            if "=" in word or word in env
        )
        words = argv[argv.index("/bin/sh") :]
    else:  # bwrap, which passes on what it has
        given, words = env, argv[argv.index("-I") - 1 :]
    # As the process got it: Python adds to its own.
    words[-2:] = [sys.executable, "-I", "-S", "-c", "print(open('/proc/self/environ').read(), end='')"]
    done = subprocess.run(words, env=given, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    inside = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    return {name: value for name, value in inside.items() if name not in ("PWD", "OLDPWD", "SHLVL", "_")}


def test_directories_of_the_projects_configuration_are_those_inside(tmp_path: Path, engines: Path) -> None:
    paths = make_paths(tmp_path)
    (paths.project / "ansible.cfg").write_text("[defaults]\ncallback_plugins = own\nroles_path = more:/there\n")
    sandbox = make_sandbox(Isolation("podman", image="ee"), paths, IDENT, tty=False)
    env = make_environment(Job("x", role="r"), paths, sandbox.seen, inherit=False)
    assert env["ANSIBLE_CALLBACK_PLUGINS"].split(":")[1:] == ["/runner/project/own"]
    assert env["ANSIBLE_ROLES_PATH"].split(":")[-2:] == ["/runner/project/more", "/there"]


def test_the_words_for_docker(tmp_path: Path, engines: Path) -> None:
    paths = make_paths(tmp_path)
    isolation = Isolation("docker", image="ee", options=("--cap-add=ALL",), auth=AUTH, workdir="/work")
    sandbox = make_sandbox(isolation, paths, IDENT, tty=False)
    command = enclose(sandbox, {"B": "2", "A": "1", "RUNNER_C": "3"})
    argv, env = start(command)
    prefix = next(name for name in env if name.startswith("PLAYSTREAM_") and name.endswith("1"))[:-1]
    name = argv[argv.index("--name") + 1]
    assert argv == [
        f"--config={paths.spool}/registry",
        "run",
        "--rm",
        "--interactive",
        "--workdir",
        "/work",
        "--volume",
        f"{paths.run_dir}:/runner/.playstream:Z",
        "--volume",
        f"{paths.artifact_dir}:/runner/artifacts/{IDENT}:Z",
        "--volume",
        f"{paths.private_data_dir}/inventory:/runner/inventory:Z",
        "--volume",
        f"{paths.private_data_dir}/project:/runner/project:Z",
        "--env",
        "RUNNER_C",
        "--env",
        f"{prefix}1",
        "--env",
        f"{prefix}2",
        "--env",
        f"{prefix}MORE",
        f"--user={os.getuid()}",
        "--name",
        name,
        "--label",
        f"playstream.ident={IDENT}",
        "--label",
        f"playstream.spool={paths.spool}",
        "--stop-timeout=0",
        "--log-driver=none",
        "--cap-add=ALL",
        "ee",
        "/bin/sh",
        "-c",
        argv[-7],
        "sh",
        "A",
        "B",
        "--",
        "ansible",
        "--version",
    ]
    assert (env[f"{prefix}1"], env[f"{prefix}2"], env["RUNNER_C"]) == ("1", "2", "3")
    assert not {"A", "B"} & set(env)
    assert see_inside(command) == {"A": "1", "B": "2", "RUNNER_C": "3", "HOME": "/runner/.playstream/home"}
    assert sandbox.cleanup == ((str(engines / "docker"), f"--config={paths.spool}/registry", "rm", "--force", name),)
    assert name.startswith("playstream_job_1_")
    config = paths.spool / "registry" / "config.json"
    assert json.loads(config.read_text()) == {"auths": {"quay.io": {"auth": base64.b64encode(b"me:sesame").decode()}}}
    assert (stat.S_IMODE(config.stat().st_mode), stat.S_IMODE(config.parent.stat().st_mode)) == (0o600, 0o700)


def test_the_words_that_are_podmans_own(tmp_path: Path, engines: Path) -> None:
    paths = make_paths(tmp_path)
    sandbox = make_sandbox(Isolation(image="ee", auth=AUTH), paths, IDENT)
    command = enclose(sandbox)
    argv, env = start(command)
    assert argv[:4] == ["run", "--rm", "--tty", "--interactive"]
    assert {"--quiet", f"--authfile={paths.spool}/registry/auth.json"} <= set(argv)
    assert not any(word.startswith("--user") for word in argv), "the image's user, as in ansible-runner"
    config = paths.spool / "registry" / "registries.conf"
    assert env["CONTAINERS_REGISTRIES_CONF"] == str(config)
    assert config.read_text() == '[[registry]]\nlocation = "quay.io"\ninsecure = true\n'
    assert sandbox.cleanup[0][1:4] == ("rm", "--force", "--ignore")
    assert not any("sesame" in word for word in command.argv)


JOBS = {
    # What changes the loader, a shell, an interpreter, the Go runtime or the engines themselves.
    "BASH_ENV": "/x",
    "ENV": "/x",
    "LD_PRELOAD": "/x.so",
    "LD_LIBRARY_PATH": "/",
    "LD_AUDIT": "/x.so",
    "PATH": "/bin",
    "GCONV_PATH": "/x",
    "GLIBC_TUNABLES": "x",
    "LOCPATH": "/x",
    "PYTHONPATH": "/x",
    "PYTHONSTARTUP": "/x",
    "IFS": "1n",
    "PERL5OPT": "-Mx",
    "NODE_OPTIONS": "-r x",
    "GOGC": "1",
    "GODEBUG": "x",
    "HOME": "/tmp",
    "TMPDIR": "/x",
    "PS4": "$(x)",
    "DOCKER_HOST": "theirs",
    "CONTAINER_HOST": "x",
    "CONTAINERS_CONF": "/x",
    "XDG_CONFIG_HOME": "/",
    "REGISTRY_AUTH_FILE": "/x",
    "HTTPS_PROXY": "http://x",
    "http_proxy": "http://me:sesame@proxy",
    "PODMAN_X": "*",
    # Secrets, among them those that are named as what changes an engine, and odd values.
    "SECRET": "line 1\nline 2",
    "GOOGLE_API_KEY": "g",
    "DOCKER_PASSWORD": "d",
    "CONTAINER_TOKEN": "t",
    "LD_KEY": "l",
    "SSL_CERT_FILE": "/x",
    "EMPTY": "",
    "PATHS": "p",
    "QUOTES": "'\"`$(x)\\ \n*",
    "N": "n",
    "DASHES": "--",
}
BY_VALUE = {"SHELLOPTS": "xtrace", "BASHOPTS": "x", "BASH_FUNC_podman%%": "() { x; }", "UID": "7", "STAR*": "s"}


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_variables_travel_without_changing_the_engine(
    engine: str, tmp_path: Path, engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///ours")
    sandbox = make_sandbox(Isolation(engine, image="ee"), make_paths(tmp_path), IDENT)
    command = enclose(sandbox, {**JOBS, **BY_VALUE, "ANSIBLE_FORKS": "2", "odd.name": "o"})
    argv, env = start(command)
    for name in (*JOBS, *BY_VALUE):
        assert env.get(name) == os.environ.get(name), name
    assert {"odd.name", "ANSIBLE_FORKS"} <= set(env)
    passed = {word for before, word in itertools.pairwise(argv) if before == "--env"}
    assert {word for word in passed if "=" in word} == {f"{name}={value}" for name, value in BY_VALUE.items()}
    assert command.env.items() >= JOBS.items(), "as it is shown, by their own names"
    inside = see_inside(command)
    assert inside.items() >= {**JOBS, "ANSIBLE_FORKS": "2"}.items()
    assert not [name for name in inside if name.startswith("PLAYSTREAM_")]
    # What its owner takes away or changes before the start is so inside.
    changed = {name: value for name, value in command.env.items() if name != "SECRET"} | {"N": "2"}
    inside = see_inside(dataclasses.replace(command, env=changed))
    assert ("SECRET" in inside, inside["N"]) == (False, "2")


@pytest.mark.parametrize("engine", ["podman", "docker", "bwrap"])
def test_what_is_changed_before_the_start_reaches_the_job_alone(
    engine: str, tmp_path: Path, engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (engines / "bwrap").write_text((engines / "podman").read_text())
    (engines / "bwrap").chmod(0o755)
    monkeypatch.setenv("DOCKER_HOST", "unix:///ours")
    monkeypatch.setenv("PINNED", "ours")
    monkeypatch.setenv("TAKEN", "ours")
    sandbox = make_sandbox(Isolation(engine, image="ee"), make_paths(tmp_path), IDENT)
    base = {"DOCKER_HOST": "theirs", "PINNED": "ours", "TAKEN": "ours", "ANSIBLE_FORKS": "1", "GONE": "x"}
    inherited = dict(os.environ) if engine == "bwrap" else {}
    command = sandbox.enclose(Command((sys.executable, "--version"), {**inherited, **base}, tmp_path))
    kept = {name: value for name, value in command.env.items() if name not in ("TAKEN", "GONE")}
    changed = dataclasses.replace(
        command, env={**kept, **JOBS, "PINNED": "theirs", "ANSIBLE_FORKS": "2", "ANSIBLE_NOCOLOR": "1"}
    )
    assert not any("sesame" in word for word in changed.argv)
    _, env = start(changed)
    assert {name: env.get(name) for name in JOBS} == {name: os.environ.get(name) for name in JOBS}
    assert env["PINNED"] == "ours"
    inside = see_inside(changed)
    expected = {**JOBS, "PINNED": "theirs", "ANSIBLE_FORKS": "2", "ANSIBLE_NOCOLOR": "1"}
    assert inside.items() >= expected.items()
    assert not {"TAKEN", "GONE"} & set(inside)
    assert not [name for name in inside if name.startswith("PLAYSTREAM_")]


def test_what_no_shell_can_give_is_refused_before_the_start(tmp_path: Path, engines: Path) -> None:
    command = enclose(make_sandbox(Isolation(image="ee"), make_paths(tmp_path), IDENT), {"UID": "7"})
    for name in ("EUID", "odd.name", "BASH_FUNC_x%%"):
        with pytest.raises(ConfigurationError, match=f"'{name}' cannot be passed to a job in a container"):
            _ = dataclasses.replace(command, env={**command.env, name: "x"}).start_env
    assert dataclasses.replace(command, env={**command.env, "_": "/usr/bin/env"}).start_env


@pytest.mark.parametrize("engine", ["podman", "bwrap"])
def test_cleaning_up_and_starting_are_not_the_jobs(
    engine: str, tmp_path: Path, engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard starts what ends a container in the same environment as the engine."""
    if engine == "bwrap":
        (engines / "bwrap").write_text((engines / "podman").read_text())
        (engines / "bwrap").chmod(0o755)
    sandbox = make_sandbox(Isolation(engine, image="ee"), make_paths(tmp_path), IDENT)
    job = {**(os.environ if engine == "bwrap" else {}), **JOBS}
    command = sandbox.enclose(Command((sys.executable,), job, tmp_path))
    _, env = start(command)
    for words in [*sandbox.cleanup, command.argv]:
        _, env = start(dataclasses.replace(command, argv=tuple(words)))
        assert {name: env.get(name) for name in JOBS} == {name: os.environ.get(name) for name in JOBS}
    assert not any("sesame" in word for word in command.argv)


def test_what_may_be_mounted(tmp_path: Path, engines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLACE", str(tmp_path))
    (tmp_path / "keys").mkdir()
    given = ("~/keys:/a", "$PLACE/keys:/b:ro", f"{tmp_path}/keys/../keys/:/c", "a_volume:/d")
    command = enclose(make_sandbox(Isolation(image="ee", volume_mounts=given), make_paths(tmp_path), IDENT))
    keys = tmp_path / "keys"
    assert {f"{keys}:/a", f"{keys}:/b:ro", f"{keys}:/c", "a_volume:/d"} <= set(command.argv)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"volume_mounts": ("/nowhere/at/all:/a",)}, "'/nowhere/at/all' does not exist there"),
        ({"volume_mounts": ("/:/a",)}, "'/' cannot be mounted into a container"),
        ({"volume_mounts": ("/home/:/a",)}, "'/home' cannot be mounted into a container"),
        ({"volume_mounts": ("/proc/self/root:/a",)}, "'/proc/self/root' cannot be mounted into a container"),
        ({"host_cwd": "/usr"}, "host_cwd: '/usr' cannot be mounted into a container"),
    ],
)
def test_what_may_not_be_mounted(settings: dict[str, str], message: str, tmp_path: Path, engines: Path) -> None:
    isolation = dataclasses.replace(Isolation(image="ee"), **settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=message):
        make_sandbox(isolation, make_paths(tmp_path), IDENT)


def test_the_working_directory(tmp_path: Path, engines: Path) -> None:
    def workdir(**settings: str) -> str:
        isolation = dataclasses.replace(Isolation(image="ee"), **settings)  # type: ignore[arg-type]
        directory = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        directory.mkdir()
        argv = enclose(make_sandbox(isolation, make_paths(directory), IDENT)).argv
        return argv[argv.index("--workdir") + 1]

    assert workdir() == "/runner/project"
    assert workdir(host_cwd=str(engines)) == str(engines)
    assert workdir(host_cwd="/nowhere") == "/runner/project"
    assert workdir(host_cwd=str(engines), workdir="/work") == "/work"


def test_a_copy_of_the_project_takes_its_place(tmp_path: Path, engines: Path) -> None:
    copy = tmp_path / "copy" / "project"
    copy.mkdir(parents=True)
    paths = dataclasses.replace(make_paths(tmp_path), project=copy)
    sandbox = make_sandbox(Isolation(image="ee"), paths, IDENT)
    assert sandbox.seen(copy / "site.yml") == Path("/runner/project/site.yml")
    mounted = [word for word in enclose(sandbox).argv if ":/runner/project" in word]
    assert mounted == [f"{copy}:/runner/project:Z"]


def test_a_colon_cannot_be_mounted(tmp_path: Path, engines: Path) -> None:
    paths = make_paths(tmp_path)
    (paths.private_data_dir / "a:b").mkdir()
    with pytest.raises(JobError, match="because its name contains a colon"):
        make_sandbox(Isolation(image="ee"), paths, IDENT)


@pytest.mark.parametrize("executable", ["podman", "docker", "bwrap", "/nowhere/podman"])
def test_a_missing_engine_is_named(executable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExecutableNotFound, match=f"its executable '{executable}' was not found on this host"):
        make_sandbox(Isolation(executable, image="ee"), make_paths(tmp_path), IDENT)


def test_sharing_opens_the_run_directory_and_keeps_the_spool_closed(tmp_path: Path, engines: Path) -> None:
    paths = make_paths(tmp_path)
    paths.project.chmod(0o700)
    sandbox = make_sandbox(Isolation(image="ee"), paths, IDENT)
    os.mkfifo(paths.events, 0o600)
    (paths.run_dir / "extravars-1").touch(0o600)
    sandbox.share()
    modes = {
        str(item.relative_to(paths.run_dir)): stat.S_IMODE(item.stat().st_mode)
        for item in (paths.run_dir, *paths.run_dir.rglob("*"))
    }
    for directory in (PLUGIN_DIR, CACHE_PLUGIN_DIR):
        assert modes[f"plugin/{directory.name}"] == 0o755
        plugin = [str(item.relative_to(directory)) for item in directory.rglob("*.py")]
        assert plugin
        for name in plugin:
            assert modes[f"plugin/{directory.name}/{name}"] == 0o644
    assert (modes["."], modes["home"], modes["events"], modes["extravars-1"]) == (0o777, 0o777, 0o666, 0o644)
    for directory in (paths.artifact_dir, paths.artifact_dir / "fact_cache"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o777
    assert stat.S_IMODE(paths.project.stat().st_mode) == 0o755
    assert stat.S_IMODE(paths.spool.stat().st_mode) == 0o700


def test_a_step_leaves_nothing_in_the_home_directory(tmp_path: Path, engines: Path) -> None:
    paths = make_paths(tmp_path)
    sandbox = make_sandbox(Isolation(image="ee"), paths, IDENT)
    home = paths.run_dir / "home"
    (home / ".ansible" / "tmp").mkdir(parents=True, mode=0o700)
    sandbox.forget_start()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("place", ["home", "fact_cache"])
def test_a_link_that_something_inside_has_put_there_is_not_followed(tmp_path: Path, engines: Path, place: str) -> None:
    paths = make_paths(tmp_path)
    sandbox = make_sandbox(Isolation(image="ee"), paths, IDENT)
    sandbox.share()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    link = paths.run_dir / "home" if place == "home" else paths.artifact_dir / "fact_cache"
    link.rmdir()
    link.symlink_to(elsewhere)
    with pytest.raises(NotADirectoryError):
        sandbox.share()
    sandbox.forget_start()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert (paths.run_dir / "home").is_dir()
    assert not (paths.run_dir / "home").is_symlink()


def test_artifacts_that_others_could_reach_stay_closed(engines: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        made = make_paths(Path(directory))
        paths = dataclasses.replace(made, spool=Path(directory) / "elsewhere")
        for item in (paths.artifact_dir.parent, *paths.artifact_dir.parent.parents):
            if item.is_relative_to(directory):
                item.chmod(0o755)
        make_sandbox(Isolation(image="ee"), paths, IDENT).share()
        assert stat.S_IMODE(paths.artifact_dir.stat().st_mode) == 0o700


def test_a_callers_command_has_the_callers_ssh(tmp_path: Path, engines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "agent").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    argv, env = start(enclose(make_sandbox(Isolation(image="ee"), make_paths(tmp_path), IDENT, caller=True)))
    assert {
        f"{tmp_path}/.ssh:/home/runner/.ssh",
        f"{tmp_path}/.ssh:/root/.ssh",
        f"{tmp_path}/agent:{tmp_path}/agent",
        "SSH_AUTH_SOCK",
        "--group-add=root",
        "--ipc=host",
    } <= set(argv)
    assert env["SSH_AUTH_SOCK"] == str(tmp_path / "agent")
