"""Identity files: everything that one node, submitter or operator needs to join a mesh."""

from __future__ import annotations

import json
import os
import ssl
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from playstream.mesh.refusals import Endpoint
from playstream.mesh.subjects import check_name
from playstream.pipeline.errors import ConfigurationError, remedy
from playstream.pipeline.io import system

VARIABLE: Final = "PLAYSTREAM_MESH"
"""The variable of the environment that names the file of an identity."""
SUFFIX: Final = ".playstream"
"""The end of the names of identity files."""
_FORMAT = 1
_MAX_BYTES = 1 << 24
_OTHERS = 0o077
_TEXTS = ("ca", "certificate", "key", "public_key", "signing_key", "signed_submitters")


class Kind(Enum):
    """What an identity may do."""

    NODE = "node"
    SUBMITTER = "submitter"
    OPERATOR = "operator"

    def __str__(self) -> str:
        """Return the word with its article, for messages."""
        return f"{'an' if self is Kind.OPERATOR else 'a'} {self.value}"


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity."""

    kind: Kind
    name: str
    urls: Sequence[str]
    """The servers."""
    ca: str
    """The certificate of the CA of the mesh, in PEM format."""
    certificate: str
    key: str = field(repr=False)
    """The certificate of this identity and its private key, in PEM format."""
    lost_after: float
    """Seconds after which a node counts as lost; one value for a mesh."""
    groups: Mapping[str, str]
    """The groups of a node, or all groups of the mesh for others, and the public key of each."""
    secret_keys: Mapping[str, str] = field(repr=False)
    """The secret keys of a node's groups by their names; that of a submitter has its own name."""
    public_key: str = ""
    """The key to which results for a submitter are encrypted."""
    submitters: Sequence[str] = ()
    """For an operator, all submitters of the mesh."""
    signing_key: str = field(default="", repr=False)
    """The key with which a submitter signs its jobs."""
    signed_submitters: str = ""
    """For an operator, the signed list of submitters, which nodes believe."""
    retired_keys: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """Earlier secret keys of a node's groups, which jobs that wait may need."""
    serial: int = 0
    """The number of the list of groups; 0 if the mesh has none."""
    signed_groups: str = ""
    """For an operator, that list, signed, which submitters believe."""
    sealed_keys: Mapping[str, str] = field(default_factory=dict)
    """For an operator, by the names of nodes, keys of groups that were changed, encrypted to each node and signed."""
    expiries: Mapping[str, float] = field(default_factory=dict)
    """For an operator, when certificates of the mesh expire, in seconds since the epoch, by the names of owners."""

    @property
    def title(self) -> str:
        """What messages call it, such as `node web1`."""
        return f"{self.kind.value} {self.name}"

    @property
    def endpoint(self) -> Endpoint:
        """How to connect.

        Raises:
            ConfigurationError: the certificates in the file are damaged.
        """
        return Endpoint(self.urls, self.title, inbox(self.kind, self.name), self._context(), self.certificate)

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # The library reads a certificate and its key from files only; this one is private, and gone after it was read.
        with tempfile.NamedTemporaryFile("w", prefix="playstream-") as file:
            file.write(self.certificate + self.key)
            file.flush()
            try:
                context.load_verify_locations(cadata=self.ca)
                context.load_cert_chain(file.name)
            except (ssl.SSLError, ValueError):
                raise ConfigurationError(
                    f"the identity {self.name!r}: its certificates are damaged. Copy the file again from the "
                    "directory of the mesh"
                ) from None
        return context


def inbox(kind: Kind, name: str) -> str:
    """Return the prefix of the subjects on which only this identity gets answers."""
    return f"_INBOX.{kind.value}.{name}"


