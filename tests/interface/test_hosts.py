"""Programs around playstream that are not as usual: they embed Python, or have names in an encoding of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.interface.programs import fake, leftovers, run_program, start_program
from tests.processes import wait_until

EMBEDDED = """
import sys
sys.executable = sys.argv[3]
import playstream

runner = playstream.run(private_data_dir=sys.argv[1], playbook="site.yml", binary=sys.argv[2], quiet=True)
print(runner.status, runner.explanation)
"""


@pytest.mark.parametrize("name", ["uwsgi", ""])
def test_a_program_that_embeds_python(demo: Path, tmp_path: Path, temporary: Path, name: str) -> None:
    started = tmp_path / "started"
    executable = fake(tmp_path, f"touch {started}", name) if name else ""
    done = run_program(EMBEDDED, demo, fake(tmp_path, "echo hello"), executable, temporary=temporary)
    assert done.stdout == "successful None\n", done.stderr
    assert not started.exists()
    assert leftovers(temporary) == []


def test_an_archive_of_playstream_is_refused(demo: Path, tmp_path: Path, temporary: Path) -> None:
    text = f"import playstream.worker.guard as g\ng._PROGRAM = g._PROGRAM.with_name('none')\n{EMBEDDED}"
    done = run_program(text, demo, fake(tmp_path, "echo hello"), "", temporary=temporary)
    assert "JobError: the guard process cannot be started: its program is not a file" in done.stderr
    assert leftovers(temporary) == []


NAMED = """
import os, sys
import playstream

assert sys.getfilesystemencoding() == sys.argv[3], sys.getfilesystemencoding()
os.environ["TMPDIR"] = os.path.join(os.environ["TMPDIR"], os.fsdecode(b"t\\xc3\\xa9mp"))
os.mkdir(os.environ["TMPDIR"])
options = dict(private_data_dir=sys.argv[1], playbook="site.yml", binary=sys.argv[2], quiet=True)
runner = playstream.run(**options)
print(runner.status, runner.explanation, flush=True)
config = playstream.RunnerConfig(**options)
config.prepare()
print(len(os.listdir(os.environ["TMPDIR"])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def latin_1(tmp_path: Path) -> dict[str, str]:
    """A locale whose names are in Latin-1."""
    subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", tmp_path / "latin1"], check=True, capture_output=True
    )
    return {"LOCPATH": str(tmp_path), "LC_ALL": "latin1"}


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-1"])
def test_names_that_are_not_ascii(
    demo: Path, tmp_path: Path, temporary: Path, encoding: str, latin_1: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes well, and the guard of one that is killed removes what has such a name; with LC_ALL=C too."""
    for name, value in (latin_1 if encoding == "iso8859-1" else {"LC_ALL": "C"}).items():
        monkeypatch.setenv(name, value)
    directory = demo.rename(tmp_path / "dém")
    program = start_program(
        NAMED,
        directory,
        fake(tmp_path, 'touch "$PLAYSTREAM_SPOOL/data/é"; echo hello'),
        encoding,
        temporary=temporary,
        stdin=subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "successful None\n", program.communicate()
    assert program.stdout.readline() == "1\n"
    program.kill()
    program.communicate()
    wait_until(lambda: os.listdir(temporary / "témp") == [])
