"""Ctrl-C while the program is still being loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages import LIMIT_SECONDS

INTERRUPTED_WHILE_LOADING = """
import os, signal, sys, weakref

wanted, where = sys.argv[1:]

class Thing:
    pass

def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)
    str()  # where Python looks for signals

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == wanted and where == "a callback":
            thing = Thing()
            watch = weakref.ref(thing, interrupt)
            del thing
        elif name == wanted:
            interrupt()

sys.meta_path.insert(0, Interrupting())
from playstream.cli.entry import main
sys.argv[1:] = ["process", "nowhere"]
sys.exit(main())
"""


@pytest.mark.parametrize("where", ["a module", "a callback"])
@pytest.mark.parametrize(
    "module",
    [
        "playstream.cli.main",
        "playstream.cli.flags",
        "playstream.cli.process",
        "playstream.process.receiving",
    ],
)
def test_it_is_a_line_and_an_exit_status(tmp_path: Path, module: str, where: str) -> None:
    """Also where Python would drop a KeyboardInterrupt: in a callback of its import system, for one."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_LOADING, module, where],
        input=b"",
        capture_output=True,
        check=False,
        timeout=LIMIT_SECONDS,
        cwd=tmp_path,
    )
    assert done.returncode == 130
    assert done.stderr.startswith(b"playstream")
    assert done.stderr.endswith(b": interrupted\n"), done.stderr
    assert done.stderr.count(b"\n") == 1
