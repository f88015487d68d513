"""docs/cache.md: its commands work as they are written, with another place for the socket."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.matrix.debian import ROOT
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages

TEXT = (ROOT / "docs" / "cache.md").read_text(encoding="utf-8")
COMMANDS = [line[4:] for line in TEXT.splitlines() if line.startswith("    playstream ")]


def test_the_page(stages: Stages, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "demo", ignore=lambda *_: {"artifacts"})
    env = {**stages.env, "HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    listen, run, *others = (line.replace("/run/playstream", str(tmp_path)) for line in COMMANDS)
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        listener = subprocess.Popen(["sh", "-euc", f"exec {listen}"], env=env, cwd=tmp_path, stderr=stderr)
    try:
        wait_until(lambda: b" listening " in log.read_bytes() or listener.poll() is not None)
        script = "\n".join([run, *others])
        done = subprocess.run(
            ["sh", "-euc", script],
            env=env,
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
    finally:
        listener.terminate()
        listener.wait(LIMIT_SECONDS)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"in {tmp_path}/.cache/playstream/trees\n", done.stdout)
    assert "0 B left" in done.stdout
