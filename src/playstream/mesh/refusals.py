"""Where a connection goes to, and why there is none: what its last error means, and what to do about it."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from playstream.mesh.expiry import explain_dates
from playstream.mesh.library import import_nats
from playstream.pipeline.errors import AuthenticationFailed, HostKeyRejected, LinkError, UnreachableHost

_REASONS: Final = {
    9: "The clock of this host is behind, or that of the host on which the certificate was made was ahead",
    10: "Make a new one, and copy it to the server: playstream mesh renew server1 (or server2 …). If it was renewed, "
    "send SIGHUP to nats-server there; or the clock of this host is ahead",
    62: "The certificate names the servers as mesh init was told: use the address in the identity file (nats:///GROUP)",
    64: "The certificate names the servers as mesh init was told: use the address in the identity file (nats:///GROUP)",
}
"""What to do about the errors of OpenSSL in a certificate, by number."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and as whom."""

    urls: Sequence[str]
    """The servers, `nats://HOST:PORT` or `tls://HOST:PORT`."""
    name: str
    """A name for the server's log."""
    inbox: str = "_INBOX"
    """The prefix of the subjects on which this side gets answers."""
    tls: ssl.SSLContext | None = None
    """The certificates; None for a connection without TLS."""
    certificate: str = ""
    """The certificate of this side, in PEM format, for messages."""


def is_final(error: BaseException | None) -> bool:
    """Return whether trying again makes no sense after an error."""
    return isinstance(error, ssl.SSLCertVerificationError) or is_refusal(error)


def is_refusal(error: BaseException | None) -> bool:
    """Return whether the server does not accept this identity: the library has a class for it, and a text.

    TLS has alerts for it. Its other errors may be those of a connection that was lost, or of a server that is busy.
    """
    if isinstance(error, ssl.SSLError):
        return "_ALERT_" in (error.reason or "")
    refused = import_nats().errors.AuthorizationError
    return isinstance(error, refused) or "authorization violation" in str(error).lower()


def explain(endpoint: Endpoint, error: BaseException | None) -> LinkError:
    """Return why there is no connection.

    Args:
        endpoint: where it was to go.
        error: the last error of connecting.
    """
    where = ", ".join(endpoint.urls)
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _REASONS.get(error.verify_code, "The identity file is of another mesh, or somebody is in between")
        return HostKeyRejected(
            f"{where}: the certificate of the server is not accepted: {error.verify_message}. {reason}"
        )
    if is_final(error):
        reason = explain_dates(endpoint.certificate, time.time()) or (
            "it was removed from the mesh, the server has not read its users since it was added, or its certificate is "
            "not valid by the clock of the server"
        )
        return AuthenticationFailed(f"{where}: the server does not accept the identity {endpoint.name}: {reason}")
    text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
    reason = f": {text}" if text else ""
    return UnreachableHost(
        f"{where}: no server of the mesh answers{reason}. Check that nats-server runs there, the address in the "
        "identity file, and firewalls on the way"
    )
