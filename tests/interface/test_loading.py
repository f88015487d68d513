"""What a program that embeds playstream loads before it runs anything."""

from __future__ import annotations

import json
import subprocess
import sys

LOADED = """
import sys
before = set(sys.modules)
import playstream
playstream.run, playstream.run_async, playstream.init_runner
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_the_stages_are_loaded_when_something_is_run() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    ours = {name for name in loaded if name.startswith("playstream")}
    assert ours == {"playstream", "playstream._version", "playstream.interface", "playstream.interface.running"}
    assert not loaded & {"dataclasses", "hashlib", "pathlib", "pexpect", "subprocess", "yaml", "zstandard"}
