"""Flags: all of ansible-runner's are known, before the subcommand as after it, and none is passed over in silence."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from playstream.cli.flags import MAY_BE_EMPTY, NAMING, flags_of, list_commands, takes_value
from playstream.cli.job_options import job_options, parse_variables
from playstream.cli.main import main, parse, set_up
from playstream.cli.parser import Parser, kind_of
from playstream.pipeline.errors import ConfigurationError

RUN = (
    ("--debug",),
    ("--logfile", "l"),
    ("-b", "x"),
    ("--binary", "x"),
    ("-i", "7"),
    ("--ident", "7"),
    ("--rotate-artifacts", "3"),
    ("--artifact-dir", "a"),
    ("--project-dir", "p"),
    ("--inventory", "h"),
    ("-j",),
    ("--json",),
    ("--omit-event-data",),
    ("--only-failed-event-data",),
    ("--omit-env-files",),
    ("-q",),
    ("--quiet",),
    ("-v",),
    ("-vvvv",),
    ("-p", "s"),
    ("--playbook", "s"),
    ("-m", "ping"),
    ("--module", "ping"),
    ("-r", "r"),
    ("--role", "r"),
    ("--limit", "l"),
    ("--cmdline", "-e a=b"),
    ("--cmdline", "--check"),
    ("--hosts", "h"),
    ("--forks", "4"),
    ("--roles-path", "r"),
    ("--role-vars", "a=b"),
    ("--role-skip-facts",),
    ("-a", "x=y"),
    ("--args", "x=y"),
    ("--container-image", "i"),
    ("--container-volume-mount", "/a:/b"),
    ("--container-option", "--network=none"),
)
ISOLATION = (
    ("--process-isolation",),
    ("--process-isolation-executable", "bwrap"),
    ("--process-isolation-path", "/t"),
    ("--process-isolation-hide-paths=/a",),
    ("--process-isolation-show-paths=/a",),
    ("--process-isolation-ro-paths=/a",),
    ("--directory-isolation-base-path", "/b"),
)
WORKER = (
    ("--private-data-dir", "d"),
    ("--worker-info",),
    ("--delete",),
    ("--keepalive-seconds", "3"),
    ("--debug",),
    ("--logfile", "l"),
)
CLEANUP = (
    ("--file-pattern", "/tmp/a*"),
    ("--exclude-strings=a b",),
    ("--remove-images=i",),
    ("--grace-period", "0"),
    ("--image-prune",),
    ("--process-isolation-executable", "docker"),
)
CONTRACT = {
    ("run", "DIR"): RUN + ISOLATION,
    ("start", "DIR"): RUN + ISOLATION,
    ("transmit", "DIR"): RUN,
    ("stop", "DIR"): RUN,
    ("is-alive", "DIR"): RUN,
    ("worker",): WORKER,
    ("worker", "cleanup"): CLEANUP,
    ("process", "DIR"): (("-i", "7"), ("--ident", "7"), ("--debug",), ("--logfile", "l")),
}
CASES = [(command, flag) for command, flags in CONTRACT.items() for flag in flags]


def values(words: tuple[str, ...]) -> dict[str, Any]:
    found = vars(parse(words))
    return {name: value for name, value in found.items() if name not in {"words", "usage_error", "for_cleanup"}}


@pytest.mark.parametrize(("command", "flag"), CASES, ids=" ".join)
def test_a_flag_means_the_same_before_and_after_the_subcommand(command: tuple[str, ...], flag: tuple[str, ...]) -> None:
    after = values((*command, *flag))
    assert after != values(command)
    assert values((*flag, *command)) == after
    if command == ("worker", "cleanup"):
        assert values(("worker", *flag, "cleanup")) == after


def test_what_is_given_on_both_sides_is_joined() -> None:
    found = parse(
        [
            "-v",
            "--inventory",
            "a,",
            "--roles-path=r",
            "-q",
            "--ident=1",
            "run",
            "DIR",
            "-vv",
            "--inventory",
            "b,",
            "-p",
            "s",
            "--ident",
            "2",
            "--roles-path",
            "s",
            "--process-isolation-ro-paths",
            "/a",
            "/b",
            "--process-isolation-ro-paths",
            "/c",
        ]
    )
    assert (found.verbosity, found.inventory, found.roles_path) == (3, ["a,", "b,"], ["r", "s"])
    assert (found.quiet, found.ident, found.playbook) == (True, "2", "s")
    assert found.process_isolation_ro_paths == ["/a", "/b", "/c"]


def test_a_flag_has_a_value_everywhere_or_nowhere() -> None:
    """Before the subcommand's name it is not known yet whose it is."""
    kinds: dict[str, bool] = {}
    for command in list_commands():
        for definition in flags_of(command):
            for name in definition.names:
                assert kinds.setdefault(name, takes_value(definition)) == takes_value(definition), name


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("process", "DIR", "-p", "x"), "arguments: -p x (-p is a flag of run, start, stop, is-alive, transmit)"),
        (("--delete", "run", "DIR"), "--delete is a flag of worker)"),
        (("--file-pattern", "x", "process", "DIR"), "--file-pattern is a flag of worker cleanup)"),
        (("--nonsense", "run", "DIR"), "unrecognized arguments: --nonsense"),
        (("run", "DIR", "-p", "a", "-m", "b"), "not allowed with argument"),
        (("-p", "a", "run", "DIR", "-m", "b"), "not allowed with argument"),
        (("run", "DIR", "--forks", "x"), "expected an integer, got 'x'"),
        (("nonsense",), "invalid choice: 'nonsense' (choose from run, start,"),
        (("worker", "nonsense"), "invalid choice: 'nonsense' (choose from cleanup)"),
        (("proces", "DIR"), "invalid choice: 'proces'; did you mean 'process'?"),
        (("worker", "claenup"), "invalid choice: 'claenup'; did you mean 'cleanup'?"),
        (("run", "DIR", "--playbok", "s"), "unrecognized arguments: --playbok; did you mean '--playbook'?"),
        (("run", "--playbok=s"), "unrecognized arguments: --playbok=s; did you mean '--playbook'?"),
        (("--playbok", "s", "run", "DIR"), "unrecognized arguments: --playbok; did you mean '--playbook'?"),
        (("--playbok=s", "run", "DIR"), "did you mean '--playbook'?"),
        (("--hlep",), "did you mean '--help'?"),
        (("run", "--hlep"), "did you mean '--help'?"),
        (("worker", "--file-patern", "x", "cleanup"), "did you mean '--file-pattern'?"),
        (("worker", "cleanup", "--gracious-period", "1"), "did you mean '--grace-period'?"),
        (("run", "DIR", "-p", "--nonsense"), "argument -p/--playbook: expected one argument"),
    ],
)
def test_what_cannot_be_understood(words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(words)
    assert stopped.value.code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("short", "internal", "command"),
    [
        ("--wait", "--wait-on", ["worker"]),
        ("--start-o", "--start-on", ["worker"]),
        ("--cache-sende", "--cache-sender", ["worker"]),
        ("--report-t", "--report-to", ["run", "DIR"]),
        ("--answers-form", "--answers-from", ["run", "DIR"]),
    ],
)
def test_nothing_is_short_for_an_internal_flag(
    short: str, internal: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([*command, short, "3"])
    shown = capsys.readouterr().err
    assert f"unrecognized arguments: {short}" in shown
    assert internal not in shown


def test_an_internal_flag_leaves_the_abbreviations_of_others() -> None:
    assert parse(["worker", "--w"]).worker_info
    assert parse(["worker", "--wait-on", "3", "--w"]).wait_on == 3


def test_a_value_may_look_like_a_flag() -> None:
    found = parse(["run", "DIR", "-m", "command", "-a", "--nonsense and more", "--cmdline", "--nonsense"])
    assert (found.module_args, found.cmdline) == ("--nonsense and more", "--nonsense")


@pytest.mark.parametrize("words", [("-V",), ("run", "-V"), ("worker", "cleanup", "-V"), ("-q", "-V")])
def test_the_version_has_a_short_flag(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for flag in ("-V", "--version"):
        with pytest.raises(SystemExit) as stopped:
            parse([word.replace("-V", flag) for word in words])
        assert stopped.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert said[0].startswith("playstream ")


@pytest.mark.parametrize("command", [*list_commands(), ""])
def test_help_shows_the_same_as_the_flag(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for words in (["help", *command.split()], [*command.split(), "--help"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert f"usage: playstream {command}".rstrip() in said[0]


@pytest.mark.parametrize("words", [("help", "shwo"), ("help", "run", "nonsense", "--nonsense")])
def test_help_of_what_does_not_exist(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert "invalid choice: 'shwo'; did you mean 'show'?" in capsys.readouterr().err or "--nonsense" in words


@pytest.mark.parametrize("words", [("help",), ("help", "run"), ("-V",), ("run", "-V"), ("run", "DIR", "-V")])
def test_ansible_runner_has_no_such_command_or_flag(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(words, as_ansible_runner=True)
    assert stopped.value.code == 2


@pytest.mark.parametrize("command", [*list_commands(), ""])
def test_every_subcommand_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse([*command.split(), "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: playstream {command}".rstrip())


def options(*words: str) -> dict[str, Any]:
    found: argparse.Namespace = parse(["run", "DIR", *words])
    return job_options(found)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-p", "s", "--hosts", "h"), "--hosts applies to a module or role"),
        (("-m", "s", "--tags", "x"), "--tags applies to a playbook or role"),
        (("-r", "s", "--role-vars", "a=b c"), "--role-vars: expected name=value"),
        (("-r", "s", "--role-vars", "a"), "--role-vars: expected a mapping of names to values"),
    ],
)
def test_a_flag_that_would_do_nothing_is_an_error(words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        options(*words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-p", "s", "-a", "x"), "--args applies to a module, but this job runs a playbook"),
        (("-m", "s", "--role-vars", "a=b"), "--role-vars applies to a role, but this job runs a module"),
        (("-p", "s", "--role-skip-facts"), "--role-skip-facts applies to a role, but this job runs a playbook"),
    ],
)
def test_a_flag_that_changes_nothing_is_a_warning(
    words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not options(*words).keys() & {"module_args", "role_vars", "role_skip_facts"}
    assert capsys.readouterr().err == f"playstream run: warning: {expected}: it is ignored\n"
    options(*words, "-q")
    assert capsys.readouterr().err == ""


def test_the_environment_says_what_is_run_when_no_flag_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_PLAYBOOK", "env.yml")
    monkeypatch.setenv("RUNNER_BINARY", "/opt/ansible-playbook")
    assert options()["playbook"] == "env.yml"
    assert options()["binary"] == "/opt/ansible-playbook"
    assert options("-b", "x")["binary"] == "x"
    assert "playbook" not in options("-m", "ping")
    monkeypatch.setenv("RUNNER_ROLE", "r")
    with pytest.raises(ConfigurationError, match="got RUNNER_PLAYBOOK and RUNNER_ROLE"):
        options()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1 b=two c=True d='x y' e=\"1\" f=", {"a": 1, "b": "two", "c": True, "d": "x y", "e": "1", "f": ""}),
        ("a=[1,2] b={'c':1}", {"a": [1, 2], "b": {"c": 1}}),
        ("a=b=c", {"a": "b=c"}),
        ('{"a": [1, 2]}', {"a": [1, 2]}),
        ("a: 1", {"a": 1}),
        ("{a: x=y}", {"a": "x=y"}),
    ],
)
def test_variables_in_every_notation(text: str, expected: dict[str, Any]) -> None:
    assert parse_variables("--role-vars", text) == expected


def test_an_inventory_may_be_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DIR/inventory/mine", "here/hosts"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    given = ["inventory", "mine", "here/hosts", "a,b", "nowhere"]
    words = [word for item in given for word in ("--inventory", item)]
    assert options("-p", "s", *words)["inventory"] == [
        "inventory",
        "mine",
        str(tmp_path / "here/hosts"),
        "a,b",
        "nowhere",
    ]


def actions_of(command: str) -> list[argparse.Action]:
    """The flags and arguments of a subcommand that take a value."""
    parser = Parser(prog=command)
    set_up(command)(parser)
    found = [action for action in parser._actions if action.nargs != 0 and not action.choices]
    return [action for action in found if action.dest not in {"version", argparse.SUPPRESS}]


@pytest.mark.parametrize("command", list_commands())
def test_an_empty_path_or_name_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of an unset variable, maybe, and it would be the current directory, or all hosts."""
    for action in actions_of(command):
        kind = kind_of(action)
        assert (kind in NAMING) is not (kind in MAY_BE_EMPTY), f"{action.dest}: say what an empty {kind} is"
        places = [item for item in actions_of(command) if not item.option_strings]
        named = ["" if item.dest == action.dest else item.dest for item in places]
        given = []
        if action.option_strings:
            name = action.option_strings[0]
            given = [f"{name}="] if action.nargs == argparse.OPTIONAL else [name, ""]
        words = [*command.split(), *named, *given]
        if kind in NAMING:
            with pytest.raises(SystemExit) as caught:
                parse(words)
            assert caught.value.code == 2
            assert f"expected {NAMING[kind]}, got an empty string. A variable" in capsys.readouterr().err


def test_empty_values_as_in_ansible_runner() -> None:
    found = parse(["run", "", "-p", "", "--artifact-dir=", "-i", ""], as_ansible_runner=True)
    assert (found.private_data_dir, found.playbook, found.artifact_dir, found.ident) == (Path(), "", "", "")
    with pytest.raises(SystemExit):
        parse(["run", "", "--store="], as_ansible_runner=True)
