"""The CA of a mesh and the certificates that it signs. This is the only module that imports cryptography."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from playstream.mesh.library import import_cryptography

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_CA_DAYS = 3650
_DAYS = 730
_SLACK = timedelta(hours=1)
"""Clocks of other hosts may be behind."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, in PEM format."""

    certificate: str
    key: str


def make_authority(name: str) -> Pair:
    """Make a CA.

    Raises:
        ConfigurationError: the library is not installed.
    """
    import_cryptography()
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name, "mesh")
    builder = (
        _builder(subject, subject, key, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pair(builder, key, key)


def issue(authority: Pair, name: str, unit: str, *, mark: str = "", hosts: Sequence[str] = ()) -> Pair:
    """Make a certificate.

    Args:
        authority: the CA.
        name: its common name.
        unit: its organizational unit.
        mark: its organization; empty for none.
        hosts: the names and addresses of a server; none for a client.
    """
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    ca = x509.load_pem_x509_certificate(authority.certificate.encode())
    ca_key = load_pem_private_key(authority.key.encode(), None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the CA is of another type than make_authority makes")
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if hosts:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)  # servers of a cluster are clients of each other
    builder = (
        _builder(_subject(name, unit, mark), ca.subject, key, _DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return _pair(builder, key, ca_key)


def expiry_of(certificate: str) -> datetime:
    """Return until when a certificate in PEM format is valid.

    Raises:
        ValueError: it is damaged.
    """
    import_cryptography()
    from cryptography import x509  # noqa: PLC0415 - an extra

    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc


def start_of(certificate: str) -> datetime:
    """Return from when on a certificate in PEM format is valid. As `expiry_of`."""
    import_cryptography()
    from cryptography import x509  # noqa: PLC0415 - an extra

    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_before_utc


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509  # noqa: PLC0415 - an extra

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _subject(name: str, unit: str, mark: str = "") -> x509.Name:
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    return x509.Name(
        [
            *([x509.NameAttribute(NameOID.ORGANIZATION_NAME, mark)] if mark else []),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415 - an extra

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509  # noqa: PLC0415 - an extra

    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey, signer: EllipticCurvePrivateKey) -> Pair:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    certificate = builder.sign(signer, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM).decode(), private.decode())
