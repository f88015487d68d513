"""Captures what released versions of ansible-runner say to one another: python tests/vectors/capture_runner_streams.py

Each version is installed from PyPI and run, as root, in a bare environment below /var/tmp/demo, with nothing of this
machine's in it. A vector never changes once it is released, so a version that has a folder is left alone.
runner/README.md describes the files.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ansible_runner_env import ROOT, ansible_runner_python

FOLDER = Path(__file__).parent / "runner"
VERSIONS = ("2.0.4", "2.1.4", "2.2.2", "2.3.6", "2.4.3")
PLACE = Path("/var/tmp/demo")
"""Paths in the streams begin with it."""
LIMIT_SECONDS = 120
LARGEST = 60_000

ENVIRONMENT = {
    "ANSIBLE_RUNNER_KEEPALIVE_SECONDS": "0.2",  # those that know it say so while Ansible starts
    "HOME": str(PLACE),
    "LANG": "C.UTF-8",
    "PATH": f"{PLACE}/venv/bin:/usr/bin:/bin",
    "TMPDIR": f"{PLACE}/tmp",
}

PLAYBOOK = """\
- name: A bit of everything
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Run a file that came with the project, by a link
      ansible.builtin.command: "{{ playbook_dir }}/linked.sh"
      changed_when: false
      register: hello

    - name: Say it in many scripts
      ansible.builtin.debug:
        msg: "{{ hello.stdout }}: {{ item }}"
      loop: [grüße, 你好, "🙂"]

    - name: Remember something
      ansible.builtin.set_fact:
        answer: 42
        cacheable: true

    - name: Keep a secret
      ansible.builtin.debug:
        msg: opensesame7
      no_log: true

    - name: Fail and be rescued
      block:
        - name: Fail
          ansible.builtin.fail:
            msg: on purpose
      rescue:
        - name: Rescue
          ansible.builtin.debug:
            msg: rescued
"""
INVENTORY = "localhost ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
SCRIPT = "#!/bin/sh\necho hello from a file that travelled\n"


def make_private_data_dir(directory: Path) -> None:
    """Write the job's directory."""
    files = directory / "project" / "files"
    files.mkdir(parents=True)
    (directory / "project" / "site.yml").write_text(PLAYBOOK, "utf-8")
    (files / "hello.sh").write_text(SCRIPT)
    (files / "hello.sh").chmod(0o755)
    (directory / "project" / "linked.sh").symlink_to("files/hello.sh")
    (directory / "project" / "empty").mkdir()
    (directory / "inventory").mkdir()
    (directory / "inventory" / "hosts").write_text(INVENTORY)
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text("---\nfact_cache: fact_cache\n")


def capture(version: str) -> dict[str, bytes]:
    """The streams of one version, by name.

    Raises:
        SystemExit: a stream is too large or names this machine.
    """
    PLACE.mkdir()  # an error if somebody has it
    try:
        (PLACE / "venv").symlink_to(ansible_runner_python(version).parents[1])
        (PLACE / "tmp").mkdir()
        make_private_data_dir(PLACE / "sent")
        job = _call("transmit", f"{PLACE}/sent", "-p", "site.yml", "-i", "demo")
        streams = {
            "transmit": job,
            "worker": _call("worker", "--private-data-dir", f"{PLACE}/unpacked", stdin=job),
            "worker-error": _call("worker", "--private-data-dir", f"{PLACE}/other", stdin=b"no JSON\n"),
        }
    finally:
        shutil.rmtree(PLACE)
    for name, data in streams.items():
        _check(f"{version}/{name}", data)
    return streams


def _call(*words: str, stdin: bytes = b"") -> bytes:
    # Without a network card Ansible makes its uuids of a random number and not of the card's address.
    alone = ["unshare", "--net"]
    programs = PLACE / "venv" / "bin"  # the script's own first line names the environment's real place
    done = subprocess.run(
        [*alone, programs / "python", programs / "ansible-runner", *words],
        input=stdin,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        cwd=PLACE,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return done.stdout


def _check(name: str, data: bytes) -> None:
    if not data.endswith(b'{"eof": true}\n'):
        raise SystemExit(f"{name}: expected a whole stream, got {data[-500:]!r}")
    if len(data) > LARGEST:
        raise SystemExit(f"{name}: expected at most {LARGEST} bytes, got {len(data)}")
    for word in (str(ROOT), str(Path.home()), platform.node()):
        if re.search(rb"(?<![\w/])" + re.escape(word.encode()) + rb"(?!\w)", data):
            raise SystemExit(f"{name}: {word!r} of this machine is in it")


def main() -> None:
    """Write the folders that are not there yet."""
    for version in VERSIONS:
        folder = FOLDER / version
        if folder.exists():
            continue
        streams = capture(version)
        folder.mkdir(parents=True)
        for name, data in streams.items():
            (folder / f"{name}.stream").write_bytes(data)
        print(version, json.dumps({name: len(data) for name, data in streams.items()}))


if __name__ == "__main__":
    main()
