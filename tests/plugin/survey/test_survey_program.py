"""What the survey program finds in playbooks and inventories, with the Ansible that is installed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from playstream.worker.fast.answers import Login
from playstream.worker.fast.survey import Survey, read_survey
from playstream.worker.paths import SURVEY_DIR

PROGRAMS = Path(sys.executable).parent
HOSTS = "[web]\nh1\nh2\n[web:vars]\nansible_host=127.0.0.1\nansible_host_key_checking=false\n"
CLOSED = "$ANSIBLE_VAULT;1.1;AES256\n" + "61" * 40 + "\n"


class Surveyed:
    """A project in which the survey program is run.

    Args:
        directory: for its files.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write({"hosts": HOSTS})

    def write(self, files: Mapping[str, str | list[Any] | dict[str, Any]]) -> None:
        """Write files; what is not text as JSON, which is YAML too."""
        for name, content in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))

    def look(
        self,
        *words: str,
        program: str = "ansible-playbook",
        env: Mapping[str, str] | None = None,
        vaults: Mapping[str, str] | None = None,
    ) -> Survey:
        """Return what the program finds; the words follow `-i hosts`, and `vaults` are passwords that it is given."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            [sys.executable, str(SURVEY_DIR), str(PROGRAMS / program), "-i", "hosts", *words],
            cwd=self.directory,
            env={**kept, "HOME": str(self.directory / "home"), **(env or {})},
            capture_output=True,
            input=b"" if vaults is None else json.dumps(vaults).encode(),
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return read_survey(done.stdout)

    def tasks(self, *tasks: Any, **play: Any) -> Survey:
        """Return what is found in one play."""
        self.write({"site.yml": [{"hosts": "all", "tasks": list(tasks), **play}]})
        return self.look("site.yml")


@pytest.fixture
def surveyed(tmp_path: Path) -> Surveyed:
    """A project with two hosts."""
    return Surveyed(tmp_path)


def test_a_plain_play_has_nothing_in_the_way(surveyed: Surveyed) -> None:
    found = surveyed.tasks({"command": "id"})
    assert found.trouble is None
    assert found.hosts == 2
    assert found.default_plays == 1
    assert set(found.connections) <= {"ssh", "smart"}
    assert found.settings["forks"].value == 5
    assert not any(setting.origin for setting in found.settings.values())
    kinds = ("become_methods", "become_flags", "shells", "actions", "timeouts", "strategies_chosen", "host_keys")
    for name in (*kinds, "unknown"):
        assert getattr(found, name) == {}, name
    assert found.processors == len(os.sched_getaffinity(0))
    assert found.memory
    assert found.resident


def test_who_has_made_a_setting_is_found(surveyed: Surveyed) -> None:
    surveyed.write(
        {
            "ansible.cfg": "[defaults]\nforks = 9\nstrategy = free\n[ssh_connection]\npipelining = true\n",
            "site.yml": [{"hosts": "all"}],
        }
    )
    found = surveyed.look("site.yml", env={"ANSIBLE_SSH_ARGS": "-C"})
    path = str(surveyed.directory / "ansible.cfg")
    assert (found.setting("forks").value, found.setting("forks").origin) == (9, path)
    assert (found.setting("strategy").value, found.setting("strategy").origin) == ("free", path)
    assert (found.setting("pipelining").value, found.setting("pipelining").origin) == (True, path)
    assert (found.setting("ssh_args").value, found.setting("ssh_args").origin) == ("-C", "env: ANSIBLE_SSH_ARGS")
    assert surveyed.look("site.yml", "-f", "5").setting("forks").origin == "the command line"
    assert surveyed.look("site.yml", "--forks=5").setting("forks").value == 5


def test_the_users_strategies_are_kept(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    found = surveyed.look("site.yml", env={"ANSIBLE_STRATEGY_PLUGINS": "/a:/b"})
    assert found.setting("strategy_plugins").value == ("/a", "/b")


def test_the_limit_counts(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    assert surveyed.look("site.yml", "--limit", "h2").hosts == 1


def test_what_runs_nothing_is_idle(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    assert surveyed.look("site.yml", "--list-tasks").idle
    assert surveyed.look("site.yml", "--syntax-check").idle


CONNECTIONS: dict[str, dict[str, Any]] = {
    "play": {"connection": "winrm"},
    "task": {"tasks": [{"command": "id", "connection": "winrm"}]},
    "block": {"tasks": [{"block": [{"command": "id"}], "connection": "winrm"}]},
    "rescue": {"tasks": [{"block": [{"command": "id"}], "rescue": [{"command": "id", "connection": "winrm"}]}]},
    "handler": {"handlers": [{"name": "h", "command": "id", "connection": "winrm"}]},
    "play's variables": {"vars": {"ansible_connection": "winrm"}},
    "task's variables": {"tasks": [{"command": "id", "vars": {"ansible_connection": "winrm"}}]},
    "set_fact": {"tasks": [{"set_fact": {"ansible_connection": "winrm"}}]},
    "add_host": {"tasks": [{"add_host": {"name": "new", "ansible_connection": "winrm"}}]},
    "template": {"vars": {"kind": "winrm", "ansible_connection": "{{ kind }}"}},
    "vars_files": {"vars_files": ["more.yml"]},
    "role": {"roles": ["deep"]},
    "include_tasks": {"tasks": [{"include_tasks": "inner.yml"}]},
    "include_tasks by a variable": {"tasks": [{"include_tasks": "{{ which }}.yml"}]},
    "import_tasks": {"tasks": [{"import_tasks": "inner.yml"}]},
    "include_role": {"tasks": [{"include_role": {"name": "deep"}}]},
    "include_vars": {"tasks": [{"include_vars": "more.yml"}]},
    "include_vars by a fact": {"tasks": [{"include_vars": "{{ ansible_os_family }}.yml"}]},
    "action": {"tasks": [{"action": "command id", "connection": "winrm"}]},
}
FILES: dict[str, Any] = {
    "more.yml": {"ansible_connection": "winrm"},
    "vars/Debian.yml": {"ansible_connection": "winrm"},
    "inner.yml": [{"block": [{"command": "id", "connection": "winrm"}]}],
    "roles/deep/tasks/main.yml": [{"include_tasks": "{{ ansible_distribution }}.yml"}],
    "roles/deep/tasks/other.yml": [{"command": "id", "connection": "winrm"}],
}


NAMED_BY_CASE = ("winrm", "more", "inner", "deep", "Debian", "other", "ansible_os_family }}", "which }}", "n }}")
"""Words to which the number of a case is added, so that one run of the program looks at all of them."""


def numbered(content: Any, number: int) -> Any:
    """Return content in which the words of NAMED_BY_CASE have a number."""
    text = json.dumps(content)
    for word in NAMED_BY_CASE:
        text = text.replace(word, f"{word}{number}x")
    return json.loads(text)


def test_a_connection_is_found_wherever_it_is_set(surveyed: Surveyed) -> None:
    plays = []
    for number, keywords in enumerate(CONNECTIONS.values()):
        plays.append({"hosts": "all", **numbered(keywords, number)})
        surveyed.write(numbered(FILES, number))
    surveyed.write({"site.yml": plays})
    found = surveyed.look("site.yml")
    assert found.trouble is None
    missing = [case for number, case in enumerate(CONNECTIONS) if f"winrm{number}x" not in found.connections]
    assert not missing, found


def test_a_connection_is_found_in_the_inventory(surveyed: Surveyed) -> None:
    hosts = (
        "h1 ansible_connection=of_host\nh2 kind=of_template ansible_connection='{{ kind }}'\n[web]\nh3\n"
        "[web:vars]\nansible_connection=of_group\n"
    )
    surveyed.write({"hosts": hosts, "site.yml": [{"hosts": "all"}]})
    assert {"of_host", "of_template", "of_group"} <= set(surveyed.look("site.yml").connections)


def test_files_beside_the_inventory_and_extra_variables_count(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    assert "winrm" in surveyed.look("site.yml", "-e", "ansible_connection=winrm").connections
    assert "winrm" in surveyed.look("site.yml", "-c", "winrm").connections
    surveyed.write({"group_vars/web.yml": {"ansible_connection": "winrm"}})
    assert "winrm" in surveyed.look("site.yml").connections


def test_a_host_that_only_a_delegation_reaches_counts(surveyed: Surveyed) -> None:
    surveyed.write({"hosts": f"{HOSTS}\n[other]\nw1 ansible_connection=winrm\n"})
    play = {"hosts": "web", "tasks": [{"command": "id"}]}
    surveyed.write({"site.yml": [play]})
    assert "winrm" not in surveyed.look("site.yml").connections
    surveyed.write({"site.yml": [{**play, "tasks": [{"command": "id", "delegate_to": "{{ groups.other[0] }}"}]}]})
    assert "winrm" in surveyed.look("site.yml").connections


def test_become_methods_count_only_with_become(surveyed: Surveyed) -> None:
    assert surveyed.tasks({"command": "id", "become_method": "su"}).become_methods == {}
    assert set(surveyed.tasks({"command": "id", "become": True}).become_methods) == {"sudo"}
    assert "su" in surveyed.tasks({"command": "id", "become": True, "become_method": "su"}).become_methods
    assert "doas" in surveyed.tasks({"command": "id"}, become=True, become_method="doas").become_methods
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    assert "pfexec" in surveyed.look("site.yml", "-b", "--become-method", "pfexec").become_methods
    assert set(surveyed.look("site.yml", "-e", "ansible_become=true").become_methods) == {"sudo"}


def test_flags_and_shells_are_found(surveyed: Surveyed) -> None:
    assert "-i" in surveyed.tasks({"command": "id", "become": True, "become_flags": "-i"}).become_flags
    surveyed.write({"hosts": "h1 ansible_shell_type=powershell\n", "site.yml": [{"hosts": "all"}]})
    assert "powershell" in surveyed.look("site.yml").shells


def test_time_limits_are_found(surveyed: Surveyed) -> None:
    task = {"command": "id"}
    assert surveyed.tasks({**task, "timeout": 0}).timeouts == {}
    assert set(surveyed.tasks({**task, "timeout": 3}).timeouts) == {"3"}
    assert surveyed.tasks({**task, "timeout": "{{ later }}"}).timeouts
    assert set(surveyed.tasks({"block": [task], "timeout": 4}).timeouts) == {"4"}
    assert set(surveyed.tasks(task, timeout=5).timeouts) == {"5"}
    surveyed.write({"more.yml": [{"block": [{**task, "timeout": 6}]}]})
    assert set(surveyed.tasks({"include_tasks": "more.yml"}).timeouts) == {"6"}
    surveyed.write({"site.yml": [{"hosts": "all", "tasks": [task]}], "more.yml": [task]})
    assert set(surveyed.look("site.yml", env={"ANSIBLE_TASK_TIMEOUT": "7"}).timeouts) == {"7"}
    assert set(surveyed.look("all", "-m", "ping", "--task-timeout", "8", program="ansible").timeouts) == {"8"}
    assert set(surveyed.look("all", "-m", "ping", program="ansible").timeouts) == set()


UNKNOWN: dict[str, dict[str, Any]] = {
    "the value of ansible_connection": {"vars": {"ansible_connection": "{{ later }}"}},
    "the value of become_method": {"tasks": [{"command": "id", "become": True, "become_method": "{{ later }}"}]},
    "which role '{{ later }}' is": {"tasks": [{"include_role": {"name": "{{ later }}"}}]},
    "what 'none/{{ later }}.yml' includes": {"tasks": [{"include_tasks": "none/{{ later }}.yml"}]},
    "ansible_ssh_common_args": {"tasks": [{"command": "id", "vars": {"ansible_ssh_common_args": "-o A=b"}}]},
    "closed.yml": {"tasks": [{"include_vars": "closed.yml"}]},
}


def test_what_only_the_run_knows_is_said(surveyed: Surveyed) -> None:
    plays = [{"hosts": "all", **keywords} for keywords in UNKNOWN.values()]
    surveyed.write({"closed.yml": CLOSED, "site.yml": plays})
    found = surveyed.look("site.yml")
    assert found.trouble is None
    missing = [text for text in UNKNOWN if not any(text in unknown for unknown in found.unknown)]
    assert not missing, found


def test_a_vault_with_a_password_that_is_asked_for_stays_closed(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    for words in (("--ask-vault-pass",), ("--vault-id", "dev@prompt")):
        assert "what a vault contains whose password is asked for" in surveyed.look("site.yml", *words).unknown
    surveyed.write({"group_vars/all.yml": CLOSED})
    found = surveyed.look("site.yml")
    assert found.unknown or found.trouble


@pytest.mark.parametrize(
    ("words", "vaults"),
    [
        (("--vault-password-file", "password"), {}),
        (("--ask-vault-pass",), {"": "opens it\n"}),
        (("--vault-id", "@prompt"), {"": "opens it"}),
        (("--vault-id", "default@prompt"), {"default": "opens it"}),
        (("--vault-id", "dev@prompt", "--vault-id", "other@prompt"), {"other": "another", "dev": "opens it"}),
        (("--vault-id", "dev@prompt", "--vault-password-file", "wrong"), {"dev": "opens it"}),
    ],
)
def test_a_vault_with_a_password_that_is_known_is_read(
    words: tuple[str, ...], vaults: dict[str, str], surveyed: Surveyed
) -> None:
    surveyed.write({"password": "opens it", "wrong": "does not", "opened.yml": {"ansible_connection": "of_the_vault"}})
    command = ["encrypt", "--vault-password-file", "password", "--output", "group_vars/all.yml", "opened.yml"]
    (surveyed.directory / "group_vars").mkdir()
    subprocess.run([PROGRAMS / "ansible-vault", *command], cwd=surveyed.directory, capture_output=True, check=True)
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    found = surveyed.look("site.yml", *words, vaults=vaults)
    assert (found.trouble, found.unknown) == (None, {})
    assert "of_the_vault" in found.connections


def test_a_part_of_the_passwords_is_none(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all"}]})
    done = subprocess.run(
        [sys.executable, str(SURVEY_DIR), str(PROGRAMS / "ansible-playbook"), "--ask-vault-pass", "site.yml"],
        cwd=surveyed.directory,
        input=b'{"": "cut of',
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert "what a vault contains whose password is asked for" in read_survey(done.stdout).unknown


def test_actions_that_matter_are_found(surveyed: Surveyed) -> None:
    assert surveyed.tasks({"raw": "true"}, {"copy": {"content": "x", "dest": "/tmp/x"}}).actions == {}
    assert set(surveyed.tasks({"ansible.builtin.raw": "true"}, gather_facts=False).actions) == {"raw"}
    surveyed.write({"raw.yml": [{"raw": "true"}]})
    tasks = [{"include_tasks": "raw.yml"}, {"script": "x.sh"}, {"reboot": {}}, {"apt": {"name": "bc"}}]
    found = surveyed.tasks(*tasks, {"package": {"name": "bc"}}, gather_facts=False)
    assert set(found.actions) == {"raw", "script", "reboot", "respawn:apt", "respawn:package"}


def test_an_explicit_gathering_needs_no_python(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all", "tasks": [{"raw": "true"}]}]})
    assert set(surveyed.look("site.yml", env={"ANSIBLE_GATHERING": "explicit"}).actions) == {"raw"}


def test_strategies_of_plays_are_found(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": [{"hosts": "all", "strategy": "free"}, {"hosts": "all"}]})
    found = surveyed.look("site.yml")
    assert set(found.strategies_chosen) == {"free"}
    assert found.default_plays == 1


def test_a_module_on_hosts_is_looked_at(surveyed: Surveyed) -> None:
    found = surveyed.look("all", "-m", "raw", "-a", "true", program="ansible")
    assert (found.hosts, found.default_plays, set(found.actions)) == (2, 1, {"raw"})
    assert surveyed.look("h1", "-m", "ping", program="ansible").hosts == 1
    assert set(surveyed.look("all", "-b", "-m", "ping", program="ansible").become_methods) == {"sudo"}


def test_what_ansible_would_refuse_is_trouble(surveyed: Surveyed) -> None:
    surveyed.write({"site.yml": "- hosts: [all\n"})
    found = surveyed.look("site.yml")
    assert found.trouble
    assert found.hosts is None


def test_several_playbooks_are_looked_at(surveyed: Surveyed) -> None:
    surveyed.write(
        {
            "site.yml": [{"hosts": "h1"}],
            "second.yml": [{"import_playbook": "third.yml"}],
            "third.yml": [{"hosts": "h2", "connection": "winrm"}],
        }
    )
    found = surveyed.look("site.yml", "second.yml")
    assert found.hosts == 2
    assert "winrm" in found.connections


def test_logins_are_those_of_hosts_where_a_task_becomes_another_user(surveyed: Surveyed) -> None:
    hosts = "h1\nh2 ansible_host=192.0.2.2 ansible_port=2222 ansible_user=deploy\nh3 ansible_connection=local\n"
    surveyed.write({"hosts": hosts})
    assert surveyed.tasks({"command": "id"}).logins == ()
    found = surveyed.tasks({"command": "id", "become": True}, remote_user="ops")
    assert found.logins == (("h1", Login("h1", 0, "ops")), ("h2", Login("192.0.2.2", 2222, "deploy")))
    found = surveyed.look("all", "-b", "-m", "command", "-a", "id", "-u", "me", program="ansible")
    assert found.logins[0] == ("h1", Login("h1", 0, "me"))


def test_logins_have_a_bounded_size(surveyed: Surveyed) -> None:
    surveyed.write({"hosts": "".join(f"h{number}.{'x' * 200}\n" for number in range(2000)) + "y ansible_port=ssh\n"})
    found = surveyed.tasks({"command": "id", "become": True})
    assert found.hosts == 2001
    assert 100 < len(found.logins) < 2000
