"""What `make faults` takes for the interpreter's start: a SIGINT before `playstream.cli.entry.main`, and no other."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.faults.met import Met, Moment, is_of_the_start, without_dropped

STRIKING = """
import os, signal, sys

class Striking:
    def find_spec(self, name, path, target=None):
        if name == os.environ["STRIKE_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Striking())
"""
"""A sitecustomize.py: the signal comes when a module is looked for."""
DROPPED = """\
Exception ignored in: <function _get_module_lock.<locals>.cb at 0x7f5bf4b7e980>
Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 198, in cb
KeyboardInterrupt:
"""


def strike_at(module: str, stages: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit status of a worker that is interrupted when it looks for a module, and what it says."""
    (directory / "sitecustomize.py").write_text(STRIKING)
    monkeypatch.setenv("PYTHONPATH", str(directory))
    monkeypatch.setenv("STRIKE_AT", module)
    worker = stages.start("worker", stdin=subprocess.DEVNULL)
    _, said = worker.communicate(timeout=LIMIT_SECONDS)
    return worker.returncode, said.decode()


@pytest.mark.parametrize("module", ["playstream", "playstream._version", "playstream.cli", "playstream.cli.entry"])
def test_before_our_code(module: str, stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    returncode, said = strike_at(module, stages, tmp_path, monkeypatch)
    assert is_of_the_start(said), said
    beginning = Moment(frozenset({signal.SIGINT}), has_begun=False)
    assert beginning.met(returncode, said) is Met.START
    assert Moment(beginning.caught, has_begun=True).met(returncode, said) is None


@pytest.mark.parametrize("module", ["playstream.cli.main", "argparse", "playstream.worker"])
def test_in_our_code(module: str, stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    returncode, said = strike_at(module, stages, tmp_path, monkeypatch)
    assert returncode in (130, -signal.SIGINT)
    assert said.endswith(": interrupted\n")
    assert Moment(frozenset({signal.SIGINT}), has_begun=False).met(returncode, said) is None


@pytest.mark.parametrize("place", ["main.py", "worker.py", "../worker/serving.py"])
def test_a_traceback_of_our_code_is_none_of_the_start(place: str) -> None:
    import playstream.cli  # noqa: PLC0415 - where it is, is what matters

    path = (Path(str(playstream.cli.__file__)).parent / place).resolve()
    entry = f'  File "{path.with_name("entry.py")}", line 14, in main\n'
    ours = f'  File "{path}", line 3, in <module>\n'
    for frames in (entry, ours, entry + ours):
        assert not is_of_the_start(f"Traceback (most recent call last):\n{frames}KeyboardInterrupt\n")


def test_what_python_says_of_an_interrupt_that_it_drops() -> None:
    assert without_dropped(f"{DROPPED}playstream worker: more\n") == "playstream worker: more\n"
    assert "Traceback" in without_dropped(DROPPED.replace("_get_module_lock.<locals>.cb", "ours"))
