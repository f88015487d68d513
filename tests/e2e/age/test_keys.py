"""Recipients and identities as age takes them, and what is said of those that are of no use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.age_batches import RSA_CONTENT, BatchReader, BatchWriter
from playstream.pipeline.io.age_keys import read_identities, read_recipients
from playstream.pipeline.outbox import GATHER_SECONDS
from tests.e2e.age.conftest import Key


def test_a_file_of_recipients_has_comments_and_keys_of_each_kind(keys: dict[str, Key], tmp_path: Path) -> None:
    file = tmp_path / "recipients"
    names = ("age", "ed25519", "ecdsa", "rsa")
    file.write_text("# those who may read\n\n" + "\n".join(f" {keys[name].recipient}\r" for name in names))
    warnings: list[str] = []
    recipients = read_recipients([f"@{file}", keys["other"].recipient], warnings.append)
    assert len(recipients) == 4
    assert len(warnings) == 1
    assert "line 5: skipped" in warnings[0]
    assert "ecdsa-sha2-nistp256" in warnings[0]
    encrypted = pyrage.encrypt(b"hello", recipients)
    for name in ("age", "ed25519", "rsa", "other"):
        assert pyrage.decrypt(encrypted, read_identities([keys[name].identity])) == b"hello"


def test_identities_come_from_several_files_with_several_keys(keys: dict[str, Key], tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.write_text(keys["age"].identity.read_text() + "\n# and\n" + keys["other"].identity.read_text())
    assert len(read_identities([both, keys["rsa"].identity])) == 3


def test_an_identity_may_come_through_a_pipe(keys: dict[str, Key]) -> None:
    reading_end, writing_end = os.pipe()
    os.write(writing_end, keys["age"].identity.read_bytes())
    os.close(writing_end)
    try:
        assert len(read_identities([f"/dev/fd/{reading_end}"])) == 1
    finally:
        os.close(reading_end)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age1nonsense", "damaged, or of a type that pyrage does not support"),
        ("ssh-rsa nonsense", "damaged, or of a type that pyrage does not support"),
        ("somebody", "expected age1…, ssh-ed25519 …, ssh-rsa … or @FILE"),
        ("@/nowhere", "/nowhere cannot be read: No such file"),
        ("@/dev/null", "contains no public key"),
        ("@/proc/self/exe", "is not a text file"),
    ],
)
def test_what_is_no_recipient(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=f"encrypt_to: .*{expected}") as caught:
        read_recipients([text], pytest.fail)
    assert "nonsense" not in str(caught.value)


def test_a_secret_key_is_no_recipient_and_is_not_shown(keys: dict[str, Key], tmp_path: Path) -> None:
    secret = keys["age"].identity.read_text().splitlines()[-1]
    file = tmp_path / "mistaken"
    file.write_text(secret)
    for given in (secret, f"@{file}", f"@{keys['ed25519'].identity}"):
        with pytest.raises(ConfigurationError, match="got a secret key") as caught:
            read_recipients([given], pytest.fail)
        assert secret[20:] not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"# a comment\n", "contains no secret key"),
        (b"AGE-SECRET-KEY-1NONSENSE\n", "line 1: the secret key is damaged"),
        (b"# a comment\nage1abc\n", "line 2: expected AGE-SECRET-KEY-1"),
        (b"AGE-PLUGIN-YUBIKEY-1ABC\n", "the identity of a plugin does not"),
        (b"\xff\x00", "is not a text file"),
        (b"x" * ((1 << 24) + 1), "larger than 16 MiB"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nNONSENSE\n", "is an ssh key that cannot be used"),
        (b"age-encryption.org/v1\n\xff", "is encrypted, and its passphrase cannot be asked for"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "is encrypted, and its passphrase cannot be asked for"),
    ],
)
def test_what_is_no_identity(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "identity"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=expected) as caught:
        read_identities([file])
    assert "NONSENSE" not in str(caught.value)


@pytest.mark.parametrize("name", ["ecdsa", "locked"])
def test_ssh_keys_that_are_of_no_use(keys: dict[str, Key], name: str) -> None:
    with pytest.raises(ConfigurationError, match="Expected an ssh-ed25519 or ssh-rsa key without a passphrase"):
        read_identities([keys[name].identity])


def test_a_key_that_costs_much_gets_fewer_batches(keys: dict[str, Key]) -> None:
    """Decrypting a batch for an RSA key takes longer than the time between two flushes of events."""

    def gather_seconds(*names: str) -> float:
        return BatchWriter(read_recipients([keys[name].recipient for name in names], pytest.fail)).gather_seconds

    assert gather_seconds("age", "ed25519") < GATHER_SECONDS
    assert gather_seconds("age", "rsa") == gather_seconds("rsa") > GATHER_SECONDS
    assert gather_seconds(*["age"] * 100) > GATHER_SECONDS


def test_a_batch_of_the_largest_size_is_taken(keys: dict[str, Key]) -> None:
    """Whatever its header."""
    recipients = read_recipients([keys["rsa"].recipient] * 90 + [keys["age"].recipient], pytest.fail)
    content = os.urandom(RSA_CONTENT + 1)
    batches = list(BatchWriter(recipients).wrap([content], flush=True, last=True))
    assert len(batches) == 2
    reader = BatchReader(read_identities([keys["age"].identity]))
    reader.receive_data(b"".join(batches))
    assert (reader.next() or b"") + (reader.next() or b"") == content


def test_without_the_library_it_is_said_what_to_install(directory: Path) -> None:
    program = (
        "import sys; sys.modules['pyrage'] = None; from playstream.cli.main import main; "
        "sys.exit(main(['transmit', sys.argv[1], '-p', 'site.yml', '--encrypt-to', 'age1x']))"
    )
    done = subprocess.run([sys.executable, "-c", program, directory], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{sys.executable} -m pip install 'playstream[age]'" in done.stderr


def test_the_library_is_loaded_only_where_it_is_needed(directory: Path) -> None:
    program = (
        "import sys; from playstream.cli.main import main; status = main(['transmit', sys.argv[1], '-p', 'site.yml']); "
        "sys.exit(status or 'pyrage' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, directory], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
