"""Signatures: of jobs by their submitters, with Ed25519, and of lists of keys by the CA of the mesh.

A signature is over a word for what is signed, and everything that it has to fit to, so that it is worth nothing
elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from playstream.mesh.authority import Pair
from playstream.mesh.library import import_cryptography
from playstream.mesh.messages import Order
from playstream.mesh.subjects import is_name
from playstream.pipeline.errors import JobRefused, RemoteProtocolError

VALID_SECONDS: Final = 7 * 86_400.0
"""How long the signature of a job is valid that has no other limit: as long as the queue keeps it."""
SLACK_SECONDS: Final = 300.0
"""How much the clocks of submitters and nodes may differ."""
_JOB, _CHUNK = b"playstream job 1\n", b"playstream chunk 1\n"
_MAX_LIST = 1 << 20


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """A pair of keys of Ed25519, in base64."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"SigningKeys({self.public!r})"


class ListKind(Enum):
    """What a list is about."""

    SUBMITTERS = "submitters"
    """The submitters whose jobs nodes may run: their public keys, by name."""
    GROUPS = "groups"
    """The groups to which submitters may send jobs: their public keys, by name."""
    SEALED = "keys"
    """The secret keys of the groups of one node, encrypted to the node, by its name."""


@dataclass(frozen=True, slots=True)
class KeyList:
    """A list of keys that the CA of a mesh has signed."""

    serial: int
    """Each list has a higher number than those before."""
    keys: Mapping[str, str]
    """Keys by names."""


def make_signing_keys() -> SigningKeys:
    """Make a pair of keys.

    Raises:
        ConfigurationError: the library is not installed.
    """
    import_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra

    key = Ed25519PrivateKey.generate()
    return SigningKeys(_text(key.public_key().public_bytes_raw()), _text(key.private_bytes_raw()))


class JobSigner:
    """Signs the messages of one job.

    Args:
        secret: the key of the submitter.
        nonce: a random word of the job.
    """

    def __init__(self, secret: str, nonce: str) -> None:
        import_cryptography()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra

        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret))
        self.nonce = nonce

    def sign_order(self, subject: str, order: Order) -> str:
        """Return the signature of the message in the queue. `subject` is its subject."""
        return _text(self._key.sign(_order_content(subject, order)))

    def sign_chunk(self, subject: str, data: bytes, marks: Sequence[str]) -> str:
        """Return the signature of a message with a part of the job.

        Args:
            subject: its subject, with its number.
            data: its content.
            marks: the names of its headers that say something.
        """
        return _text(self._key.sign(_chunk_content(subject, data, marks, self.nonce)))


class JobVerifier:
    """Checks the messages of one job.

    Args:
        public: the key of the submitter.
        nonce: the word of the job.
    """

    def __init__(self, public: str, nonce: str) -> None:
        self._public = public
        self._nonce = nonce

    def check_order(self, subject: str, order: Order) -> bool:
        """Return whether the signature of the message in the queue fits."""
        return _fits(self._public, order.signature, _order_content(subject, order))

    def check_chunk(self, subject: str, data: bytes, marks: Sequence[str], signature: str) -> None:
        """Check the signature of a part of the job.

        Raises:
            JobRefused: it does not fit.
        """
        if not _fits(self._public, signature, _chunk_content(subject, data, marks, self._nonce)):
            raise JobRefused(
                f"message {subject.rpartition('.')[2]} of the job is not as its submitter has signed it: it was "
                "changed, cut or forged on the way. Nothing of it was passed on"
            )


def sign_list(authority: Pair, kind: ListKind, serial: int, keys: Mapping[str, str]) -> str:
    """Return a signed list.

    Args:
        authority: the CA.
        kind: what it is about.
        serial: its number.
        keys: the keys by names.
    """
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    key = load_pem_private_key(authority.key.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the CA is of another type than make_authority makes")
    signature = key.sign(_list_content(kind, serial, keys), ec.ECDSA(SHA256()))
    return json.dumps({"serial": serial, "keys": dict(keys), "signature": _text(signature)})


def read_list(text: str | bytes, kind: ListKind, ca: str) -> KeyList:
    """Return a list.

    Args:
        text: the signed list.
        kind: what it has to be about.
        ca: the certificate of the CA, in PEM format.

    Raises:
        RemoteProtocolError: the CA has not signed it, or it has another form.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

    try:
        found, signature = _parse_list(text)
        _check_list(found, kind, signature, ca)
    except (InvalidSignature, KeyError, TypeError, ValueError, RecursionError):
        raise RemoteProtocolError(
            f"the list of {kind.value} on the server is not one that the CA of this mesh has signed: it was changed "
            "or forged there. Run playstream mesh check as an operator"
        ) from None
    return found


def _parse_list(text: str | bytes) -> tuple[KeyList, bytes]:
    """Return what a list says, and its signature, which has not been checked."""
    if len(text) > _MAX_LIST:
        raise ValueError("too long")
    found = json.loads(text)
    serial, keys = found["serial"], found["keys"]
    if type(serial) is not int or not isinstance(keys, dict):
        raise TypeError("serial")
    if not all(is_name(name) and isinstance(key, str) for name, key in keys.items()):
        raise TypeError("keys")
    return KeyList(serial, keys), base64.b64decode(found["signature"], validate=True)


def _check_list(found: KeyList, kind: ListKind, signature: bytes, ca: str) -> None:
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    public = x509.load_pem_x509_certificate(ca.encode()).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise TypeError("the key of the CA is of another type than make_authority makes")
    public.verify(signature, _list_content(kind, found.serial, found.keys), ec.ECDSA(SHA256()))


def _fits(public: str, signature: str, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _order_content(subject: str, order: Order) -> bytes:
    fields = {
        "job": subject,
        "version": order.version,
        "recipient": order.recipient,
        "start_within": order.start_within,
        "needs": list(order.needs),
        "nonce": order.nonce,
        "expires": order.expires,
    }
    return _JOB + _canonical(fields)


def _chunk_content(subject: str, data: bytes, marks: Sequence[str], nonce: str) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    return _CHUNK + _canonical({"part": subject, "nonce": nonce, "marks": sorted(marks), "sha256": digest})


def _list_content(kind: ListKind, serial: int, keys: Mapping[str, str]) -> bytes:
    return f"playstream {kind.value} 1\n".encode() + _canonical({"serial": serial, "keys": dict(keys)})


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
