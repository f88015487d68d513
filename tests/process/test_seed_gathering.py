"""Seed 004: every result of a run that nobody controls, labelled with a job id, in a database once at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from playstream.worker.paths import PLUGIN_DIR
from tests.stages import Stages

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: change something
      command: echo {{ inventory_hostname }}
    - name: say which job this is
      debug: {msg: "{{ lookup('env', 'PLAYSTREAM_IDENT') }}"}
    - name: fail on one
      fail: {msg: broken}
      when: inventory_hostname == 'b'
    - name: a secret
      debug: {msg: hidden-word}
      no_log: true
"""


def test_all_results_come_together_under_the_jobs_id(stages: Stages, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    recording, store = tmp_path / "events.jsonl", f"sqlite:///{tmp_path}/runs.db"
    env = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGIN_DIR),
        "PLAYSTREAM_EVENTS": str(recording),
        "PLAYSTREAM_IDENT": "job-42",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", "a,b", "-c", "local", "site.yml"]
    assert subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False).returncode == 2
    with recording.open("rb") as file:
        stages.call("process", tmp_path / "rebuilt", "-q", "--store", store, stdin=file.read())
    shown = json.loads(stages.call("show", "job-42", "--store", store, "--json").stdout)
    results = {(item["host"], item["task"]): item for item in shown["results"]}
    assert len(results) == 7
    assert results["a", "change something"]["outcome"] == "changed"
    assert results["b", "fail on one"]["outcome"] == "failed"
    assert results["a", "say which job this is"]["res"]["msg"] == "job-42"
    assert (shown["run"]["status"], shown["run"]["rc"]) == ("failed", 2)
    assert b"hidden-word" not in (tmp_path / "runs.db").read_bytes()
    failed = stages.call("runs", "--store", store, "--task", "fail on one", "--status", "failed", "--json")
    assert json.loads(failed.stdout)["ident"] == "job-42"
