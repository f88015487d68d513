"""Live progress, on a real terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.conftest import MakeDir
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


def show(stages: Stages, *words: str | Path, columns: int = 120) -> tuple[str, int]:
    """What a terminal gets, and the exit status."""
    command = [*PLAYSTREAM, *map(str, words)]
    child = pexpect.spawn(
        command[0], command[1:], env=stages.env, dimensions=(24, columns), timeout=60, encoding="utf-8"
    )
    text = child.read()
    child.close()
    assert child.exitstatus is not None
    return text, child.exitstatus


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


def test_process_shows_it_too(stages: Stages, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(stages.call("worker", stdin=stages.transmit(directory, "-p", "site.yml")).stdout)
    child = pexpect.spawn(
        "sh",
        ["-c", 'exec "$@" < ' + str(tmp_path / "run"), "sh", *PLAYSTREAM, "process", str(directory)],
        env=stages.env,
        dimensions=(24, 120),
        timeout=60,
        encoding="utf-8",
    )
    text = child.read()
    child.close()
    assert child.exitstatus == 0, text
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
