"""The private data directory that goes through every combination."""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

LARGE_SIZE = 50 << 20
SECRET = "opensesame7"  # noqa: S105 - of nobody
TIME = 1_700_000_000  # even, since a zip of ansible-runner's counts in steps of 2 seconds

_TEXT = (b"the same line again\n" * (1 << 16))[: 1 << 20]
_PROJECT = Path(__file__).parent / "project"
_HOSTS = f"""\
[all:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}

[local]
node1
node2

[gone]
nowhere ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1 ansible_timeout=5
"""


def make_private_data_dir(directory: Path) -> None:
    """Write it: symlinks of all kinds, exec bits, empty directories, names in unicode, and a file of 50 MiB of which
    one half can be compressed."""
    project = directory / "project"
    shutil.copytree(_PROJECT, project)
    (project / "data").mkdir()
    _write_large(project / "data" / "large.bin")
    (project / "data" / "empty").touch()
    (project / "data" / "größe 尺寸 🙂").write_text("a name in unicode\n")
    (project / "data" / "private").write_text("for one\n")
    (project / "data" / "private").chmod(0o600)
    (project / "data" / "tool.sh").write_text("#!/bin/sh\n")
    (project / "data" / "tool.sh").chmod(0o750)
    (project / "no files" / "none either").mkdir(parents=True)
    (project / "no files" / "none either").chmod(0o700)
    (project / "to-file").symlink_to("data/tool.sh")
    (project / "to-directory").symlink_to("data")
    (project / "to-nothing").symlink_to("../nowhere/at all")
    (project / "data" / "to-parent").symlink_to("../site.yml")
    (directory / "inventory").mkdir()
    (directory / "inventory" / "hosts").write_text(_HOSTS)
    env = directory / "env"
    env.mkdir()
    (env / "extravars").write_text("from_file: a variable — é\n", "utf-8")
    (env / "envvars").write_text("FROM_ENV: its environment\n")
    (env / "settings").write_text("fact_cache: fact_cache\nfact_cache_type: jsonfile\n")
    for path in [*project.rglob("*"), *(directory / "inventory").rglob("*")]:
        os.utime(path, (TIME, TIME), follow_symlinks=False)


def _write_large(path: Path) -> None:
    source = random.Random(7)
    with path.open("wb") as file:
        for _ in range(LARGE_SIZE >> 21):
            file.write(source.randbytes(1 << 20))
            file.write(_TEXT)
