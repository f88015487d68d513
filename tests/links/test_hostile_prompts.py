"""A hostile worker at the user's terminal: it gets what is typed for its questions, and cannot keep the terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.typist import Typist
from tests.links.workers import HOSTILE, link_to
from tests.stages import PLAYSTREAM, Stages

GARBAGE = """
for number, text in enumerate(
    (
        "\\x1b[2J\\x1b[H\\x1b]0;title\\x07\\r\\x1b[K",
        "\\b" * 100 + "[sudo] password for me: ",
        "\\n[sudo] password for me: ",
        "\\x1b[1A\\x1b[8m\\u202e: em rof drowssap ]odus[",
        "\\x9b2J\\x1bc\\x1b[?1049h\\x0e",
    )
):
    say(Prompt(1, KeyMode.HIDDEN, text))
say(Prompt(1, KeyMode.HIDDEN, "END"))
hear(Cancel)
"""
BEFORE_THE_JOB = (
    HOSTILE.replace("hear(TreeEnd)", "hear(Job)")
    + """
say(Prompt(1, KeyMode.RAW, "press a key"))
time.sleep(1000)
"""
)
"""It never reads the tree, so that the rest of it cannot be sent."""
ENDLESS = """
number = 0
while True:
    number += 1
    say(Prompt(number, list(KeyMode)[number % 5], "x" * 1000, "y" * 1000))
"""
KEEPS_RAW = """
say(Prompt(1, KeyMode.RAW, "press a key"))
while True:
    say(Prompt(1, KeyMode.RAW, f"<{hear(Input).data.hex()}>"))
"""
COLLECTS = """
import pathlib
place = pathlib.Path(sys.argv[1])
go = os.open(place / "go", os.O_RDWR)
os.read(go, 1)
with open(place / "heard", "wb", buffering=0) as heard:
    for number, mode in enumerate((KeyMode.LINES, KeyMode.HIDDEN, KeyMode.KEYS), 1):
        say(Prompt(2 * number - 1, mode, f"question {number}: "))
        heard.write(hear(Input).data + b"|")
        say(Prompt(2 * number, KeyMode.NONE))
        say(Log(LogLevel.WARNING, f"done {number}"))
        os.read(go, 1)
sys.exit(3)
"""
AFTER_THE_END = """
say(Status(StatusName.SUCCESSFUL, NOW, rc=0))
content = codec.encode(Prompt(1, KeyMode.HIDDEN, "password: "))
os.write(1, sender.frame(content))
hear(Cancel)
"""
TOO_LARGE = """
content = codec.RECORD.pack(codec.Kind.PROMPT, 1, 70000) + b'{"number":1,"mode":"raw","text":"' + b"x" * 69965 + b'"}'
os.write(1, sender.frame(content))
hear(Cancel)
"""


BETWEEN = """
import json

def log(number):
    return Log(LogLevel.WARNING, f"elsewhere {number}")

def event(number):
    lines = {"stdout": f"elsewhere {number}", "start_line": number - 1, "end_line": number}
    about = {"uuid": f"u-{number}", "counter": number, "event": "verbose", "event_data": {}}
    return Event(number, json.dumps({**about, **lines}).encode())

say(Prompt(1, KeyMode.HIDDEN, "first "))
say(SHOW(1))
say(Prompt(1, KeyMode.HIDDEN, "second "))
say(SHOW(2))
hear(Cancel)
"""
"""It asks, and shows something else meanwhile."""
TYPED = """
say(Prompt(1, KeyMode.LINES, "Name: "))
go = os.open(sys.argv[1] + "/go", os.O_RDONLY)
os.read(go, 1)
say(Prompt(1, KeyMode.LINES, "w" * 60 + "END"))
hear(Cancel)
"""


@pytest.fixture
def ask(begin: Callable[..., Typist], directory: Path, tmp_path: Path) -> Callable[..., Typist]:
    """Starts a run on a hostile worker."""

    def begin_one(rest: str, *words: str, start: str = HOSTILE) -> Typist:
        link = link_to(tmp_path / "worker.py", start + rest) + f" {tmp_path}"
        return begin("run", directory, "-p", "site.yml", "-i", "x", "--on", link, *words)

    return begin_one


def test_garbage(ask: Callable[..., Typist]) -> None:
    """No row of a question looks like one of this host, and nothing else happens on the screen."""
    user = ask(GARBAGE)
    user.wait_for("END")
    user.wait_for_hidden()
    assert all(line.startswith("(exec:") for line in user.lines), user.lines
    assert r"\x1b[1A\x1b[8m\u202e: em" in "".join(user.lines)
    user.type("\x03")
    assert user.end() == 254
    user.wait_for_restored()


@pytest.mark.parametrize("output", ["log", "event"])
def test_other_output_does_not_hide_who_asks(ask: Callable[..., Typist], output: str) -> None:
    """Its text stays behind the name, and the question is shown again below the output."""
    user = ask(BETWEEN.replace("SHOW", output))
    user.wait_until(lambda: user.lines[-1].endswith(") first second") and len(user.lines) > 3, "it is not shown again")
    rows = user.lines
    assert sum("elsewhere" in row for row in rows) == 2, rows
    assert all(row.startswith("(exec:") for row in rows if "first" in row or "second" in row), rows
    assert not any("elsewhere" in row for row in rows if row.startswith("(exec:")), rows
    user.type("\x03")
    assert user.end() == 254
    user.wait_for_restored()


def test_what_is_typed_does_not_hide_who_asks(ask: Callable[..., Typist], tmp_path: Path) -> None:
    """The terminal shows it, and the worker's text begins a new row after it."""
    subprocess.run(["mkfifo", tmp_path / "go"], check=True)
    user = ask(TYPED)
    user.wait_for("Name: ")
    user.type("t" * 70)
    user.wait_for("t" * 70)
    (tmp_path / "go").write_text("x")
    user.wait_for("END")
    assert all(line.startswith("(exec:") for line in user.lines if "w" in line), user.lines
    user.type("\x03")
    assert user.end() == 254
    user.wait_for_restored()


