"""Ctrl-C while the program is still being loaded."""

from __future__ import annotations

import subprocess
import sys

from tests.stages import LIMIT_SECONDS

INTERRUPTED_WHILE_LOADING = """
import sys

wanted = sys.argv[1]

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == wanted:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from playstream.cli.entry import main
sys.argv[1:] = ["process", "nowhere"]
sys.exit(main())
"""


INTERRUPTED_IN_A_CLASS = """
import functools, sys

def interrupt(self, owner, name):
    raise KeyboardInterrupt

class Loading:
    def find_spec(self, name, path, target=None):
        if name == "playstream.cli.main":
            functools.cached_property.__set_name__ = interrupt

sys.meta_path.insert(0, Loading())
sys.modules.pop("ipaddress", None)
from playstream.cli.entry import main
sys.argv[1:] = ["worker"]
sys.exit(main())
"""


def test_it_is_a_line_and_an_exit_status() -> None:
    for module in ("playstream.cli.main", "playstream.cli.flags", "playstream.interface.process"):
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED_WHILE_LOADING, module], input=b"", capture_output=True, check=False,
            timeout=LIMIT_SECONDS,
        )
        assert done.returncode == 130, module
        assert done.stderr.endswith(b": interrupted\n"), done.stderr
        assert b"Traceback" not in done.stderr


def test_it_is_a_line_while_a_class_is_made() -> None:
    """Python 3.11 and earlier say RuntimeError then."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IN_A_CLASS], input=b"", capture_output=True, check=False,
                          timeout=LIMIT_SECONDS)
    assert done.returncode == 130
    assert done.stderr.endswith(b": interrupted\n"), done.stderr
    assert b"Traceback" not in done.stderr
