"""Read the files of `--private-key`, `--vault-password-file` and `--vault-id`.

They are read on this host, before the run. What they contain goes the way of the arguments `ssh_key` and `passwords`,
in memory and over pipes, so that it also works in a container and on another host, where there is no such file.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.small_files import read_text
from playstream.pipeline.job.inputs import VAULT_HEAD
from playstream.pipeline.job.passwords import MAX_ANSWER, VAULT_ID, is_vault_id, name_vault
from playstream.pipeline.tree.directories import absolute_path

_DEFAULT_ID = "default"
"""Ansible's name of the vault without an ID."""
_UNKNOWN_ID_STATUS = 2
"""Exit status of a client program that does not know the vault ID."""


def read_private_key(path: str) -> str:
    """Return the text of the private key in a file.

    Raises:
        ConfigurationError: it cannot be read, or is not a private key.
    """
    source = f"--private-key {path!r}"
    text = _read(source, path)
    if "-----BEGIN " not in text or "PRIVATE KEY-----" not in text:
        public = ". This is a public key: name the file without .pub" if text.startswith(("ssh-", "ecdsa-")) else ""
        raise ConfigurationError(f"{source}: expected a private key (-----BEGIN … PRIVATE KEY-----){public}")
    return text


def read_vault_passwords(files: Sequence[str], ids: Sequence[str]) -> dict[str, str]:
    """Return the passwords of vaults as named passwords: `vault` or `vault:ID`, to the password.

    Args:
        files: values of `--vault-password-file`: files, or programs that print the password, as for Ansible.
        ids: values of `--vault-id`: `ID@FILE`, or a file.

    Raises:
        ConfigurationError: a password cannot be read or passed on, or two have the same ID.
    """
    named = [("--vault-password-file", _DEFAULT_ID, path) for path in files]
    for item in ids:
        vault_id, _, path = item.rpartition("@")
        if path.startswith("prompt"):
            raise ConfigurationError(f"--vault-id {item!r}: expected ID@FILE. To be asked, pass --ask-vault-pass=ID")
        named.append(("--vault-id", vault_id or _DEFAULT_ID, path))
    found: dict[str, str] = {}
    for flag, vault_id, path in named:
        source = f"{flag} {path!r}"
        if not path:
            raise ConfigurationError(f"{flag} {vault_id + '@'!r}: expected ID@FILE, got no file")
        if not is_vault_id(vault_id):
            raise ConfigurationError(f"{source}: expected {VAULT_ID}, got {vault_id!r}")
        name = name_vault("" if vault_id == _DEFAULT_ID else vault_id)
        if name in found:
            raise ConfigurationError(
                f"{source}: expected one password for each vault ID, got two for {vault_id!r}. Pass --vault-id "
                "OTHER@FILE: Ansible tries the passwords of all IDs"
            )
        found[name] = _read_password(source, path, vault_id)
    return found


def _read_password(source: str, path: str, vault_id: str) -> str:
    full = absolute_path(os.path.expanduser(path))
    if os.path.isfile(full) and os.access(full, os.X_OK):
        password = _ask_program(source, full, vault_id)
    else:
        password = _read(source, path).strip()
    if not password:
        raise ConfigurationError(f"{source}: expected a password, got none")
    if password.startswith(VAULT_HEAD):
        raise ConfigurationError(f"{source}: the password itself is encrypted by ansible-vault: decrypt the file")
    if "\n" in password or "\r" in password or len(password.encode()) > MAX_ANSWER:
        raise ConfigurationError(
            f"{source}: expected one line of at most {MAX_ANSWER} bytes, because the password is typed on the job's "
            "terminal. For a run on this host Ansible itself can read the file: "
            f"--cmdline '--vault-password-file {full}'"
        )
    return password


def _ask_program(source: str, program: str, vault_id: str) -> str:
    """Return what a program prints. One with a name like NAME-client is given the vault ID, as by Ansible."""
    is_client = os.path.splitext(program)[0].endswith("-client")
    words = [program, "--vault-id", vault_id] if is_client else [program]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    except OSError as error:
        raise ConfigurationError(
            f"{source}: the program cannot be started: {error.strerror}. If it is a plain file, remove its mode x"
        ) from None
    if done.returncode:
        unknown = is_client and done.returncode == _UNKNOWN_ID_STATUS
        why = f"knows no password for the vault ID {vault_id!r}" if unknown else "printed no password"
        raise ConfigurationError(f"{source}: the program {why}: its exit status is {done.returncode}")
    try:
        return done.stdout.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{source}: expected a password in UTF-8, got other bytes") from None


def _read(source: str, path: str) -> str:
    full = Path(absolute_path(os.path.expanduser(path)))
    try:
        text = read_text(full, Path("/"))
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from None
    if text is None:
        raise ConfigurationError(f"{source}: {str(full)!r} does not exist")
    return text
