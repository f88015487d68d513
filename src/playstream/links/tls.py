"""`tls://HOST:PORT`: a listening worker on another host, by TLS 1.3 with a certificate of each side.

The stages need descriptors that poll(2) can wait for, which TLS has not: it may have decrypted more than it has given
out. So a thread passes the bytes between TLS and a pair of sockets.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import parse_qsl

from playstream.links.link import OpenLink
from playstream.links.unix import OpenSocket, explain_end
from playstream.pipeline.errors import (
    AuthenticationFailed,
    ConfigurationError,
    HostKeyRejected,
    IncompleteStream,
    LinkError,
    PlaystreamError,
    UnreachableHost,
    did_you_mean,
)
from playstream.pipeline.io import system
from playstream.pipeline.io.addresses import TlsAddress
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.channels import Flow, SocketChannel, TlsChannel
from playstream.pipeline.io.tls import TlsFiles, explain_certificate, make_context

_CONNECT_SECONDS = 30.0
"""How long a host may take to answer, and then to complete the handshake."""
_CLOSE_SECONDS = 2.0
"""How long the other side may take to close the connection after this side."""
_FILES = {"cert": "PLAYSTREAM_TLS_CERT", "key": "PLAYSTREAM_TLS_KEY", "ca": "PLAYSTREAM_TLS_CA"}
"""The parameters of the URL, and the variables that are used instead of those that are missing."""


def tls_files(address: TlsAddress, env: Mapping[str, str]) -> TlsFiles:
    """Return the files of this side, from the URL or else from the environment.

    Args:
        address: the address with its query.
        env: the environment.

    Raises:
        ConfigurationError: the query has another form, or there is no certificate.
    """
    given = dict(parse_qsl(address.query, keep_blank_values=True))
    for name, value in given.items():
        if name not in _FILES:
            raise ConfigurationError(
                f"link {address.name}: expected cert=, key= and ca= after ?, got {name!r}{did_you_mean(name, _FILES)}"
            )
        if not value:
            raise ConfigurationError(f"link {address.name}: expected a file after {name}=, got nothing")
    found = {name: given.get(name) or env.get(variable) or None for name, variable in _FILES.items()}
    certificate, key, authority = (path and os.path.expanduser(path) for path in found.values())
    if certificate is None:
        raise ConfigurationError(
            f"link {address.name}: expected a certificate of this side: {address.name}?cert=FILE&key=FILE&ca=FILE, or "
            f"the variables {', '.join(_FILES.values())}"
        )
    return TlsFiles(certificate, key, authority)


class TlsLink:
    """A link over TLS.

    Args:
        address: the host and the port.
        files: the files of this side.

    Raises:
        ConfigurationError: a file cannot be used.
    """

    def __init__(self, address: TlsAddress, files: TlsFiles) -> None:
        self.name = address.name
        self._address = address
        self._context = make_context(files, server=False)

    def open(self, _cancellation: Cancellation | None = None, /) -> OpenLink:
        """Connect, and check the certificate of the other side.

        Raises:
            LinkError: nobody answers, or the certificate is not accepted.
        """
        try:
            sock = socket.create_connection((self._address.host, self._address.port), _CONNECT_SECONDS)
        except OSError as error:
            raise self._explain_connecting(error) from None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            tls = self._context.wrap_socket(sock, server_hostname=self._address.host, suppress_ragged_eofs=False)
        except (OSError, ValueError) as error:
            sock.close()
            raise self._explain_handshake(error) from None
        return _OpenTls(self.name, tls)

    def _explain_connecting(self, error: OSError) -> LinkError:
        host = self._address.host
        if isinstance(error, socket.gaierror):
            return UnreachableHost(f"{self.name}: the host {host!r} has no address: {error.strerror}. Check its name")
        if error.errno == errno.ECONNREFUSED:
            return UnreachableHost(
                f"{self.name}: the host is up but nobody listens on this port. Check the port, or start a worker "
                f"there: playstream worker --listen tls://:{self._address.port}"
            )
        reason = error.strerror or "no answer within 30 seconds"
        return UnreachableHost(
            f"{self.name}: the host does not answer: {reason}. Check that it is up, and the network and firewalls on "
            "the way"
        )

    def _explain_handshake(self, error: OSError | ValueError) -> LinkError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return HostKeyRejected(f"{self.name}: {_explain_certificate(self._address.host, error)}")
        reason = getattr(error, "reason", None)
        if reason in {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"}:
            return UnreachableHost(f"{self.name}: the other side has no TLS 1.3, which a listening worker has")
        if isinstance(error, ssl.SSLError) and (alert := _explain_alert(self.name, error)) is not None:
            return alert
        return UnreachableHost(
            f"{self.name}: what listens there does not answer as TLS does ({reason or error}). Check the port"
        )


class _OpenTls(OpenSocket):
    """An open link whose other half a thread connects to TLS."""

    def __init__(self, name: str, tls: ssl.SSLSocket) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(name, ours)
        self._channel = TlsChannel(tls)
        self._inner = SocketChannel(theirs)
        # The sending direction stays open until the connection ends: End says that a stream is complete.
        self._up = Flow(self._inner, self._channel, shuts=False)
        self._down = Flow(self._channel, self._inner)
        self._lingers = True
        """Whether what was sent last may need time to arrive."""
        self._thread = threading.Thread(target=self._pass_on, name="playstream-tls", daemon=True)
        self._thread.start()

    def end(self, *, wait: bool) -> None:
        """End the connection; see OpenLink."""
        self._lingers = wait
        super().end(wait=wait)
        self._thread.join(2 * _CLOSE_SECONDS)

    def explain(self, error: PlaystreamError, *, answered: bool) -> PlaystreamError:
        """Return why the link ended; see OpenLink."""
        trouble = self._down.lost or self._up.refused
        if isinstance(trouble, ssl.SSLError) and (alert := _explain_alert(self.name, trouble)) is not None:
            return alert
        if trouble is not None and isinstance(error, IncompleteStream) and answered:
            return LinkError(
                f"{self.name}: the connection was lost: {_reason(trouble)}. Everything received before is kept; the "
                "worker ends its job"
            )
        return explain_end(self.name, error, answered=answered)

    def close(self) -> None:
        """Close the connection."""
        super().close()
        self._thread.join(_CLOSE_SECONDS)

    def _pass_on(self) -> None:
        """Pass bytes on in both directions until one side has ended."""
        try:
            while not self._down.done:
                more = self._up.pump()
                more = self._down.pump() or more
                if self._up.lost is not None or self._has_hung_up():
                    break
                if not more and not self._down.done:
                    self._wait()
        finally:
            self._channel.shut()
            self._linger()
            self._inner.close()
            self._channel.close()

    def _wait(self) -> None:
        poll = system.poll()
        inner = self._inner.events(reading=self._up.reading, writing=self._down.writing)
        outer = self._channel.events(reading=self._down.reading, writing=self._up.writing)
        poll.register(self._inner.fd, inner)
        if outer:  # it may have ended, which would be reported all the time
            poll.register(self._channel.fd, outer)
        poll.poll()

    def _has_hung_up(self) -> bool:
        """Return whether the stage neither writes nor reads."""
        poll = system.poll()
        poll.register(self._inner.fd, 0)
        return bool(poll.poll(0))

    def _linger(self) -> None:
        """Wait briefly until the other side has closed the connection, so that what was sent last arrives."""
        poll = system.poll()
        poll.register(self._channel.fd, system.POLLIN)
        while self._lingers and self._channel.discard() and poll.poll(_CLOSE_SECONDS * 1000):
            pass


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)


def _explain_certificate(host: str, error: ssl.SSLCertVerificationError) -> str:
    """Explain why the certificate of the other side is not accepted, with what to do next."""
    if (flaw := explain_certificate(error, server=True)) is not None:
        return flaw
    why = error.verify_message.rstrip(".")
    if error.verify_code in _WRONG_NAME:
        return (
            f"the certificate of the worker is for another name than {host!r}: {why}. Connect by the "
            "name in its certificate, or somebody is in between"
        )
    return (
        f"the certificate of the worker is not from a CA that this side trusts: {why}. Check ca= in "
        "the URL, or somebody is in between"
    )


_WRONG_NAME = {62, 64}
"""Numbers of OpenSSL for what is wrong with a certificate, X509_V_ERR_…"""


def _explain_alert(name: str, error: ssl.SSLError) -> LinkError | None:
    """Explain an alert by which the other side has refused the certificate of this side; None for other errors."""
    for part, text in _ALERTS.items():
        if part in (error.reason or ""):
            return AuthenticationFailed(f"{name}: the worker does not accept the certificate of this side: {text}")
    return None


_ALERTS: Mapping[str, str] = {
    "CERTIFICATE_REQUIRED": "it has got none. Check cert= in the URL",
    "ALERT_UNKNOWN_CA": "it is not from a CA that the worker trusts (--tls-ca there), or that CA may not sign "
    "certificates. Check cert= in the URL; the log of the worker has more",
    "CERTIFICATE_EXPIRED": "it has expired, or a clock is wrong. Renew it",
    "CERTIFICATE_REVOKED": "it was revoked. Ask its administrator for another one",
    "CERTIFICATE_UNKNOWN": "something in it is wrong. See the log of the worker",
    "BAD_CERTIFICATE": "something in it is wrong, or it is not yet valid. See the log of the worker",
    "UNSUPPORTED_CERTIFICATE": "it is not for clients (extendedKeyUsage). Ask its administrator for another one",
}
"""Parts of OpenSSL's names of alerts, and their explanations."""
