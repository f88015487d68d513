"""Live progress, on a real terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pexpect
import pyte
import pytest

from playstream.pipeline.protocol import Log, LogLevel, Record
from tests.conftest import MakeDir
from tests.interface.test_plugins import write_plugin
from tests.process.test_processing import WHOLE, encode
from tests.stages import PLAYSTREAM, Stages

LINE = re.compile(r"0:00:\d\d\S*  hosts (\d+)\S*  ok (\d+)\S*  changed (\d+)\S*  failed (\d+)\S*  unreachable (\d+)")
HOSTILE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: "clear [red] the screen"
      ansible.builtin.command:
        argv: [printf, 'before \\033[2J\\033[H\\033]0;title\\007\\033c after']
      register: it
    - ansible.builtin.debug:
        msg: "{{ it.stdout }}"
"""


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def show(
    stages: Stages, *words: str | Path, columns: int = 120, rows: int = 24, stdin: Path | None = None
) -> tuple[str, int]:
    """What a terminal gets, and the exit status."""
    command = [*PLAYSTREAM, *map(str, words)]
    if stdin is not None:
        command = ["sh", "-c", 'in=$1; shift; exec "$@" < "$in"', "sh", str(stdin), *command]
    child = pexpect.spawn(
        command[0], command[1:], env=stages.env, dimensions=(rows, columns), timeout=60, encoding="utf-8"
    )
    text = child.read()
    child.close()
    assert child.exitstatus is not None
    return text, child.exitstatus


def screen_of(text: str, columns: int = 120, rows: int = 24) -> list[str]:
    """The lines of a terminal on which a text was written."""
    screen = pyte.Screen(columns, rows)
    pyte.Stream(screen).feed(text)
    return [line.rstrip() for line in screen.display if line.strip()]


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_run_shows_how_far_it_is(stages: Stages, directory: Path) -> None:
    (directory / "inventory" / "hosts").write_text((directory / "inventory" / "hosts").read_text() + "node2\n")
    text, status = show(stages, "run", directory, "-p", "site.yml", "--cmdline", "-e broken=1")
    assert status == 2
    assert "\x1b[2K" in text
    plain = without_colours(text)
    counts = LINE.findall(plain)
    assert (counts[0], counts[-1]) == (("0",) * 5, ("2", "4", "2", "2", "0"))
    above = re.sub(r"[^\n]*\r(\x1b\[1A)?\x1b\[2K", "", plain)
    assert above.index("TASK [greet]") < above.index("TASK [change]") < above.index("PLAY RECAP")
    assert above.count("TASK [greet]") == 1
    assert "\x1b[0;32mok: [node1]" in text.replace("\x1b[32m", "\x1b[0;32m")
    assert "\x1b[?25" not in text, "a run that is stopped or killed leaves the cursor as it is"


def test_the_line_is_gone_at_the_end(stages: Stages, directory: Path) -> None:
    text, status = show(stages, "run", directory, "-p", "site.yml", "-i", "1", "--cmdline", "-e broken=1")
    assert status == 2
    assert LINE.search(without_colours(text))
    lines = screen_of(text)
    assert lines[-1] == "playstream run: failed: node1 failed at task 'break': broken"
    assert lines[-2].startswith("node1  ")
    assert [line for line in lines if " hosts " in line] == []


def process_on_a_terminal(stages: Stages, directory: Path, stream: bytes) -> str:
    """What a terminal gets from `process` for a stream."""
    (directory / "stream").write_bytes(stream)
    return show(stages, "process", directory, stdin=directory / "stream")[0]


@pytest.mark.parametrize(
    "stream",
    [b"rubbish\n" * 20_000, b"", b'{"status": "error", "job_explanation": "no room"}\n{"eof": true}\n'],
    ids=["no stream", "nothing", "a worker that failed"],
)
def test_nothing_is_shown_above_a_refusal(stages: Stages, tmp_path: Path, stream: bytes) -> None:
    text = process_on_a_terminal(stages, tmp_path, stream)
    assert text.startswith("playstream process: ")
    assert "hosts" not in text


