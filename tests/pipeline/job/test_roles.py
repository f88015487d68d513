"""A role is looked for exactly where Ansible will look, before anything is sent or runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.job import make_job
from playstream.pipeline.job.lookup import Delivery
from tests.stages import PLAYSTREAM

TASKS = "- debug: {msg: found}\n"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private data directory without roles; the current directory is another one, and home is empty."""
    for name in ("demo/project", "home", "here"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "demo"


def add_role(directory: Path) -> None:
    (directory / "tasks").mkdir(parents=True)
    (directory / "tasks" / "main.yml").write_text(TASKS)


def runs(demo: Path) -> bool:
    """Whether Ansible finds the role, or the check refuses it; anything else is a failure of the check."""
    try:
        runner = playstream.run(
            private_data_dir=demo, role="greet", role_skip_facts=True, inventory="n,", cmdline="-c local", quiet=True
        )
    except ConfigurationError as error:
        assert "role 'greet' was not found" in str(error)
        return False
    with runner.stdout as text:
        assert runner.status == "successful", text.read()
    return True


def _config(demo: Path) -> None:
    (demo / "project" / "ansible.cfg").write_text("[defaults]\nroles_path = ../more:$OTHER_ROLES\n")


def _environment_file(demo: Path) -> None:
    (demo / "env").mkdir()
    (demo / "env" / "envvars").write_text("ANSIBLE_ROLES_PATH: ../more\n")


def _named_config(demo: Path) -> None:
    (demo / "env").mkdir()
    (demo / "env" / "envvars").write_text("ANSIBLE_CONFIG: other.cfg\n")
    (demo / "project" / "other.cfg").write_text("[defaults]\nroles_path = ../more\n")


@pytest.mark.parametrize(
    ("place", "set_up", "variable", "found"),
    [
        ("demo/project/roles/greet", None, None, True),
        ("demo/roles/greet", None, None, True),
        ("demo/project/greet", None, None, True),
        ("home/.ansible/roles/greet", None, None, True),
        ("home/.ansible/roles/greet", _config, None, False),
        ("demo/more/greet", _config, None, True),
        ("nowhere/greet", _config, None, False),
        ("demo/more/greet", _environment_file, None, True),
        ("home/.ansible/roles/greet", _environment_file, None, False),
        ("demo/more/greet", _named_config, None, True),
        ("demo/project/sub/greet", None, "sub", True),
        ("here/sub/greet", None, "sub", False),
        ("home/mine/greet", None, "/nowhere:~/mine", True),
        ("home/.ansible/roles/greet", None, "/nowhere", False),
        ("demo/more/greet", _config, "/nowhere", False),
    ],
)
def test_where_ansible_looks(
    demo: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    set_up: Callable[[Path], None] | None,
    variable: str | None,
    found: bool,
) -> None:
    add_role(demo.parent / place)
    if set_up is not None:
        set_up(demo)
    if variable is not None:
        monkeypatch.setenv("ANSIBLE_ROLES_PATH", variable)
    assert runs(demo) is found


def test_what_is_sent(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This host's own roles stay here."""
    add_role(demo.parent / "home/.ansible/roles/greet")
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", str(demo.parent / "home/.ansible/roles"))
    options = {"private_data_dir": demo, "role": "greet"}
    with pytest.raises(ConfigurationError, match="role 'greet' was not found"):
        make_job(options, Delivery.TREE)
    _config(demo)
    with pytest.raises(ConfigurationError, match="role 'greet' was not found"):
        make_job(options, Delivery.TREE)
    (demo / "project" / "ansible.cfg").write_text("[defaults]\nroles_path = /opt/roles-of-the-worker\n")
    assert make_job(options, Delivery.TREE).role == "greet"
    (demo / "project" / "ansible.cfg").unlink()
    add_role(demo / "more" / "greet")
    _environment_file(demo)
    assert make_job(options, Delivery.TREE).role == "greet"


def test_a_configuration_that_a_variable_names(demo: Path) -> None:
    """One that travels is read; what another host's says is left to Ansible."""
    options = {"private_data_dir": demo, "role": "greet"}
    _named_config(demo)
    with pytest.raises(ConfigurationError, match="role 'greet' was not found"):
        make_job(options, Delivery.TREE)
    add_role(demo / "more" / "greet")
    assert make_job(options, Delivery.TREE).role == "greet"
    (demo / "env" / "envvars").write_text("ANSIBLE_CONFIG: /etc/site/ansible.cfg\n")
    assert make_job({**options, "role": "known-there"}, Delivery.TREE).role == "known-there"


def test_the_variable_is_what_the_flag_is(demo: Path) -> None:
    """Relative directories of either are taken from the current directory too."""
    add_role(demo.parent / "here" / "sub" / "greet")
    words = [
        *PLAYSTREAM,
        "run",
        str(demo),
        "-r",
        "greet",
        "--role-skip-facts",
        "--inventory",
        "n,",
        "--cmdline",
        "-c local",
    ]
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for more, variable in (([], "sub"), (["--roles-path", "sub"], "/nowhere")):
        done = subprocess.run(
            [*words, *more], env={**env, "ANSIBLE_ROLES_PATH": variable}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "role 'greet' was not found" in done.stderr