def write_identity(identity: Identity, path: Path) -> None:
    """Write an identity file, which only its owner can read. An earlier one is replaced.

    Raises:
        OSError: it cannot be written.
    """
    content = {"playstream_identity": _FORMAT, **asdict(identity), "kind": identity.kind.value}
    write_private(path, json.dumps(content, indent=1) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, and replace an earlier one in one step.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def find_identity(given: str | os.PathLike[str] | None, *kinds: Kind) -> Identity:
    """Read the identity file that was given, or else that of the environment.

    Args:
        given: the file; None for that of the environment.
        kinds: what the identity may be; none for any.

    Raises:
        ConfigurationError: there is none, or its file cannot be used.
    """
    file = given or os.environ.get(VARIABLE)
    if not file:
        raise ConfigurationError(
            f"expected the file of an identity: --identity NAME.playstream, or {VARIABLE}. playstream mesh add makes "
            "one"
        )
    return read_identity(Path(file).expanduser(), *kinds)


def read_identity(path: Path, *kinds: Kind) -> Identity:
    """Read an identity file.

    Args:
        path: the file.
        kinds: what the identity may be; none for any.

    Raises:
        ConfigurationError: it cannot be read, has another form, is of another kind, or others can read it.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"identity {str(path)!r} cannot be read: {error.strerror}. {remedy(error)}") from None
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise ConfigurationError(
            f"identity {str(path)!r} can be read by others (mode {stat.S_IMODE(found.st_mode):04o}), and contains "
            f"secret keys, so it is not used: chmod 600 {path}"
        )
    identity = parse_identity(data, str(path))
    if kinds and identity.kind not in kinds:
        expected = " or ".join(map(str, kinds))
        raise ConfigurationError(
            f"identity {str(path)!r}: expected that of {expected}, got that of the {identity.kind.value} "
            f"{identity.name!r}. playstream mesh add {kinds[0].value} NAME makes one"
        )
    return identity


def parse_identity(data: bytes, where: str) -> Identity:
    """Return the identity in the content of a file.

    Args:
        data: the content.
        where: the file, for messages.

    Raises:
        ConfigurationError: it has another form.
    """
    try:
        content = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        content = None
    version = content.get("playstream_identity") if isinstance(content, dict) else None
    if not isinstance(content, dict) or version is None:
        raise ConfigurationError(
            f"identity {where!r}: expected a file NAME{SUFFIX} that playstream mesh add has written, got something "
            "else. Keys of age belong to --identity of an encrypted stream"
        )
    if version != _FORMAT:
        raise ConfigurationError(
            f"identity {where!r} has format {version!r}, and this version of playstream reads {_FORMAT}: update "
            "playstream here, or make the identity again"
        )
    try:
        return _identity(content)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"identity {where!r} is damaged ({type(error).__name__}: {error}). Copy it again from the directory of the "
            "mesh"
        ) from None


def _identity(content: Mapping[str, Any]) -> Identity:
    lost_after = content["lost_after"]
    if not isinstance(lost_after, (int, float)) or not 1 <= lost_after <= 3600:
        raise ValueError("lost_after")
    texts = {name: content[name] for name in _TEXTS} | {"signed_groups": content.get("signed_groups", "")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("expected texts")
    serial = content.get("serial", 0)
    if type(serial) is not int:
        raise TypeError("serial")
    urls = _texts(content["urls"])
    if not urls:
        raise TypeError("urls")
    return Identity(
        kind=Kind(content["kind"]),
        name=check_name("identity", str(content["name"])),
        urls=urls,
        lost_after=float(lost_after),
        groups=_keys(content["groups"]),
        secret_keys=_keys(content["secret_keys"]),
        submitters=[check_name("submitter", name) for name in _texts(content["submitters"])],
        serial=serial,
        retired_keys={check_name("group", name): _texts(each) for name, each in _later(content, "retired_keys")},
        sealed_keys=_keys(content.get("sealed_keys", {})),
        expiries={check_name("name", name): float(at) for name, at in _later(content, "expiries")},
        **texts,
    )


def _texts(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise TypeError("expected a list of texts")
    return given


def _keys(given: Any) -> dict[str, str]:
    if not all(isinstance(value, str) for value in _mapping(given).values()):
        raise TypeError("keys")
    return {check_name("group", name): value for name, value in given.items()}


def _later(content: Mapping[str, Any], name: str) -> Iterable[tuple[str, Any]]:
    """Return what a field has that the first versions with this format did not write."""
    return _mapping(content.get(name, {})).items()


def _mapping(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise TypeError("expected a mapping")
    return given
