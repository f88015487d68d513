"""--private-key, --vault-password-file and --vault-id: what is read, and that it goes no way but the private one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from getpass import getuser
from pathlib import Path

import pytest

from playstream.cli.secret_files import read_private_key, read_vault_passwords
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Job
from playstream.pipeline.protocol.order import Direction
from tests.e2e.secrets.watch import Watch, find_in_files
from tests.sshd import Sshd, with_terminals
from tests.stages import Stages, read_records, stages_for_sockets

FIRST = "vault-4711-password"
SECOND = "other-4712-password"
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  vars_files: [{files}]
  tasks:
    - name: say
      ansible.builtin.debug:
        msg: "{{{{ word }}}} {{{{ other | default('else') }}}}"
"""
SSH_OPTIONS = "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile={directory}/known_hosts"


@pytest.fixture(scope="module")
def vaulted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two vaulted files of variables."""
    directory = tmp_path_factory.mktemp("vaulted")
    for name, value, password, vault_id in (("a", "word: opened", FIRST, ""), ("b", "other: too", SECOND, "dev")):
        (directory / "password").write_text(password)
        (directory / f"{name}.yml").write_text(value)
        words = ["encrypt", "--vault-id", f"{vault_id}@{directory}/password", str(directory / f"{name}.yml")]
        program = Path(sys.executable).parent / "ansible-vault"
        subprocess.run([program, *words], check=True, capture_output=True)
    (directory / "password").unlink()
    return directory


@pytest.fixture
def site(directory: Path, vaulted: Path) -> Path:
    """A private data directory with playbooks that need one and two vault passwords."""
    for name in ("a", "b"):
        (directory / "project" / f"{name}.yml").write_text((vaulted / f"{name}.yml").read_text())
    (directory / "project" / "one.yml").write_text(PLAYBOOK.format(files="a.yml"))
    (directory / "project" / "two.yml").write_text(PLAYBOOK.format(files="a.yml, b.yml"))
    return directory


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with password files, and programs that print passwords."""
    directory = tmp_path / "files"
    directory.mkdir()
    (directory / "password").write_text(f"{FIRST}\n")
    (directory / "program").write_text(f"#!/bin/sh\necho {FIRST}\n")
    (directory / "vault-client.sh").write_text(f'#!/bin/sh\n[ "$1 $2" = "--vault-id dev" ] || exit 2\necho {SECOND}\n')
    for name in ("program", "vault-client.sh"):
        (directory / name).chmod(0o700)
    return directory


@pytest.mark.parametrize("name", ["password", "program"])
def test_run_and_playbook(stages: Stages, site: Path, files: Path, tmp_path: Path, name: str) -> None:
    secrets = {"password": FIRST}
    for words in (
        ("run", site, "-p", "one.yml", "-i", "7"),
        ("playbook", site / "project" / "one.yml", "-i", site / "inventory"),
    ):
        with Watch(secrets, [site, stages.temporary], stages.temporary) as watch:
            done = stages.call(*words, "--vault-password-file", files / name)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"opened else" in done.stdout
        assert (watch.findings, watch.open_to_others) == (set(), set())
        assert watch.looks > 3
        assert {found.where for found in find_in_files(secrets, [tmp_path])} == {
            str(files / "password"),
            str(files / "program"),
        }


def test_a_module(stages: Stages, site: Path, files: Path) -> None:
    words = ("-i", site / "inventory", "-m", "debug", "-a", "msg={{word}}", "-e", f"@{site}/project/a.yml")
    done = stages.call("adhoc", "all", *words, "--vault-password-file", files / "password")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"opened" in done.stdout


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_on_another_host(stages: Stages, site: Path, files: Path, dialect: str) -> None:
    """Where there is no such file."""
    secrets = {"password": FIRST, "other": SECOND}
    words = ("--vault-password-file", str(files / "password"), "--vault-id", f"dev@{files}/vault-client.sh")
    with Watch(secrets, [site, stages.temporary], stages.temporary) as watch:
        done = stages.run(site, "-p", "two.yml", "--dialect", dialect, *words)
    assert done.exit_statuses == (0, 0, 0), done.stderr
    assert "opened too" in done.stdout
    assert watch.findings == set()
    assert str(files) not in done.text("command")


def test_flags_take_precedence_over_env(stages: Stages, site: Path, files: Path, tmp_path: Path) -> None:
    (site / "env").mkdir()
    (site / "env" / "passwords").write_text("vault: wrong\n'vault:dev': kept\n")
    (tmp_path / "key").write_text("-----BEGIN RSA PRIVATE KEY-----\ngiven\n-----END RSA PRIVATE KEY-----\n")
    (site / "env" / "ssh_key").write_text("-----BEGIN RSA PRIVATE KEY-----\nfile\n-----END RSA PRIVATE KEY-----\n")
    words = ("--vault-password-file", files / "password", "--private-key", tmp_path / "key")
    job = read_records(stages.transmit(site, "-p", "one.yml", *words), Direction.JOB)[0]
    assert isinstance(job, Job)
    assert job.passwords == {"vault": FIRST, "vault:dev": "kept"}
    assert job.ssh_key == (tmp_path / "key").read_text()
    assert job.cmdline == ()


@pytest.fixture
def short() -> Iterator[Stages]:
    with stages_for_sockets() as stages:
        yield stages


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    directory = tmp_path / "sshd"
    directory.mkdir()
    # The module raw asks for a terminal.
    with closing(Sshd(directory, "", before=with_terminals(directory))) as server:
        yield server


