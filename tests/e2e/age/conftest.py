"""Keys of each kind, made by the programs that users make them with."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeDir

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg: Hello from {{ inventory_hostname }}
"""


@dataclass(frozen=True)
class Key:
    """A pair of keys."""

    identity: Path
    recipient: str


def make_age_key(path: Path) -> Key:
    """A key of age's own, by age-keygen."""
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    told = subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True)
    return Key(path, told.stdout.strip())


def make_ssh_key(path: Path, kind: str, passphrase: str = "") -> Key:
    """A key of ssh's, by ssh-keygen."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "me@here", "-f", path], check=True)
    return Key(path, path.with_name(f"{path.name}.pub").read_text().strip())


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    """By name: two of age's own, and of ssh's one of each type."""
    directory = tmp_path_factory.mktemp("keys")
    return {
        "age": make_age_key(directory / "age"),
        "other": make_age_key(directory / "other"),
        "ed25519": make_ssh_key(directory / "ed25519", "ed25519"),
        "rsa": make_ssh_key(directory / "rsa", "rsa"),
        "ecdsa": make_ssh_key(directory / "ecdsa", "ecdsa"),
        "locked": make_ssh_key(directory / "locked", "ed25519", "secret"),
    }


@pytest.fixture
def directory(private_data_dir: MakeDir) -> Path:
    """A private data directory with one playbook."""
    return private_data_dir({"site.yml": PLAYBOOK})
