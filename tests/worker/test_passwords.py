"""Passwords with a name: Ansible is made to ask for them, is answered, and nobody sees them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from playstream.pipeline.job.passwords import sort_passwords
from playstream.pipeline.protocol import Job
from playstream.worker.command_line import make_command_line
from playstream.worker.paths import Paths
from playstream.worker.prompts import list_replies
from tests.conftest import MakeDir
from tests.stages import Run, Stages

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
  - debug: msg="{{ lookup('lengths') }}"
"""
# Passwords as Ansible has them, told by their lengths: their texts are nobody's to see.
LOOKUP = """\
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        from ansible.playbook.play_context import PlayContext
        import gc
        contexts = [item for item in gc.get_objects() if isinstance(item, PlayContext)]
        lengths = {(len(item.password or ''), len(item.become_pass or '')) for item in contexts}
        ssh, become = max(lengths)
        secrets = self._loader._vault.secrets
        vaults = ' '.join(sorted(f'{name}={len(secret.bytes)}' for name, secret in secrets))
        return [f'ssh {ssh} become {become} vaults {vaults}']
"""
VAULTED = """\
- hosts: all
  gather_facts: false
  tasks:
  - debug: msg="hidden has {{ hidden | length }} letters"
"""
SECRETS = {"ssh": "ssh-xyzzy-1", "become": "become-xyzzy", "vault": "vault-xyzzy", "vault:dev": "dev-xyzzy"}
PROMPTS = {
    "ssh": ["SSH password: ", "root@node1's password: ", "some text root@node1's password:", "(bob@h) Password: "],
    "become": [
        "BECOME password: ",
        "BECOME password[defaults to SSH password]: ",
        "SUDO password: ",
        "COMMUNITY.GENERAL.PFEXEC password: ",
        "SU password[defaults to SSH password]: ",
    ],
    "vault": [
        "Vault password: ",
        "Vault password (default): ",
        "New Vault password: ",
        "Confirm New Vault password: ",
        "New vault password (default): ",
    ],
    "vault:dev": ["Vault password (dev): ", "New vault password (dev): ", "Confirm new vault password (dev): "],
    "ssh_key": [
        "Enter passphrase for /r/artifacts/7/ssh_key_data: ",
        "Enter passphrase for key '/home/bob/.ssh/id_rsa': ",
    ],
}


def find_answers(passwords: dict[str, str], output: str) -> list[str]:
    return [reply.answer.decode() for reply in list_replies(passwords) if reply.prompt.search(output.encode())]


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("before", ["", "[WARNING]: something\r\n"])
def test_each_prompt_has_one_answer(name: str, before: str) -> None:
    passwords = {known: f"answer to {known}" for known in PROMPTS}
    for prompt in PROMPTS[name]:
        assert find_answers(passwords, before + prompt) == [f"answer to {name}"]
        assert find_answers(passwords, before + prompt + "\r\nmore") == [], "text further up is no prompt"


@pytest.mark.parametrize(
    "text",
    [
        "Vault password (dev2): ",
        "the password: ",
        "Become password: ",
        '"msg": "SSH password: ',
        "",
        "password",
    ],
)
def test_what_is_no_prompt_of_a_name(text: str) -> None:
    assert find_answers({name: name for name in PROMPTS}, text) == []


def test_the_default_vault_by_its_id() -> None:
    for prompt in ("Vault password: ", "Vault password (default): "):
        assert find_answers({"vault:default": "x"}, prompt) == ["x"]
    passwords = {"vault": "x", "vault:default": "y"}
    assert find_answers(passwords, "Vault password: ") == ["x"]
    assert find_answers(passwords, "Vault password (default): ") == ["y"]


def test_the_users_expressions_come_first() -> None:
    replies = list_replies({"ssh": "named", r"SSH password:\s*?$": "own"})
    assert [reply.answer for reply in replies] == [b"own", b"named"]
    assert replies[0].prompt.flags & re.MULTILINE


def test_other_names_of_passwords() -> None:
    assert sort_passwords(
        {"conn_pass": "a", "become_pass": "b", "ssh_key_passphrase": "c", "vault:x": "d"}
    ) == sort_passwords({"ssh": "a", "become": "b", "ssh_key": "c", "vault:x": "d"})


def test_no_representation_shows_an_answer() -> None:
    assert "xyzzy" not in repr(sort_passwords(SECRETS)) + repr(list_replies(SECRETS))


def write_secrets(directory: Path, secrets: dict[str, str]) -> None:
    (directory / "env").mkdir(exist_ok=True)
    text = "".join(f"'{name}': {secret}\n" for name, secret in secrets.items())
    (directory / "env" / "passwords").write_text(text)


def assert_hidden(stages: Stages, run: Run) -> None:
    assert "xyzzy" not in run.stdout + run.stderr
    for path in run.artifacts.rglob("*"):
        assert not path.is_file() or b"xyzzy" not in path.read_bytes(), path
    assert stages.leftovers() == []


def test_ansible_gets_the_named_passwords(stages: Stages, private_data_dir: MakeDir) -> None:
    directory = private_data_dir({"site.yml": PLAYBOOK})
    # The connection is local and so not asked for; that the passwords came is seen in the variables of the tasks.
    plugin = directory / "project" / "lookup_plugins" / "lengths.py"
    plugin.parent.mkdir()
    plugin.write_text(LOOKUP)
    write_secrets(directory, SECRETS)
    run = stages.run(directory, "-p", "site.yml")
    assert run.exit_statuses == (0, 0, 0), run.stdout + run.stderr
    assert "ssh 11 become 12 vaults default=11 dev=9" in run.stdout, run.stdout
    assert_hidden(stages, run)


def test_vaulted_variables_are_read(stages: Stages, private_data_dir: MakeDir, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("dev-xyzzy\n")
    directory = private_data_dir({"site.yml": VAULTED})
    variables = directory / "project" / "group_vars" / "all.yml"
    variables.parent.mkdir()
    variables.write_text("hidden: twelve chars\n")
    words = ["ansible-vault", "encrypt", "--vault-id", f"dev@{password}", str(variables)]
    subprocess.run(words, check=True, capture_output=True, env=stages.env)
    write_secrets(directory, {"vault:dev": "dev-xyzzy"})
    run = stages.run(directory, "-p", "site.yml")
    assert run.exit_statuses == (0, 0, 0), run.stdout + run.stderr
    assert "hidden has 12 letters" in run.stdout
    assert_hidden(stages, run)
    write_secrets(directory, {"vault:dev": "wrong-xyzzy"})
    run = stages.run(directory, "-p", "site.yml")
    assert run.exit_statuses[1] not in (0, 254), run.stdout
    assert "no vault secrets" in run.stdout
    assert_hidden(stages, run)


def test_no_password_is_asked_for_twice(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path)
    passwords = {"ssh": "a", "become": "b", "vault": "c", "vault:dev": "d", "vault:prod": "e"}
    job = Job(ident="x", module="ping", passwords=passwords)
    options = [
        "--ask-pass",
        "--ask-become-pass",
        "--vault-id",
        "@prompt",
        "--vault-id",
        "dev@prompt",
        "--vault-id",
        "prod@prompt",
    ]
    assert make_command_line(job, paths, lambda path: path)[1:9] == options
    given = ("-k", "-K", "--vault-id=dev@prompt", "-J", "--vault-id", "prod@prompt")
    asked = make_command_line(replace(job, cmdline=given), paths, lambda path: path)
    assert asked[1:] == [*given, "all", "-m", "ping"]
