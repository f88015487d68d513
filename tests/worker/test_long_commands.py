"""Command lines, environments and messages at the limits of what the system, or a record, takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playstream.pipeline.errors import MAX_MESSAGE, JobError, LocalProtocolError, PlaystreamError, WorkerError
from playstream.pipeline.protocol import Status, StatusName, codec
from playstream.worker.command import Command
from tests.stages import Stages
from tests.stress.hostile.streams import NOW

LONGEST = 131_071
"""Bytes that Linux takes in one word."""


def record_of(command: Command) -> Status:
    return Status(
        StatusName.STARTING, NOW, command=command.shown_argv, env=command.shown_env, cwd="/", explanation=None
    )


def test_a_command_line_that_a_record_has_no_room_for_runs(fake_ansible: Stages, misbehaving: Path) -> None:
    """As JSON in ASCII a letter of two bytes takes six, so what the system takes may be more than a record does."""
    words = ["\u00e9" * 60_000] * 13
    (misbehaving / "env").mkdir()
    (misbehaving / "env" / "cmdline").write_text(" ".join(words))
    done = fake_ansible.run(misbehaving, "-p", "quiet.yml")
    assert done.exit_statuses == (0, 0, 0), done.stderr
    shown = json.loads(done.text("command"))["command"]
    assert shown[-2] == f"{words[0][:1000]}… (59000 characters)"
    assert shown[-1] == "quiet.yml" or shown[-1].startswith(words[0][:1000])


LONG = {"LONG": "x" * (LONGEST + 1 - len("LONG="))}
LONG_WORDS = ("the longest, the variable LONG, has 131072.", "131071 in one")


@pytest.mark.parametrize(
    ("dialect", "envvars", "words"),
    [
        ("playstream", {"LONG": LONG["LONG"][1:]}, None),
        ("playstream", LONG, LONG_WORDS),
        ("runner", LONG, LONG_WORDS),
        ("playstream", {f"V{number}": "x" * 100_000 for number in range(40)}, ("variables have 40", "env/extravars")),
    ],
)
def test_what_is_too_long_for_the_system_is_named(
    fake_ansible: Stages, misbehaving: Path, dialect: str, envvars: dict[str, str], words: tuple[str, ...] | None
) -> None:
    (misbehaving / "env").mkdir()
    (misbehaving / "env" / "envvars").write_text(json.dumps(envvars))
    done = fake_ansible.run(misbehaving, "-p", "quiet.yml", "--dialect", dialect)
    if words is None:
        assert done.exit_statuses == (0, 0, 0), done.stderr
        return
    told = JobError if dialect == "playstream" else WorkerError  # the runner dialect does not say which error it was
    assert done.exit_statuses == (0, JobError.exit_status, told.exit_status), done.stderr
    for line in done.stderr.splitlines():
        assert all(word in line for word in ("Argument list too long", *words)), line
    assert done.text("status") == "error"
    assert fake_ansible.leftovers() == []


@pytest.mark.parametrize(
    "command",
    [
        Command(
            ("a", *["\U0001f40d" * 30_000] * 9), {f"LC_{number}": "\u00e9" * 60_000 for number in range(9)}, Path("/")
        ),
        Command(("\u00e9",) * 70_000, {f"V{number}": "" for number in range(50_000)}, Path("/")),
    ],
    ids=["long", "many"],
)
def test_a_status_has_room_for_any_command(command: Command) -> None:
    assert len(codec.encode(record_of(command))) < codec.MAX_MESSAGE
    assert command.shown_argv[0] == command.argv[0]


def test_a_short_command_is_shown_whole() -> None:
    command = Command(("a", "b" * 5000), {"LC_ALL": "c" * 5000}, Path("/"))
    assert (command.shown_argv, command.shown_env) == (command.argv, dict(command.env))


@pytest.mark.parametrize("error", [PlaystreamError, JobError, LocalProtocolError])
def test_a_message_keeps_its_beginning_and_its_end(error: type[PlaystreamError]) -> None:
    shown = str(error(f"expected a number, got {'x' * 5_000_000}. Write one"))
    assert len(shown) < MAX_MESSAGE + 100
    assert shown.startswith("expected a number, got xxx")
    assert shown.endswith("xxx. Write one")
    assert str(error("x" * MAX_MESSAGE)) == "x" * MAX_MESSAGE
