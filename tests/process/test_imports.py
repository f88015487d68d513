"""What `playstream process` loads before it reads a byte: each module costs every run its time, so they are counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.process.test_processing import WHOLE, encode
from tests.stages import LIMIT_SECONDS

LOADED = """
import sys
before = set(sys.modules)
from playstream.cli.entry import main
sys.argv = ["playstream", "process", sys.argv[1], "-q"]
status = main()
import json
print(json.dumps(sorted(set(sys.modules) - before)))
sys.exit(status)
"""
MOST = 134
"""The number with Python 3.11; other versions divide their standard library differently."""
OTHERS = {
    "pathspec",
    "pexpect",
    "yaml",
    "playstream.cli.job_flags",
    "playstream.transmit.sending",
    "playstream.worker.serving",
    "playstream.pipeline.job.inputs",
    "playstream.pipeline.job.job",
    "playstream.plugin",
    "playstream.transmit",
    "playstream.worker",
}
"""What belongs to the other subcommands."""
DISPENSABLE = {
    "asyncio",
    "ctypes",
    "email",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "logging",
    "multiprocessing",
    "queue",
    "selectors",
    "shutil",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "uuid",
}
"""What the standard library has for this and process can do without."""


def test_process_loads_only_what_it_uses(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path)],
        input=encode(WHOLE),
        capture_output=True,
        check=True,
        timeout=LIMIT_SECONDS,
    )
    loaded = set(json.loads(done.stdout))
    assert "playstream.process.artifacts" in loaded
    assert not loaded & (OTHERS | DISPENSABLE)
    assert len(loaded) <= MOST, sorted(loaded)
