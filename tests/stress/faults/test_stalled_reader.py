"""A reader that takes nothing of the artifacts is noticed as one that takes nothing of the events."""

from __future__ import annotations

import random
from pathlib import Path

from playstream.pipeline.errors import SilentPeer
from tests.stages import LIMIT_SECONDS, Stages


def test_a_reader_that_takes_none_of_the_artifacts(stages: Stages, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    (demo / "project").mkdir(parents=True)
    (demo / "project" / "short.yml").write_text("[]\n")
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    program = fakes / "ansible-playbook"
    program.write_text(
        "#!/bin/sh\n"
        'mkdir -p "$ANSIBLE_CACHE_PLUGIN_CONNECTION"\n'
        f'cp {tmp_path / "large"} "$ANSIBLE_CACHE_PLUGIN_CONNECTION/node1"\n'
    )
    program.chmod(0o755)
    # More than a pipe and the worker's mailbox hold.
    (tmp_path / "large").write_text('{"text": "' + random.Random(1).randbytes(12 << 20).hex() + '"}')
    stages.path_before.append(fakes)
    job = stages.transmit(demo, "-p", "short.yml")
    worker = stages.start("worker", "--liveness-seconds", "0.1")
    assert worker.stdin is not None
    worker.stdin.write(job)
    worker.stdin.flush()
    try:
        worker.wait(LIMIT_SECONDS)
    finally:
        worker.kill()
    assert worker.returncode == SilentPeer.exit_status
    assert b"the process stage has read nothing for 0.5 seconds" in worker.communicate()[1]
    assert stages.leftovers() == []
