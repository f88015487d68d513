"""What no_log hides never reaches a store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.process.event_data import CENSORED
from playstream.process.store import Store, iter_results, list_runs, open_store
from playstream.process.store.result_json import encode_res
from tests.process.store.events import Script, save

SECRET = "xyzzy-plugh-4711"  # noqa: S105 - what must not be found
HIDDEN = {"censored": CENSORED}
PLAYBOOK = f"""\
- hosts: all
  gather_facts: false
  tasks:
    - name: alone
      command: "echo {SECRET}"
      no_log: true
    - name: in a loop
      command: "echo {SECRET} {{{{ item }}}}"
      loop: [1, 2]
      no_log: true
    - name: failing
      command: "false {SECRET}"
      no_log: true
      ignore_errors: true
    - name: asynchronous
      command: "echo {SECRET}"
      async: 20
      poll: 1
      no_log: true
    - name: open
      command: echo open-sesame
"""


@pytest.mark.parametrize(
    "res",
    [
        {"censored": CENSORED, "changed": True, "stdout": SECRET},
        {"censored": "hidden", "msg": SECRET},
        {"_ansible_no_log": True, "stdout": SECRET},
        {"_ansible_no_log": "yes", "invocation": {"module_args": {"password": SECRET}}},
    ],
)
def test_nothing_is_kept_beside_what_is_hidden(res: dict[str, Any]) -> None:
    assert encode_res(res) == (f'{{"censored":"{CENSORED}"}}', False)
    for outer in ({"results": [res, {"item": 2}]}, {"a": {"b": [res]}}, [res], {"x" * 70_000: 1, "msg": res}):
        shown, _ = encode_res(outer)
        assert shown is not None
        assert SECRET not in shown
    assert encode_res({"results": [res, {"item": 2}]})[0] == (
        f'{{"results":[{{"censored":"{CENSORED}"}},{{"item":2}}]}}'
    )


def test_the_mark_itself_is_not_kept() -> None:
    assert encode_res({"_ansible_no_log": False, "a": 1}) == ('{"a":1}', False)


def test_arguments_of_tasks_are_not_kept(tmp_path: Path) -> None:
    script = Script().play().task("Login").result("ok", "web1", {"censored": CENSORED, "changed": True})
    for event in script.events:
        event["stdout"] = SECRET
        if "task_args" in event["event_data"]:
            event["event_data"]["task_args"] = f"password={SECRET}"
    with open_store(str(tmp_path / "runs.db")) as store:
        save(store, script.events)
        [result] = iter_results(store, list_runs(store)[0].id)
    assert result.outcome == "changed"
    assert result.res == HIDDEN
    assert SECRET.encode() not in (tmp_path / "runs.db").read_bytes()


def test_a_real_run_keeps_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "site.yml").write_text(PLAYBOOK)
    events: list[dict[str, Any]] = []
    run = playstream.run(
        private_data_dir=str(tmp_path),
        playbook="site.yml",
        quiet=True,
        inventory=f"h1 ansible_connection=local ansible_python_interpreter={sys.executable}",
        envvars={"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"},
        event_handler=events.append,
    )
    assert run.status == "successful"
    with open_store(str(tmp_path / "runs.db")) as store:
        save(store, events)
        found = {result.task: result for result in _results(store)}
    assert set(found) == {"alone", "in a loop", "failing", "asynchronous", "open"}
    assert found["open"].res["stdout"] == "open-sesame"
    assert found["alone"].res == HIDDEN
    assert found["failing"].outcome == "ignored"
    kept = (tmp_path / "runs.db").read_bytes()
    assert b"open-sesame" in kept
    assert SECRET.encode() not in kept


def _results(store: Store) -> list[Any]:
    return list(iter_results(store, list_runs(store)[0].id))