def test_a_warning_has_a_line_of_its_own(stages: Stages, tmp_path: Path) -> None:
    """Whatever is on the terminal when it arrives."""
    records: list[Record] = []
    for record in WHOLE:
        records += [record, Log(LogLevel.WARNING, f"warning {len(records)}")]
    text = process_on_a_terminal(stages, tmp_path, encode(records[:-1]))
    assert LINE.search(without_colours(text))
    lines = screen_of(text)
    said = [line for line in lines if "warning" in line]
    assert len(said) >= len(WHOLE) - 1
    assert [line for line in said if not re.fullmatch(r"playstream process: warning: warning \d+", line)] == []
    assert [line for line in lines if " hosts " in line] == []


WRITING = """
import logging, sys
kept = sys.stderr  # as logging.StreamHandler does
logger = logging.getLogger("theirs")
logger.addHandler(logging.StreamHandler())
def event_handler(runner_config, data):
    if data["event"] == "runner_on_ok":
        logger.warning("by a logger")
        print("by", "print", file=sys.stderr)
        print("in pieces", end=" ", file=kept, flush=True)
        print("of a line", file=kept)
        print("to", "the", "output")
def status_handler(runner_config, data):
    pass
"""


def test_every_writer_of_this_process_is_heeded(
    stages: Stages, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path / "site", "writing", WRITING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    text, status = show(stages, "run", directory, "-p", "site.yml", "-i", "1", rows=100)
    assert status == 0
    lines = screen_of(text, rows=100)
    for line in ("by a logger", "by print", "in pieces of a line", "to the output"):
        assert lines.count(line) == 2, (line, lines)
    assert [line for line in lines if " hosts " in line] == []


def test_process_shows_it_too(stages: Stages, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(stages.call("worker", stdin=stages.transmit(directory, "-p", "site.yml")).stdout)
    text, status = show(stages, "process", directory, stdin=tmp_path / "run")
    assert status == 0, text
    assert LINE.findall(without_colours(text))[-1] == ("1", "2", "1", "0", "0")
    assert text.count("PLAY RECAP") == 1


def test_orders_to_the_terminal_in_the_output_are_not_followed(stages: Stages, private_data_dir: MakeDir) -> None:
    hostile = private_data_dir({"site.yml": HOSTILE}, name="hostile")
    text, status = show(stages, "run", hostile, "-p", "site.yml", columns=60)
    assert status == 0, text
    assert "clear [red] the screen" in text
    for order in ("\x1b[2J", "\x1b[H", "\x1b]0", "\x1bc", "\x07"):
        assert order not in text


@pytest.mark.parametrize(("words", "term"), [(("-q",), ""), (("-j",), ""), (("--debug",), ""), ((), "dumb")])
def test_no_progress_where_it_would_disturb(
    fakes: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], term: str
) -> None:
    monkeypatch.setenv("TERM", term or "xterm")
    (directory / "project" / "quiet.yml").write_text("[]\n")
    text, status = show(fakes, *words, "run", directory, "-p", "quiet.yml")
    assert status == 0
    assert "hosts" not in text
    assert "\x1b[2K" not in text


def test_without_rich_there_are_plain_lines(
    stages: Stages, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "missing" / "rich").mkdir(parents=True)
    (tmp_path / "missing" / "rich" / "__init__.py").write_text("raise ImportError('rich is not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "missing"))
    text, status = show(stages, "run", directory, "-p", "site.yml")
    assert status == 0
    assert "TASK [greet]" in text
    assert "\x1b[2K" not in text


def test_ctrl_c_on_the_terminal(fakes: Stages, hanging: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        [*PLAYSTREAM[1:], "run", str(hanging), "-p", "hang.yml"],
        env=fakes.env,
        dimensions=(24, 80),
        timeout=30,
        encoding="utf-8",
    )
    child.expect_exact("waiting")
    child.sendintr()
    child.expect_exact("playstream run: canceled by SIGINT")
    child.read()
    child.close()
    assert child.exitstatus == 254
    assert fakes.leftovers() == []


def test_a_terminal_that_goes_away(fakes: Stages, hanging: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        [*PLAYSTREAM[1:], "run", str(hanging), "-p", "hang.yml", "-i", "x"],
        env=fakes.env,
        dimensions=(24, 80),
        timeout=30,
        encoding="utf-8",
    )
    child.expect_exact("waiting")
    # The terminal alone: child.close() sends signals too, and gives up after a tenth of a second.
    child.ptyproc.fileobj.close()  # type: ignore[attr-defined]
    child.wait()
    assert (hanging / "artifacts" / "x" / "status").read_text() == "canceled"
    assert fakes.leftovers() == []
