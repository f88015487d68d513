"""A private data directory with a job that uses every kind of secret there is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.secrets.accounts import Account, PasswordServer

_HERE = Path(__file__).parent
_HOSTS = """\
[all:vars]
ansible_host=127.0.0.1
ansible_port={port}
ansible_ssh_common_args="-F none"
expected={expected}
becoming={becoming}
[by_password]
asked ansible_user={login}
[by_key]
known ansible_user=root
[here]
node1 ansible_connection=local ansible_python_interpreter="{{{{ ansible_playbook_python }}}}"
"""


@dataclass(frozen=True)
class SecretJob:
    """The directory, and what goes into `env/` or comes as arguments."""

    directory: Path
    options: Mapping[str, Any]
    """Arguments of run()."""
    secrets: Mapping[str, str]
    """Names and texts, the private key's among them."""

    def write_env(self) -> None:
        """Put what the options say into `env/`."""
        env = self.directory / "env"
        env.mkdir(mode=0o700)
        for name in ("passwords", "envvars", "extravars"):
            (env / name).write_text(json.dumps(self.options[name]))
        (env / "ssh_key").write_text(self.options["ssh_key"])


def make_job(
    directory: Path, markers: Mapping[str, str], server: PasswordServer, login: Account, becoming: Account, home: Path
) -> SecretJob:
    """Make the directory; its vaulted variables are vaulted."""
    (directory / "inventory").mkdir(parents=True)
    (directory / "inventory" / "hosts").write_text(
        _HOSTS.format(
            port=server.port, expected=len(markers["vaulted variable"]), login=login.name, becoming=becoming.name
        )
    )
    project = directory / "project"
    shutil.copytree(_HERE / "library", project / "library", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_HERE / "site.yml", project)
    _write_vaults(project / "group_vars" / "here", markers, home)
    key = server.user_key.read_text()
    options = {
        "passwords": {
            "ssh": markers["ssh password"],
            "become": markers["become password"],
            "ssh_key": markers["key passphrase"],
            "vault": markers["vault password"],
            "vault:dev": markers["vault password dev"],
            "vault:prod": markers["vault password prod"],
            "^The word:\\s*?$": markers["answer to a prompt"],
        },
        "envvars": {
            "MY_TOKEN": markers["environment variable"],
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "HOME": str(home),
        },
        "extravars": {"extra": markers["extra variable"]},
        "ssh_key": key,
    }
    return SecretJob(directory, options, {**markers, "private key": key.splitlines()[2]})


def _write_vaults(directory: Path, markers: Mapping[str, str], home: Path) -> None:
    directory.mkdir(parents=True)
    for name in ("", "dev", "prod"):
        end = f" {name}" if name else ""
        variables = directory / f"{name or 'default'}.yml"
        variables.write_text(f"vaulted{name and '_' + name}: {markers['vaulted variable' + end]}\n")
        password = home / "vault-password"
        password.write_text(markers["vault password" + end])
        program = str(Path(sys.executable).with_name("ansible-vault"))
        vault = ["--vault-id", f"{name or 'default'}@{password}"]
        subprocess.run([program, "encrypt", *vault, variables], check=True, capture_output=True)
        password.unlink()
