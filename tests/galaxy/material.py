"""Collections and roles to install: tarballs that ansible-galaxy has built, and git repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LIMIT_SECONDS = 60
PROGRAM = Path(sys.executable).parent / "ansible-galaxy"
MODULE = """\
from ansible.module_utils.basic import AnsibleModule

AnsibleModule({{}}).exit_json(changed=False, msg="{message}")
"""
SITE = """\
- hosts: all
  gather_facts: false
  roles: [greet]
  tasks:
    - mine.tools.tell:
      register: told
    - debug:
        msg: "the module says {{ told.msg }}"
"""
REQUIREMENTS = """\
collections:
  - {tarball}
roles:
  - {{src: "{role}", scm: git, version: main, name: greet}}
"""


def make_collection(place: Path, version: str, message: str = "") -> Path:
    """Make the collection mine.tools with the module `tell`; return its directory."""
    (place / "plugins" / "modules").mkdir(parents=True, exist_ok=True)
    about = f"namespace: mine\nname: tools\nversion: {version}\nreadme: README.md\nauthors: [me]\n"
    (place / "galaxy.yml").write_text(about)
    (place / "README.md").write_text("tools\n")
    (place / "plugins" / "modules" / "tell.py").write_text(MODULE.format(message=message or version))
    return place


def build_collection(place: Path, target: Path, version: str, message: str = "") -> Path:
    """Build its tarball, which is always at the same path."""
    make_collection(place, version, message)
    words = [str(PROGRAM), "collection", "build", str(place), "--output-path", str(target), "--force"]
    subprocess.run(words, check=True, capture_output=True, timeout=LIMIT_SECONDS)
    tarball = target / "mine-tools.tar.gz"
    (target / f"mine-tools-{version}.tar.gz").rename(tarball)
    return tarball


def commit_role(place: Path, message: str) -> str:
    """Make a git repository with the role `greet`, or change it; return the URL."""
    for directory in ("tasks", "meta"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    (place / "tasks" / "main.yml").write_text(f"- debug:\n    msg: the role says {message}\n")
    (place / "meta" / "main.yml").write_text("galaxy_info: {author: me, license: MIT}\ndependencies: []\n")
    git(place, "init", "--quiet", "--initial-branch=main")
    git(place, "add", ".")
    git(place, "-c", "user.name=me", "-c", "user.email=me@localhost", "commit", "--quiet", "-m", message)
    return f"file://{place}"


def git(place: Path, *words: str) -> None:
    subprocess.run(["git", "-C", place, *words], check=True, capture_output=True, timeout=LIMIT_SECONDS)


Snapshot = dict[str, tuple[int, int, bytes]]


def snapshot(directory: Path) -> Snapshot:
    """Everything in a directory: mode, time of change, and content."""
    found = {}
    for path in (directory, *directory.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(directory))] = (status.st_mode, status.st_mtime_ns, content)
    return found


def put_program(place: Path, script: str) -> Path:
    """Write a shell script that stands in for ansible-galaxy; `$REAL` in it is the real one."""
    place.mkdir(exist_ok=True)
    program = place / "ansible-galaxy"
    program.write_text(f"#!/bin/sh\nREAL={PROGRAM}\n{script}\n")
    program.chmod(0o755)
    os.utime(program)
    return place