@pytest.mark.parametrize("worker", [ENDLESS, KEEPS_RAW])
def test_ctrl_c_twice_gets_the_user_out(ask: Callable[..., Typist], worker: str) -> None:
    user = ask(worker)
    user.wait_for("press a key" if worker is KEEPS_RAW else "xxxx")
    user.type("\x03\x03")
    assert user.end() in {254, 130}
    user.wait_for_restored()


def test_a_question_before_the_job_was_sent(ask: Callable[..., Typist], directory: Path) -> None:
    """Nobody reads keys yet, so Ctrl-C remains a signal."""
    (directory / "project" / "large").write_bytes(os.urandom(1 << 25))
    user = ask("", start=BEFORE_THE_JOB)
    user.wait_for("press a key")
    user.wait_for_keys()
    user.type("\x03")
    assert user.end() == 254
    user.wait_for_restored()


def test_ctrl_c_with_pauses(ask: Callable[..., Typist]) -> None:
    """Also if it arrives in two pieces, and other keys came before."""
    user = ask(KEEPS_RAW)
    user.wait_for("press a key")
    user.wait_for_keys()
    for key in ("\x03", "y", "\x03"):
        user.type(key)
        user.wait_for(f"<{ord(key):02x}>")
    user.type("\x03")
    assert user.end() == 254
    assert "playstream run: canceled by SIGINT" in user.lines
    user.wait_for_restored()


def test_it_gets_what_is_typed_for_its_questions(ask: Callable[..., Typist], tmp_path: Path) -> None:
    subprocess.run(["mkfifo", tmp_path / "go"], check=True)
    user = ask(COLLECTS)
    for number, key in ((1, "one\n"), (2, "two\n"), (3, "3")):
        user.type(f"before {number}\n")
        user.wait_for(f"before {number}")
        (tmp_path / "go").write_text("x")
        user.wait_for(f"question {number}: ")
        user.type(key)
        user.wait_for(f"done {number}")
        user.wait_for_restored()
    (tmp_path / "go").write_text("x")
    assert user.end() == 75
    assert (tmp_path / "heard").read_bytes() == b"one\n|two\n|3|"


def test_it_may_not_ask_if_its_hello_does_not_say_so(ask: Callable[..., Typist]) -> None:
    start = HOSTILE.replace('"Input", "Resize"', '"Other"')
    user = ask(
        'say(Prompt(1, KeyMode.HIDDEN, "password: "), Log(LogLevel.WARNING, "asked"))\nhear(Cancel)', start=start
    )
    user.wait_for("asked")
    assert "password" not in "".join(user.lines)
    user.type("\x03")
    assert user.end() == 254


def test_it_may_not_ask_beside_a_keyboard(
    ask: Callable[..., Typist], stages: Stages, directory: Path, tmp_path: Path
) -> None:
    """Standard input is something else, so the keys are not for this run."""
    rest = 'say(Prompt(1, KeyMode.HIDDEN, "password: "), Log(LogLevel.WARNING, "asked"))\nsys.exit(3)'
    link = link_to(tmp_path / "worker.py", HOSTILE + rest)
    words = [*PLAYSTREAM, "run", str(directory), "-p", "site.yml", "--on", link]
    user = Typist(["sh", "-c", '"$@" </dev/null', "sh", *words], stages.env)
    user.wait_for("asked")
    assert user.end() == 75
    assert "password" not in "".join(user.lines)
    user.close()


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (AFTER_THE_END, "Prompt is not valid in state 'finished'"),
        (TOO_LARGE, "a record of kind 17 announces 70000 bytes: at most 65536 are accepted"),
    ],
)
def test_what_the_protocol_does_not_allow(ask: Callable[..., Typist], rest: str, said: str) -> None:
    user = ask(rest, start=HOSTILE.replace("import *\n", "import *\nfrom playstream.pipeline.protocol import codec\n"))
    assert user.end() == 76
    assert said in " ".join(user.lines)
    user.wait_for_restored()
