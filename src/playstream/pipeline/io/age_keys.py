"""Keys of age: recipients, which a stream is encrypted to, and identities, which decrypt it.

Their form is that of age and its options `-r`, `-R` and `-i`. No error shows a line of a file, which may be secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.interpreter import pip_install

if TYPE_CHECKING:
    import pyrage

    Recipient: TypeAlias = pyrage.x25519.Recipient | pyrage.ssh.Recipient
    Identity: TypeAlias = pyrage.x25519.Identity | pyrage.ssh.Identity

_PUBLIC = "age1"
_SECRET = "AGE-SECRET-KEY-1"  # noqa: S105 - the prefix of a key
_SSH_TYPES = frozenset({"ssh-ed25519", "ssh-rsa"})
_OTHER_SSH_TYPES = ("ssh-", "ecdsa-", "sk-")
_PEM = "-----BEGIN "
_AGE_FILES = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
_MAX_BYTES = 1 << 24
"""Maximum size of a file with keys, as in age."""


def import_pyrage() -> ModuleType:
    """Import the library for age's format, which is only needed to encrypt or decrypt.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import pyrage  # noqa: PLC0415 - an extra, and 2 MB
    except ImportError as error:
        raise ConfigurationError(
            f"encryption requires the library pyrage, which cannot be imported ({error}): run {pip_install('age')}"
        ) from None
    return pyrage


def read_recipients(given: Iterable[str], warn: Callable[[str], object]) -> list[Recipient]:
    """Read the recipients of a stream.

    Args:
        given: public keys, of age (`age1…`) or ssh (`ssh-ed25519 …`, `ssh-rsa …`), or `@FILE` for a file with one key
            on each line.
        warn: called with a message about the ssh keys of a file that are skipped because age does not support their
            type.

    Raises:
        ConfigurationError: a key is not valid, a file cannot be read or has no key, or pyrage is missing.
    """
    import_pyrage()
    found: list[Recipient] = []
    for text in given:
        if text.startswith("@"):
            found += _recipients_of_file(text[1:], warn)
        else:
            found.append(_recipient(text.strip(), "encrypt_to"))
    return found


def read_identities(files: Sequence[str | os.PathLike[str]]) -> list[Identity]:
    """Read secret keys: files of age keys, one on each line, or an ssh private key without a passphrase.

    Raises:
        ConfigurationError: a file cannot be read, has no key or an unusable one, or pyrage is missing.
    """
    import_pyrage()
    return [identity for file in files for identity in _identities_of_file(file)]


def _read(file: str | os.PathLike[str], flag: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ConfigurationError(f"{flag}: {file} is larger than {_MAX_BYTES >> 20} MiB, so it is not a key file")
        if data.startswith(_AGE_FILES):
            raise ConfigurationError(
                f"{flag}: {file} is encrypted, and its passphrase cannot be asked for here. Decrypt it with age: "
                f"--identity <(age -d {file})"
            )
        return data.decode()
    except OSError as error:
        raise ConfigurationError(f"{flag}: {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{flag}: {file} is not a text file, so it is not a key file") from None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of the lines that are neither empty nor a comment."""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _recipients_of_file(file: str, warn: Callable[[str], object]) -> list[Recipient]:
    found: list[Recipient] = []
    for number, line in _lines(_read(file, "encrypt_to")):
        place = f"encrypt_to: {file}, line {number}"
        kind = line.split(None, 1)[0]
        if kind.startswith(_OTHER_SSH_TYPES) and kind not in _SSH_TYPES:
            warn(f"{file}, line {number}: skipped, because age cannot encrypt to an ssh key of type {kind}")
        else:
            found.append(_recipient(line, place))
    if not found:
        raise ConfigurationError(f"encrypt_to: {file} contains no public key that age can encrypt to")
    return found


def _recipient(text: str, place: str) -> Recipient:
    import pyrage  # noqa: PLC0415 - import_pyrage explains what to do if it is missing

    try:
        if text.startswith(_PUBLIC):
            return pyrage.x25519.Recipient.from_str(text)
        if text.split(" ", 1)[0] in _SSH_TYPES:
            return pyrage.ssh.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise ConfigurationError(
            f"{place}: expected a public key, got one that is damaged, or of a type that pyrage does not support "
            "(plugins, post-quantum)"
        ) from None
    if text.upper().startswith(_SECRET) or text.startswith(_PEM):
        raise ConfigurationError(
            f"{place}: expected a public key, got a secret key. Others may have seen it in a process list or a shell "
            "history: do not use it any more, create a new one (age-keygen)"
        )
    raise ConfigurationError(
        f"{place}: expected age1…, ssh-ed25519 …, ssh-rsa … or @FILE, got something else. The public key of an age "
        "identity file is what age-keygen -y prints, that of an ssh key is in the file that ends in .pub"
    )


def _identities_of_file(file: str | os.PathLike[str]) -> list[Identity]:
    import pyrage  # noqa: PLC0415 - as above

    text = _read(file, "identity")
    if text.lstrip().startswith(_PEM):
        try:
            return [pyrage.ssh.Identity.from_buffer(text.lstrip().encode())]
        except pyrage.IdentityError as error:
            raise ConfigurationError(
                f"identity: {file} is an ssh key that cannot be used: {error}. Expected an ssh-ed25519 or ssh-rsa key "
                "without a passphrase"
            ) from None
    found: list[Identity] = []
    for number, line in _lines(text):
        if not line.upper().startswith(_SECRET):
            raise ConfigurationError(
                f"identity: {file}, line {number}: expected {_SECRET}… or a comment, got something else. A file with "
                "secret keys is what age-keygen writes; an ssh private key works too, the identity of a plugin does not"
            )
        try:
            found.append(pyrage.x25519.Identity.from_str(line))
        except pyrage.IdentityError:
            raise ConfigurationError(f"identity: {file}, line {number}: the secret key is damaged") from None
    if not found:
        raise ConfigurationError(f"identity: {file} contains no secret key")
    return found
