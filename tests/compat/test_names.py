"""Every name of ours is one of ansible-runner's and takes what that takes; what is left out is known and documented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compat.conftest import Run

DESCRIBE = Path(__file__).with_name("describe.py")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "compat.md"
MODULES = (
    "ansible_runner",
    "ansible_runner.__main__",
    "ansible_runner.cleanup",
    "ansible_runner.config.command",
    "ansible_runner.config.runner",
    "ansible_runner.defaults",
    "ansible_runner.exceptions",
    "ansible_runner.interface",
    "ansible_runner.loader",
    "ansible_runner.output",
    "ansible_runner.runner",
    "ansible_runner.runner_config",
    "ansible_runner.streaming",
    "ansible_runner.utils",
    "ansible_runner.utils.capacity",
    "ansible_runner.utils.importlib_compat",
)
LEFT_OUT = {
    "ansible_runner.__main__": {
        "AnsibleRunnerArgumentParser",
        "add_args_to_parser",
        "print_common_usage",
        "role_manager",
        "valid_inventory",
    },
    "ansible_runner.cleanup": {
        "add_cleanup_args",
        "delete_associated_folders",
        "is_alive",
        "project_idents",
        "run_command",
        "validate_pattern",
    },
    "ansible_runner.interface": {"init_plugin_docs_config"},
    "ansible_runner.utils": {
        "OutputEventFilter",
        "cli_mounts",
        "collect_new_events",
        "dump_artifacts",
        "get_callback_dir",
        "get_plugin_dir",
        "is_dir_owner",
    },
}
LEFT_OUT_MEMBERS = {
    "CommandConfig": {
        "containerized",
        "handle_command_wrap",
        "prepare_env",
        "should_allocate_tty",
        "wrap_args_for_containerization",
        "wrap_args_with_ssh_agent",
    },
    "Processor": {"artifacts_callback", "event_callback", "status_callback"},
    "Runner": {"event_callback", "kill_container", "status_callback"},
    "RunnerConfig": {
        "build_process_isolation_temp_dir",
        "generate_ansible_command",
        "handle_command_wrap",
        "prepare_command",
        "prepare_inventory",
        "should_allocate_tty",
        "wrap_args_for_containerization",
        "wrap_args_for_sandbox",
        "wrap_args_with_ssh_agent",
    },
    "Worker": {"artifacts_handler", "event_handler", "finished_callback", "status_handler", "update_paths"},
}
Names = dict[str, dict[str, Any]]


@pytest.fixture
def described(run: Run, runner_python: Path) -> tuple[Names, Names]:
    """Ours and theirs, by module."""
    ours = run("-m", "playstream.compat", DESCRIBE, *MODULES)
    theirs = run(DESCRIBE, *MODULES, python=runner_python)
    assert ours.returncode == theirs.returncode == 0, ours.stderr + theirs.stderr
    return json.loads(ours.stdout), json.loads(theirs.stdout)


def test_names(described: tuple[Names, Names]) -> None:
    ours, theirs = described
    for module in MODULES:
        for name in ours[module]["all"]:
            own = ours[module]["names"][name]
            their = theirs[module]["names"].get(name)
            assert their is not None, f"{module} has no {name}"
            assert (own["kind"], own["parameters"]) == (their["kind"], their["parameters"]), f"{module}.{name}"
            both = own["members"].keys() & their["members"].keys()
            assert {key: own["members"][key] for key in both} == {key: their["members"][key] for key in both}, name
            missing = set(their["members"].keys() - own["members"].keys())
            assert missing == LEFT_OUT_MEMBERS.get(name, set()), f"{module}.{name}"


def test_left_out(described: tuple[Names, Names]) -> None:
    ours, theirs = described
    page = PAGE.read_text()
    for module in MODULES:
        defined = {name for name, value in theirs[module]["names"].items() if value["own"]}
        assert defined - set(ours[module]["all"]) == LEFT_OUT.get(module, set()), module
    for name in set().union(*LEFT_OUT.values(), *LEFT_OUT_MEMBERS.values()):
        assert f"`{name}`" in page, name


def test_every_module_is_compared() -> None:
    package = Path(__file__).resolve().parents[2] / "src" / "playstream" / "compat" / "ansible_runner"
    found = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in package.rglob("*.py")
    }
    assert found - {"ansible_runner.config", "ansible_runner.plugins"} == set(MODULES)