@pytest.mark.parametrize("command", ["run", "adhoc"])
def test_a_private_key(short: Stages, site: Path, sshd: Sshd, tmp_path: Path, command: str) -> None:
    host = f"127.0.0.1 ansible_port={sshd.port} ansible_user={getuser()} ansible_python_interpreter=/usr/bin/python3"
    (site / "inventory" / "hosts").write_text(f"{host}\n")
    secrets = {"key": sshd.user_key.read_text().splitlines()[2][:40]}
    options = SSH_OPTIONS.format(directory=tmp_path)
    words = ("-m", "raw", "-a", "echo reached", "--cmdline", f"--ssh-common-args='{options}'")
    targets: dict[str, tuple[str | Path, ...]] = {
        "run": (site, "-i", "7"),
        "adhoc": ("all", "-i", site / "inventory"),
    }
    target = targets[command]
    without = short.call(command, *target, *words)
    assert without.returncode == 4, without.stdout
    with Watch(secrets, [site, short.temporary], short.temporary) as watch:
        done = short.call(command, *target, *words, "--private-key", sshd.user_key)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"reached" in done.stdout
    assert watch.findings == set()
    assert str(sshd.user_key).encode() not in done.stdout


def test_what_passwords_are_called(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert read_vault_passwords(["password"], []) == {"vault": FIRST}
    assert read_vault_passwords([], ["password", "dev@vault-client.sh"]) == {"vault": FIRST, "vault:dev": SECOND}
    (files / "a@b").write_text(" spaced \r\n")
    assert read_vault_passwords(["a@b"], []) == {"vault": "spaced"}
    monkeypatch.setenv("HOME", str(files))
    assert read_vault_passwords(["~/program"], []) == {"vault": FIRST}


@pytest.mark.parametrize(
    ("words", "content", "expected"),
    [
        ("--vault-password-file nope", "", "--vault-password-file 'nope': .*/nope' does not exist"),
        ("--vault-id dev@nope", "", "--vault-id 'nope': .*/nope' does not exist"),
        ("--vault-password-file .", "", "expected a file or a FIFO, got a directory"),
        ("--vault-password-file made", "\n", "expected a password, got none"),
        ("--vault-password-file made", "a\nb\n", "expected one line of at most 4095 bytes.*--cmdline '--vault-passw"),
        ("--vault-password-file made", "x" * 4096, "expected one line of at most 4095 bytes"),
        ("--vault-password-file made", "$ANSIBLE_VAULT;1.1;AES256", "is encrypted by ansible-vault"),
        ("--vault-password-file broken", "", "the program cannot be started: Exec format error. If it is a plain file"),
        ("--vault-password-file failing", "", "the program printed no password: its exit status is 3"),
        ("--vault-id x@vault-client.sh", "", "the program knows no password for the vault ID 'x': its exit status is"),
        ("--vault-id a,b@password", "", "expected a vault ID of letters, .* got 'a,b'"),
        ("--vault-id dev@prompt", "", "expected ID@FILE"),
        (
            "--vault-password-file password --vault-password-file program",
            "",
            "got two for 'default'.*--vault-id OTHER",
        ),
    ],
)
def test_a_password_that_cannot_be_used(
    files: Path, monkeypatch: pytest.MonkeyPatch, words: str, content: str, expected: str
) -> None:
    monkeypatch.chdir(files)
    (files / "made").write_text(content)
    (files / "broken").write_text("no program")
    (files / "failing").write_text("#!/bin/sh\nexit 3\n")
    for name in ("broken", "failing"):
        (files / name).chmod(0o700)
    given = words.split()
    kinds = {
        flag: [value for name, value in zip(given[::2], given[1::2], strict=True) if name == flag] for flag in given
    }
    with pytest.raises(ConfigurationError, match=expected) as caught:
        read_vault_passwords(kinds.get("--vault-password-file", []), kinds.get("--vault-id", []))
    assert FIRST not in str(caught.value)
    assert "aa" not in str(caught.value)
    assert "xx" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "--private-key '.*/key': '.*/key' does not exist"),
        ("ssh-ed25519 AAAA", r"expected a private key .*This is a public key: name the file without .pub"),
        ("secret-4713", "expected a private key"),
    ],
)
def test_a_key_that_cannot_be_used(tmp_path: Path, content: str | None, expected: str) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(ConfigurationError, match=expected) as caught:
        read_private_key(str(tmp_path / "key"))
    assert content is None or content not in str(caught.value)


@pytest.mark.parametrize("command", ["run", "start", "transmit"])
def test_nothing_has_run(stages: Stages, site: Path, command: str) -> None:
    done = stages.call(command, site, "-p", "one.yml", "--vault-password-file", site / "nope")
    assert (done.returncode, done.stdout) == (1, b"")
    assert len(done.stderr.splitlines()) == 1
    assert not (site / "artifacts").exists()


@pytest.mark.parametrize(
    "words", [("--ask-vault-pass", "--vault-password-file=F"), ("--ask-vault-pass=dev", "--vault-id=dev@F")]
)
def test_one_vault_is_not_both_asked_for_and_read(
    stages: Stages, site: Path, files: Path, words: tuple[str, ...]
) -> None:
    done = stages.call("run", site, "-p", "one.yml", *(word.replace("F", f"{files}/password") for word in words))
    assert done.returncode == 1
    assert b"a file with this password is named too. Omit one of the two" in done.stderr
