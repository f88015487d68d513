"""The examples of the documents this project was created from, with `playstream` in place of their import.

Nothing else is changed but paths, and that examples for a container run here; tests/worker/isolation has containers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import playstream
from tests.interface.first_documents import run_example
from tests.interface.programs import run_program

# The examples leave closing runner.stdout to the interpreter.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_run_a_playbook(seed_dir: Path) -> None:
    printed = run_example(
        """
        r = ansible_runner.run(private_data_dir='/tmp/demo', playbook='test.yml')
        print("{}: {}".format(r.status, r.rc))
        # successful: 0
        for each_host_event in r.events:
            print(each_host_event['event'])
        print("Final status:")
        print(r.stats)
    """,
        seed_dir,
    )
    lines = printed.splitlines()
    assert lines[0] == "successful: 0"
    assert {"playbook_on_start", "runner_on_ok", "playbook_on_stats"} <= set(lines)
    assert lines[-2] == "Final status:"
    assert "'ok': {'node1': 2}" in lines[-1]


def test_handlers(seed_dir: Path) -> None:
    printed = run_example(
        """
        def my_artifacts_handler(artifacts_dir):
            # Do something here
            print(artifacts_dir)

        def my_status_handler(data, runner_config):
            # Do something here
            print(data)

        def my_event_handler(data):
            # Do something here
            print(data)

        # Do something with artifact directory after the run is complete
        r = ansible_runner.run(private_data_dir='/tmp/demo', playbook='test.yml',
                               artifacts_handler=my_artifacts_handler,
                               status_handler=my_status_handler, event_handler=my_event_handler)
    """,
        seed_dir,
    )
    lines = printed.splitlines()
    assert lines[-1].startswith(str(seed_dir / "artifacts"))
    assert "'status': 'starting'" in lines[0]
    assert "'status': 'successful'" in lines[-2]
    assert all("'counter'" in line for line in lines[2:-2])


def test_run_a_module(seed_dir: Path) -> None:
    printed = run_example(
        """
        r = ansible_runner.run(private_data_dir='/tmp/demo', host_pattern='localhost', module='shell',
                               module_args='whoami')
        print("{}: {}".format(r.status, r.rc))
        # successful: 0
        for each_host_event in r.events:
            print(each_host_event['event'])
        print("Final status:")
        print(r.stats)
    """,
        seed_dir,
    )
    lines = printed.splitlines()
    assert lines[0] == "successful: 0"
    assert "runner_on_ok" in lines
    assert "'changed': {'localhost': 1}" in lines[-1]


def test_runner_and_runner_config(seed_dir: Path) -> None:
    printed = run_example(
        """
        from playstream import Runner, RunnerConfig

        # Using tag using RunnerConfig
        rc = RunnerConfig(
            private_data_dir="project",
            playbook="main.yml",
            tags='my_tag',
        )

        rc.prepare()
        r = Runner(config=rc)
        r.run()
        print(r.status, [e['event_data']['task'] for e in r.events if e['event'] == 'runner_on_ok'])
    """,
        seed_dir,
    )
    assert printed == "successful ['Tagged']"


def test_run_a_role(seed_dir: Path) -> None:
    (seed_dir / "env").mkdir(exist_ok=True)
    printed = run_example(
        """
        r = ansible_runner.run(private_data_dir='/tmp/demo', role='myrole')
        print("{}: {}".format(r.status, r.rc))
        print(r.stats)
    """,
        seed_dir,
    )
    assert printed.startswith("successful: 0\n")
    assert "'ok': {'node1': 2}" in printed  # the role's task, and the facts


COMMAND = """
import sys
import playstream as ansible_runner

