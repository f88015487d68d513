"""The pipeline beside whatever the user has configured: stdout callbacks, ansible.cfg, plugins, nested runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.stages import Run, Stages, displayed

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say hello
      ansible.builtin.debug:
        msg: hello
    - name: Fail
      ansible.builtin.command: "false"
      ignore_errors: true
"""
OWN_CALLBACK = """\
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "{name}"

    def v2_runner_on_ok(self, result):
        self._display.display("OWN {name} ok " + result._host.get_name())
"""


@pytest.fixture
def directory(private_data_dir: MakeDir) -> Path:
    made = private_data_dir({"site.yml": PLAYBOOK}, hosts=("node1", "node2"))
    project = made / "project"
    places = {
        "adjacent": project / "callback_plugins" / "adjacent.py",
        "elsewhere": project / "plugins" / "shown" / "elsewhere.py",
        "collected": project
        / "collections"
        / "ansible_collections"
        / "me"
        / "mine"
        / "plugins"
        / "callback"
        / "collected.py",
    }
    for name, path in places.items():
        path.parent.mkdir(parents=True)
        path.write_text(OWN_CALLBACK.format(name=name))
    return made


def check(run: Run) -> None:
    assert run.exit_statuses == (0, 0, 0), run.stdout + run.stderr
    events = run.events
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    names = [event["event"] for event in events]
    assert names.count("runner_on_ok") == 2
    assert names.count("runner_on_failed") == 2
    assert names.count("playbook_on_stats") == 1
    text = displayed(events)
    assert text.encode() == (run.artifacts / "stdout").read_bytes()


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ("stdout_callback = default", '"msg": "hello"'),
        ("stdout_callback = default\ncallback_result_format = yaml", "msg: hello"),
        ("stdout_callback = minimal", "node1 | SUCCESS"),
        ("stdout_callback = oneline", "node1 | SUCCESS"),
        ("stdout_callback = adjacent\ncallback_plugins = ./callback_plugins", "OWN adjacent ok node1"),
        ("stdout_callback = elsewhere\ncallback_plugins = ./nowhere:./plugins/shown", "OWN elsewhere ok node2"),
        ("stdout_callback = me.mine.collected\ncollections_path = ./collections", "OWN collected ok node1"),
    ],
)
def test_the_users_stdout_callback_and_ansible_cfg(stages: Stages, directory: Path, config: str, shown: str) -> None:
    (directory / "project" / "ansible.cfg").write_text(f"[defaults]\n{config}\n")
    run = stages.run(directory, "-p", "site.yml")
    check(run)
    assert shown in run.stdout


def test_the_environment_names_the_callback(stages: Stages, directory: Path) -> None:
    (directory / "env").mkdir()
    (directory / "env" / "envvars").write_text(
        "ANSIBLE_STDOUT_CALLBACK: elsewhere\nANSIBLE_CALLBACK_PLUGINS: plugins/shown\n"
    )
    run = stages.run(directory, "-p", "site.yml")
    check(run)
    assert "OWN elsewhere ok node1" in run.stdout


def test_a_nested_run_is_part_of_its_tasks_result(stages: Stages, directory: Path) -> None:
    (directory / "project" / "outer.yml").write_text(
        "- hosts: node1\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.command: ansible-playbook -i ../inventory site.yml\n"
    )
    run = stages.run(directory, "-p", "outer.yml")
    assert run.exit_statuses == (0, 0, 0), run.stdout
    events = run.events
    assert [event["event"] for event in events] == [
        "playbook_on_start",
        "playbook_on_play_start",
        "playbook_on_task_start",
        "runner_on_start",
        "runner_on_ok",
        "playbook_on_stats",
    ]
    assert "Say hello" in events[4]["event_data"]["res"]["stdout"]
    assert "Say hello" not in run.stdout


def test_output_is_shown_while_the_job_runs(stages: Stages, directory: Path, tmp_path: Path) -> None:
    """The playbook goes on only after the test has read what it printed."""
    (directory / "project" / "wait.yml").write_text(
        "- hosts: node1\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.debug: {msg: are you there}\n"
        f"    - ansible.builtin.wait_for: {{path: {tmp_path}/answer, timeout: 60, sleep: 1}}\n"
    )
    worker = stages.start("worker")
    process = stages.start("process", directory, stdin=worker.stdout)
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert process.stdout is not None
    worker.stdout.close()
    worker.stdin.write(stages.transmit(directory, "-p", "wait.yml"))
    worker.stdin.close()
    while b"are you there" not in process.stdout.readline():
        assert process.poll() is None
    assert (directory / "artifacts" / "job_events").is_dir()
    assert not (directory / "artifacts" / "status").exists()
    (tmp_path / "answer").write_text("yes")
    rest, _ = process.communicate(timeout=60)
    assert (process.returncode, worker.wait(60)) == (0, 0)
    assert b"PLAY RECAP" in rest
    assert worker.stderr is not None
    worker.stderr.close()
