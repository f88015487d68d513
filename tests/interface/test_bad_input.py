"""Bad input is a ConfigurationError that names what is wrong, and nothing has run or been made."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.compat import ansible_runner
from playstream.interface.options import CommandOptions, RunOptions
from playstream.pipeline.errors import ConfigurationError
from tests.interface.programs import play


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"playbok": "site.yml"}, r"run\(\) got an unexpected keyword argument 'playbok'; did you mean 'playbook'\?"),
        ({"zzz": 1}, r"run\(\) got an unexpected keyword argument 'zzz'\. docs/python\.md lists them"),
        ({"forks": "5"}, "forks: expected an integer, got str"),
        ({"forks": True}, "forks: expected an integer, got True"),
        ({"forks": 0}, "forks: expected an integer of 1 or more, got 0"),
        ({"verbosity": 9}, "verbosity: expected 0 to 7, got 9"),
        ({"quiet": 1}, "quiet: expected true or false, got int"),
        ({"timeout": "1h"}, "timeout: expected a number, got str"),
        ({"timeout": -1}, "timeout: expected a number of seconds"),
        ({"limit": ["a"]}, "limit: expected a string, got list"),
        ({"start_at_task": ["a"]}, "start_at_task: expected a name, got list"),
        ({"check": "yes"}, "check: expected true or false, got str"),
        ({"list_hosts": 1}, "list_hosts: expected true or false, got int"),
        ({"playbook": ["site.yml", "nope.yml"]}, "playbook 'nope.yml' was not found in"),
        ({"playbook": ["site.yml", ""]}, "playbook: expected .*, got an empty string"),
        (
            {"playbook": ["site.yml", {"hosts": "all"}]},
            "playbook: expected a list of paths or a list of plays, got both",
        ),
        ({"playbook": None, "module": "ping", "syntax_check": True}, "syntax_check applies to a playbook or role, but"),
        ({"start_at_task": ""}, "start_at_task: expected a name, got an empty string. A variable is probably not set"),
        (
            {"playbook": None, "module": "ping", "start_at_task": "a"},
            "start_at_task applies to a playbook or role, but this job runs a module: omit it",
        ),
        ({"tags": [1]}, "tags: expected a string or a list of strings, got a list with an item of type int"),
        ({"extravars": 5}, "extravars: expected a dict or a string or a path or a list of .*, got int"),
        ({"playbook": "x" * 300}, "playbook 'x{300}' was not found"),
        ({"inventory": "x" * 300}, "inventory 'x{300}' was not found"),
        ({"playbook": None, "role": "x" * 300}, "role 'x{300}' was not found"),
        ({"private_data_dir": "/" + "x" * 300}, "private data directory '/x{300}' does not exist"),
        ({"extravars": "nope.yml"}, r"extravars: '.*nope\.yml' cannot be read: No such file"),
        ({"extravars": {"a": object()}}, "extravars: a: expected a string, a number, .*an object of the type object"),
        ({"envvars": {"A": None}}, "envvars: A: expected a string or a number"),
        ({"passwords": {"(": "hunter2"}}, r"passwords: '\(' is not a valid regular expression"),
        ({"passwords": {"^x": None}}, r"passwords: the answer to '\^x': expected a string"),
        ({"settings": {"job_timeout": "soon"}}, "settings: job_timeout: expected a number of seconds"),
        ({"settings": {"idle_timeout": 1e11}}, "settings: idle_timeout: expected at most 10000000000 seconds"),
        ({"timeout": 1e30}, "^timeout: expected at most 10000000000 seconds"),
        ({"timeout": -1}, "^timeout: expected a number of seconds, 0 or more, got -1"),
        ({"settings": {"suppress_output_file": "no"}}, "settings: suppress_output_file: expected true or false"),
        ({"settings": []}, "settings: expected a dict, got list"),
        ({"event_handler": "print"}, "event_handler: expected a function, got str"),
        ({"status_handler": 1}, "status_handler: expected a function, got int"),
        ({"inventory": 5}, "inventory: expected a string or a path or a dict or a list of"),
        ({"inventory": "nope"}, "inventory 'nope' was not found"),
        ({"inventory": {"a": {1, 2}}}, "inventory: a: expected a string, a number, .* of the type set"),
        ({"playbook": "nope.yml"}, r"playbook 'nope\.yml' was not found in .*; available: site\.yml"),
        ({"playbook": "../nowhere.yml"}, "playbook .* was not found in"),
        ({"playbook": "/nowhere/site.yml"}, "playbook .* was not found in"),
        ({"playbook": []}, "playbook: expected at least one play"),
        ({"playbook": [1]}, "playbook: expected a string or a path or a dict or a list of"),
        ({"module": "ping"}, "expected one of playbook .* got playbook and module"),
        ({"playbook": None}, "expected one of playbook .* got none"),
        ({"playbook": None, "role": "nope"}, "role 'nope' was not found"),
        ({"hosts": "a", "host_pattern": "b"}, "expected one of hosts and host_pattern, got both"),
        ({"cmdline": "--diff 'x"}, "cmdline: .* No closing quotation"),
        ({"ssh_key": "hunter2"}, "ssh_key: expected a private key"),
        ({"ident": "a/b"}, "ident 'a/b' is not a valid directory name"),
        ({"ident": 1.5}, "ident: expected a string or an integer"),
        ({"logfile": "/nonexistent/log"}, "logfile: '/nonexistent/log' cannot be written"),
        ({"private_data_dir": "/nonexistent"}, "private data directory '/nonexistent' does not exist"),
    ],
)
def test_wrong_parameters(temporary: Path, demo: Path, options: dict[str, Any], expected: str) -> None:
    told: list[object] = []
    given = {"private_data_dir": demo, "playbook": "site.yml", "finished_callback": told.append, **options}
    for function in (playstream.run, playstream.run_async, playstream.init_runner):
        with pytest.raises(ConfigurationError, match=expected) as caught:
            function(**given)
        assert "hunter2" not in str(caught.value)
        assert isinstance(caught.value, ValueError)
    assert list(temporary.iterdir()) == []
    assert not (demo / "artifacts").exists()
    assert told == []


PATHS = (
    "private_data_dir",
    "project_dir",
    "artifact_dir",
    "process_isolation_path",
    "host_cwd",
    "logfile",
    "capture",
    "process_isolation_hide_paths",
    "process_isolation_show_paths",
    "process_isolation_ro_paths",
)
NAMES = ("process_isolation_executable", "container_image", "container_workdir", "store", "label")
OF_A_JOB = (
    "playbook",
    "inventory",
    "roles_path",
    "extravars",
    "directory_isolation_base_path",
    "identity",
    "module",
    "start_at_task",
    "user",
    "connection",
    "become_user",
    "role",
    "binary",
    "hosts",
    "host_pattern",
    "on",
    "wheels",
    "cache",
    "tee",
    "since",
)


@pytest.mark.parametrize("name", [*PATHS, *NAMES, *OF_A_JOB])
def test_an_empty_path_or_name(temporary: Path, demo: Path, name: str) -> None:
    """Of an unset variable, maybe: it would be the current directory, or all hosts."""
    given: dict[str, Any] = {"private_data_dir": demo, "playbook": "site.yml", name: ""}
    run_command: Callable[..., object] = playstream.run_command
    expected = f"{name}: expected .*, got an empty string. A variable is probably not set"
    for streamer in (None, "transmit", "worker", "process"):
        with pytest.raises(ConfigurationError, match=expected):
            playstream.run(**given, streamer=streamer)
    if name not in OF_A_JOB:
        with pytest.raises(ConfigurationError, match=expected):
            run_command("true", **{"private_data_dir": demo, name: ""})
    if name not in {"identity", "logfile", "store", "cache", "since"}:
        with pytest.raises(ConfigurationError, match=expected):
            playstream.RunnerConfig(**given)
    if name in {"inventory", "roles_path", "process_isolation_hide_paths"}:
        with pytest.raises(ConfigurationError, match=expected):
            playstream.run(**{**given, name: ["x,", ""]})
    assert list(temporary.iterdir()) == []
    assert not (demo / "artifacts").exists()


def test_every_option_that_is_a_path_is_known_here() -> None:
    hints = {**RunOptions.__annotations__, **CommandOptions.__annotations__}
    paths = {name for name, hint in hints.items() if "StrPath" in str(hint) or "Name" in str(hint)}
    assert paths == {*PATHS, *NAMES, *OF_A_JOB}


def test_empty_paths_in_compat(temporary: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ansible-runner makes of them: the current directory for artifacts, else the same as left out."""
    monkeypatch.chdir(demo)
    config = ansible_runner.RunnerConfig(
        private_data_dir=demo, playbook="site.yml", artifact_dir="", project_dir="", ident="x"
    )
    assert (config.artifact_dir, config.project_dir) == (str(Path("x").absolute()), str(demo / "project"))
    made = ansible_runner.RunnerConfig(private_data_dir="", playbook="site.yml").private_data_dir
    assert made is not None
    assert Path(made).is_dir()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("envvars", "a: b\nc: [d\n", "env/envvars, line 3, column 1: not valid YAML"),
        ("extravars", '{"a": 1,\n "b" 2}\n', "env/extravars, line 2"),
        ("passwords", "'[': hunter2\n", r"env/passwords: '\[' is not a valid regular expression"),
        ("settings", "idle_timeout: -1\n", "env/settings: idle_timeout: expected a number of seconds"),
        ("settings", "- a\n", "env/settings: expected a mapping of names to values, got a list"),
        ("cmdline", "--limit 'a", "env/cmdline: .* No closing quotation"),
        ("ssh_key", "hunter2", "env/ssh_key: expected a private key"),
    ],
)
def test_wrong_files(temporary: Path, demo: Path, name: str, text: str, expected: str) -> None:
    (demo / "env").mkdir()
    (demo / "env" / name).write_text(text)
    with pytest.raises(ConfigurationError, match=expected) as caught:
        playstream.run(private_data_dir=demo, playbook="site.yml")
    assert "hunter2" not in str(caught.value)
    assert list(temporary.iterdir()) == []
    assert not (demo / "artifacts").exists()