# run ansible/generic commands in interactive mode locally
out, err, rc = ansible_runner.run_command(
    executable_cmd='ansible-playbook',
    cmdline_args=['gather.yaml', '-i', '../inventory', '-vvvv', '-k'],
    input_fd=sys.stdin,
    output_fd=sys.stdout,
    error_fd=sys.stderr,
)
print("rc: {}".format(rc))
print("out: {}".format(out))
print("err: {}".format(err))
"""


def test_run_a_command_with_the_callers_streams(seed_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a password\n")
    with (tmp_path / "answers").open() as answers:
        done = run_program(COMMAND, temporary=tmp_path, cwd=seed_dir / "project", stdin=answers)
    assert done.stdout.endswith("rc: 0\nout: \nerr: \n"), done
    assert "PLAY RECAP" in done.stdout
    assert "SSH password:" in done.stdout + done.stderr
    assert done.stdout.index("PLAY RECAP") < done.stdout.index("rc: 0")


@pytest.mark.keeps_descriptors("the example does not wait for its thread")
def test_plugin_docs(seed_dir: Path) -> None:
    printed = run_example(
        """
        out, err = ansible_runner.get_plugin_docs(
            plugin_names=['ansible.builtin.debug'],
            plugin_type='module',
            response_format='json',
        )
        print("out: {}".format(out))
        print("err: {}".format(err))

        thread_obj, runner_obj = ansible_runner.get_plugin_docs_async(
            plugin_names=['ansible.builtin.copy', 'ansible.builtin.file'],
            plugin_type='module',
            response_format='json',
        )
        import time
        while runner_obj.status not in ['canceled', 'successful', 'timeout', 'failed']:
            time.sleep(0.01)
            continue

        print("async out: {}".format(runner_obj.stdout.read()))
        print("async err: {}".format(runner_obj.stderr.read()))
    """,
        seed_dir,
    )
    assert printed.startswith("out: {'ansible.builtin.debug': {")
    assert 'async out: {\n    "ansible.builtin.copy": {' in printed
    assert printed.endswith("async err: ")


def test_lists_configuration_and_inventory(seed_dir: Path) -> None:
    (seed_dir / "ansible.cfg").write_text("[defaults]\nforks = 17\n")
    printed = run_example(
        """
        # get plugin list installed on local system
        out, err = ansible_runner.get_plugin_list()
        print("list: {}".format(out))

        # get list of changed ansible configuration values
        out, err = ansible_runner.get_ansible_config(action='dump',  config_file='/tmp/demo/ansible.cfg',
                                                     only_changed=True)
        print("config: {}".format(out))

        # get ansible inventory information
        out, err = ansible_runner.get_inventory(
            action='list',
            inventories=['/tmp/demo/inventory', '/tmp/demo/inventory/hosts'],
            response_format='json',
        )
        print("inventory: {}".format(out["webservers"]))
        print("err: {}".format(err))
    """,
        seed_dir,
    )
    assert "ansible.builtin.debug" in printed
    assert "DEFAULT_FORKS" in printed
    assert "= 17" in printed
    assert printed.endswith("inventory: {'hosts': ['node1']}\nerr: ")


def test_roles(seed_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = seed_dir / "collections" / "ansible_collections" / "foo" / "bar" / "roles" / "baz" / "meta"
    meta.mkdir(parents=True)
    (meta / "argument_specs.yml").write_text(
        "argument_specs:\n  main:\n    short_description: Baz it\n    options:\n      word: {type: str}\n"
    )
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(seed_dir / "collections"))
    printed = run_example(
        """
        # get all roles with an arg spec installed locally
        out, err = ansible_runner.get_role_list()
        print("all: {}".format(out))

        # get roles with an arg spec from the `foo.bar` collection
        out, err = ansible_runner.get_role_list(collection='foo.bar')
        print("collection: {}".format(out))

        # get the arg spec for role `baz` from the locally installed `foo.bar` collection
        out, err = ansible_runner.get_role_argspec('baz', collection='foo.bar')
        print("argspec: {}".format(out['foo.bar.baz']['entry_points']['main']['options']))
    """,
        seed_dir,
    )
    lines = printed.splitlines()
    assert "'foo.bar.baz'" in lines[0]
    assert "Baz it" in lines[1]
    assert lines[2].startswith("argspec: {'word': {")


def test_the_names_in_the_documents() -> None:
    assert playstream.interface.run is playstream.run
    assert playstream.interface.run_async is playstream.run_async
    for name in (
        "run_command",
        "run_command_async",
        "get_plugin_docs",
        "get_plugin_docs_async",
        "get_plugin_list",
        "get_inventory",
        "get_ansible_config",
        "get_role_list",
        "get_role_argspec",
        "init_runner",
    ):
        assert getattr(playstream.interface, name) is getattr(playstream, name)
