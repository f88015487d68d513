"""What both ends of a TLS connection have in common: TLS 1.3, certificates of both sides, and private keys.

Python's ssl does the work.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io import system

_OTHERS = 0o077
_WORLD = 0o007
_NOT_YET, _EXPIRED, _PURPOSE = 9, 10, 26
_OF_CA = frozenset({25, 32, 79, 81, 82, 86, 89, 92})
_OF_HOLDER = frozenset({80, 83, 84, 85, 87, 88, 90, 91, 93})
"""Numbers of OpenSSL for what is wrong with a certificate, X509_V_ERR_…: with that of a CA, and with any other."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of one side, in PEM format."""

    certificate: str
    """Its certificate, and those between it and the CA."""
    key: str | None = None
    """Its private key; None if the file of the certificate contains it."""
    ca: str | None = None
    """The certificates of the CAs that the other side's certificate may come from; None for those of the system."""


def make_context(files: TlsFiles, *, server: bool) -> ssl.SSLContext:
    """Return the settings for one side of TLS 1.3, which demands a certificate of the other side.

    Args:
        files: the files of this side.
        server: whether this side is the server. If not, the name of the server is checked.

    Raises:
        ConfigurationError: a file cannot be used: it is missing, has another form, or others may read the key.
    """
    for path in filter(None, (files.certificate, files.key, files.ca)):
        _check_readable(path)
    check_private(files.key or files.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    if server:
        context.num_tickets = 0  # each connection shows its certificate again
    try:
        context.load_cert_chain(files.certificate, files.key, _no_passphrase)
    except ssl.SSLError as error:
        raise ConfigurationError(_explain_pair(files, error)) from None
    try:
        if files.ca is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(files.ca)
    except ssl.SSLError:
        raise ConfigurationError(f"TLS: expected certificates of CAs in PEM format in {files.ca!r}") from None
    return context


def check_private(path: str) -> None:
    """Check that nobody else may read a file with a private key, as ssh does.

    A key of another user, such as one of root that a group may read, only must not be open to everybody.

    Raises:
        ConfigurationError: somebody else may.
    """
    found = os.stat(path)
    open_to = stat.S_IMODE(found.st_mode) & (_OTHERS if found.st_uid == system.geteuid() else _WORLD)
    if open_to:
        raise ConfigurationError(
            f"TLS: the private key {path!r} can be read by others (mode {stat.S_IMODE(found.st_mode):04o}), so it is "
            f"not used: chmod 600 {path}"
        )


def explain_certificate(error: ssl.SSLCertVerificationError, *, server: bool) -> str | None:
    """Return what is wrong with a certificate of the other side itself, with what to do next.

    Args:
        error: why it was not accepted.
        server: whether the other side is the server.

    Returns:
        A sentence that names the certificate; None if the certificate has another name, or is from an unknown CA.
    """
    holder = "worker" if server else "client"
    own = f"the certificate of the {holder}"
    code, why = error.verify_code, error.verify_message.rstrip(".")
    if code == _EXPIRED:
        return f"{own} has expired. Its administrator has to renew it{', and to send SIGHUP' if server else ''}"
    if code == _NOT_YET:
        return f"{own} is not valid yet. Compare the clocks of the two hosts"
    if code == _PURPOSE:
        usage = "serverAuth" if server else "clientAuth"
        return (
            f"{own}, or that of its CA, is for another purpose: {why}. If it has extendedKeyUsage, that must contain "
            f"{usage}. Its administrator has to make another one"
        )
    if code in _OF_CA:
        return (
            f"the certificate of the CA that has signed {own} cannot be used: {why}. It needs the extensions "
            "basicConstraints=critical,CA:TRUE and keyUsage=critical,keyCertSign,cRLSign. The administrator of the CA "
            "has to make it again, with the same key and name, and to replace it on both hosts"
        )
    if code in _OF_HOLDER:
        return (
            f"{own}, or one between it and the CA, lacks what is checked: {why}. Its administrator has to make it "
            "again: `openssl x509 -req … -copy_extensions copy` of OpenSSL 3 adds what is needed"
        )
    return None


def names_in(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the names of the holder of a certificate: its DNS names, or its common name if it has no other names.

    Args:
        certificate: as returned by `SSLSocket.getpeercert`.
    """
    if not certificate:
        return ()
    others = certificate.get("subjectAltName", ())
    if others:
        return tuple(str(name) for kind, name in others if kind == "DNS")
    subject = certificate.get("subject", ())
    return tuple(str(value) for part in subject for key, value in part if key == "commonName")


def _check_readable(path: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123 - a file that exists may still not be readable
            pass
    except OSError as error:
        raise ConfigurationError(f"TLS: {path!r} cannot be read: {error.strerror}") from None


def _no_passphrase() -> str:
    raise ConfigurationError(
        "TLS: the private key has a passphrase, which nobody can type here. Make a copy without one, for this purpose "
        "alone: openssl pkey -in KEY -out COPY"
    )


def _explain_pair(files: TlsFiles, error: ssl.SSLError) -> str:
    key = files.key or files.certificate
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"TLS: the private key {key!r} does not belong to the certificate {files.certificate!r}"
    if _has(files.certificate, b"-----BEGIN CERTIFICATE-----"):
        return f"TLS: expected a private key in PEM format in {key!r}"
    return f"TLS: expected a certificate in PEM format in {files.certificate!r}"


def _has(path: str, mark: bytes) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return mark in file.read(1 << 20)