def test_a_job_from_memory_that_cannot_run_leaves_nothing(temporary: Path) -> None:
    for options in ({"playbook": "x.yml"}, {"playbook": play(), "forks": 0}, {"module": "ping", "inventory": "nope"}):
        with pytest.raises(ConfigurationError):
            playstream.run(**options)
        assert list(temporary.iterdir()) == []


def test_none_is_the_same_as_left_out(demo: Path) -> None:
    """For every parameter, since programs pass on what they may not have."""
    nothing: dict[str, Any] = dict.fromkeys(RunOptions.__annotations__)
    for base in RunOptions.__mro__:
        nothing |= dict.fromkeys(getattr(base, "__annotations__", {}))
    runner = playstream.init_runner(**{**nothing, "private_data_dir": demo, "playbook": "site.yml"})
    assert runner.config.command[1:] == ["-i", str(demo / "inventory"), "site.yml"]


@pytest.mark.parametrize("name", sorted(set(playstream.__all__) - {"__version__", "interface"}))
def test_every_public_name_is_documented(name: str) -> None:
    public = getattr(playstream, name)
    text = inspect.getdoc(public) or ""
    assert text, name
    assert text.split("\n")[0].endswith((".", "?")), name
    if inspect.isfunction(public):
        for part in ("Args:", "Example:"):
            assert part in text, (name, part)
        if not name.endswith("_async") or name == "run_async":
            assert "Raises:" in text, name
    if inspect.isclass(public) and not issubclass(public, Exception):
        for member, value in vars(public).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert inspect.getdoc(value), f"{name}.{member}"


def test_names_that_there_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        _ = playstream.runn  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = playstream.interface.nope  # type: ignore[attr-defined]
    assert set(playstream.__all__) <= set(dir(playstream))


@pytest.mark.parametrize(
    "name",
    [
        "private_data_dir",
        "playbook",
        "inventory",
        "project_dir",
        "roles_path",
        "role",
        "extravars",
        "artifact_dir",
        "ident",
    ],
)
def test_a_nul_in_a_path_or_name(name: str, demo: Path) -> None:
    what = {} if name == "role" else {"playbook": "site.yml"}
    options: Any = {"private_data_dir": demo, **what, name: "a\0b"}
    with pytest.raises(playstream.ConfigurationError, match=r"a\\x00b|contains a NUL"):
        playstream.run(quiet=True, **options)
    assert not (demo / "artifacts").exists()
