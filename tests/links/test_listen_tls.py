"""worker --listen tls://: certificates on both sides, and each way in which one is not accepted."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from playstream.pipeline.io import system
from playstream.pipeline.io.tls import TlsFiles, check_private, explain_certificate, make_context, names_in
from tests.links.certificates import Authority
from tests.links.conftest import Listen
from tests.links.listening import Listener, finish
from tests.links.test_listen_limits import memory_kib, open_files
from tests.links.test_listen_unix import start_hanging
from tests.processes import marked_processes, wait_until
from tests.stages import Stages, read_events

PAST = ("200101000000Z", "200201000000Z")
FUTURE = ("400101000000Z", "400201000000Z")


class Parties:
    """A CA, a server and a client, and another CA that nobody trusts."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.ca = Authority(directory)
        self.other = Authority(directory, "other")
        self.server = self.ca.sign("localhost")
        self.client = self.ca.sign("laptop")

    def flags(self, server: Path | None = None) -> tuple[str | Path, ...]:
        """The files of the listener."""
        certificate = server or self.server
        key = certificate.with_suffix(".key")
        return ("--tls-cert", certificate, "--tls-key", key, "--tls-ca", self.ca.certificate)

    def query(self, certificate: Path | None = None, ca: Path | None = None) -> str:
        """The files of the client, as the query of a URL."""
        own = certificate or self.client
        return f"?cert={own}&key={own.with_suffix('.key')}&ca={ca or self.ca.certificate}"


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("tls") / "files")


@pytest.fixture
def secure(listen: Listen, parties: Parties) -> Listener:
    """A listener over TLS that knows the client `laptop`."""
    return listen(*parties.flags(), "--allow", "laptop", address="tls://localhost:0")


def link(listener: Listener, query: str, host: str = "localhost") -> str:
    """A link to a listener."""
    return f"tls://{host}:{port_of(listener)}{query}"


def port_of(listener: Listener) -> int:
    return int(listener.address.split(",")[0].rpartition(":")[2])


def run(stages: Stages, directory: Path, url: str, ident: str = "x") -> tuple[int, str]:
    """Run site.yml over a link; return the exit status and what was printed."""
    done = stages.call("run", directory, "-p", "site.yml", "-i", ident, "--on", url)
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text
    return done.returncode, text


def test_a_run(stages: Stages, directory: Path, secure: Listener, parties: Parties) -> None:
    status, text = run(stages, directory, link(secure, parties.query()))
    assert status == 0, text
    assert len(read_events(directory / "artifacts" / "x")) > 5
    (ended,) = secure.wait_for("ended")
    assert (ended["who"], ended["job"], ended["exit_status"]) == ("certificate laptop", "x", 0)
    assert stages.leftovers() == []


def test_the_files_may_come_from_the_environment(
    stages: Stages, directory: Path, secure: Listener, parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(parties.client.parent))
    monkeypatch.setenv("PLAYSTREAM_TLS_CERT", "~/laptop.pem")
    monkeypatch.setenv("PLAYSTREAM_TLS_KEY", "~/laptop.key")
    monkeypatch.setenv("PLAYSTREAM_TLS_CA", str(parties.ca.certificate))
    status, text = run(stages, directory, link(secure, ""))
    assert status == 0, text


def test_a_key_in_the_file_of_the_certificate(
    stages: Stages, directory: Path, listen: Listen, parties: Parties, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.touch(0o600)
    both.write_text(parties.client.read_text() + parties.client.with_suffix(".key").read_text())
    listener = listen(*parties.flags(), "--allow", "LAPTOP", address="tls://localhost:0")
    status, text = run(stages, directory, link(listener, f"?cert={both}&ca={parties.ca.certificate}"))
    assert status == 0, text


def test_large_data_in_both_directions(fakes: Stages, secure: Listener, parties: Parties, tmp_path: Path) -> None:
    directory = tmp_path / "flood"
    (directory / "project").mkdir(parents=True)
    (directory / "project" / "flood.yml").write_text("[]\n")
    (directory / "project" / "large.bin").write_bytes(os.urandom(20 << 20))
    done = fakes.call("run", directory, "-p", "flood.yml", "-i", "x", "--on", link(secure, parties.query()))
    assert done.returncode == 0, done.stderr.decode()
    assert (directory / "artifacts" / "x" / "stdout").stat().st_size > 4_000_000


def test_cancel_and_a_client_that_goes_away(fakes: Stages, hanging: Path, listen: Listen, parties: Parties) -> None:
    listener = listen(*parties.flags(), "--allow", "laptop", address="tls://localhost:0")
    listener.address = link(listener, parties.query())
    canceled = start_hanging(fakes, hanging, listener, "canceled")
    canceled.send_signal(signal.SIGINT)
    assert finish(canceled)[0] == 254
    assert (hanging / "artifacts" / "canceled" / "stderr").exists()
    killed = start_hanging(fakes, hanging, listener, "killed")
    killed.kill()
    finish(killed)
    listener.wait_for("ended", job="killed")
    assert marked_processes(fakes.temporary) == []


def test_the_listener_is_killed(fakes: Stages, hanging: Path, secure: Listener, parties: Parties) -> None:
    secure.address = link(secure, parties.query())
    run = start_hanging(fakes, hanging, secure)
    secure.close()
    status, text = finish(run)
    assert status in {74, 75}
    assert "the connection was lost" in text


@pytest.mark.parametrize(
    ("client", "status", "said"),
    [
        ("stranger", 86, "this worker does not know the name in the certificate of this side, which has 'stranger'"),
        ("foreign", 86, "it is not from a CA that the worker trusts"),
        ("expired", 86, "it has expired"),
        ("future", 86, "not yet valid"),
        ("alias", 86, "which has 'somebody'"),
        ("nameless", 86, "which has no DNS name"),
        ("common", 0, ""),
    ],
)
def test_certificates_of_clients(
    stages: Stages, directory: Path, secure: Listener, parties: Parties, client: str, status: int, said: str
) -> None:
    """Of a certificate with DNS names the common name does not count."""
    make = {
        "stranger": lambda: parties.ca.sign("stranger"),
        "foreign": lambda: parties.other.sign("laptop", file="foreign"),
        "expired": lambda: parties.ca.sign("laptop", file="expired", days=PAST),
        "future": lambda: parties.ca.sign("laptop", file="future", days=FUTURE),
        "alias": lambda: parties.ca.sign("laptop", file="alias", names="DNS:somebody"),
        "nameless": lambda: parties.ca.sign("laptop", file="nameless", names="email:laptop@example.com"),
        "common": lambda: parties.ca.sign("laptop", file="common", names=None),
    }
    got, text = run(stages, directory, link(secure, parties.query(make[client]())))
    assert got == status, text
    assert said in text
    if status:
        assert secure.wait_for("refused")
        assert secure.events("started") == []


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("expired", "the certificate of the worker has expired"),
        ("future", "is not valid yet"),
        ("elsewhere", "is for another name than 'localhost'"),
        ("foreign", "is not from a CA that this side trusts"),
    ],
)
def test_certificates_of_workers(
    stages: Stages, directory: Path, listen: Listen, parties: Parties, server: str, said: str
) -> None:
    make = {
        "expired": lambda: parties.ca.sign("localhost", file="server-expired", days=PAST),
        "future": lambda: parties.ca.sign("localhost", file="server-future", days=FUTURE),
        "elsewhere": lambda: parties.ca.sign("elsewhere"),
        "foreign": lambda: parties.other.sign("localhost", file="server-foreign"),
    }
    listener = listen(*parties.flags(make[server]()), "--allow", "laptop", address="tls://localhost:0")
    status, text = run(stages, directory, link(listener, parties.query()))
    assert (status, said in text) == (85, True), text
    assert listener.events("started") == []


@pytest.mark.parametrize("side", ["worker", "client"])
def test_a_ca_that_may_not_sign(
    stages: Stages, directory: Path, listen: Listen, parties: Parties, tmp_path: Path, side: str
) -> None:
    """Both sides say which certificate it is, what it lacks, and what to do."""
    other = Authority(tmp_path, "useless", usage="digitalSignature")
    server = other.sign("localhost", file="bad-server") if side == "worker" else parties.server
    client = other.sign("laptop", file="bad-client") if side == "client" else parties.client
    flags = ("--tls-cert", server, "--tls-key", server.with_suffix(".key"))
    authority = other.certificate if side == "client" else parties.ca.certificate
    listener = listen(*flags, "--tls-ca", authority, "--allow", "laptop", address="tls://localhost:0")
    ca = other.certificate if side == "worker" else parties.ca.certificate
    status, text = run(stages, directory, link(listener, parties.query(client, ca)))
    flaw = f"the certificate of the CA that has signed the certificate of the {side} cannot be used: invalid CA"
    reason = listener.wait_for("refused")[0]["reason"]
    if side == "worker":
        assert (status, flaw in text) == (85, True), text
        assert "the client does not accept the certificate of this worker" in reason
    else:
        assert (status, "or that CA may not sign" in text) == (86, True), text
        assert flaw in reason
        assert "keyUsage=critical,keyCertSign" in reason


@pytest.mark.parametrize("side", ["worker", "client"])
def test_another_purpose(stages: Stages, directory: Path, listen: Listen, parties: Parties, side: str) -> None:
    server, client = parties.server, parties.client
    if side == "worker":
        server = parties.ca.sign("localhost", file="for-clients", purpose="clientAuth")
    else:
        client = parties.ca.sign("laptop", file="for-servers", purpose="serverAuth")
    listener = listen(*parties.flags(server), "--allow", "laptop", address="tls://localhost:0")
    status, text = run(stages, directory, link(listener, parties.query(client)))
    reason = listener.wait_for("refused")[0]["reason"]
    said, code = (text, 85) if side == "worker" else (reason, 86)
    assert status == code, text
    assert f"the certificate of the {side}, or that of its CA, is for another purpose" in said
    assert ("serverAuth" if side == "worker" else "clientAuth") in said


def test_a_ca_without_key_usage_is_accepted(stages: Stages, directory: Path, listen: Listen, tmp_path: Path) -> None:
    """As those are that were made before Python 3.13."""
    old = Authority(tmp_path, usage="")
    server, client = old.sign("localhost"), old.sign("laptop")
    files = ("--tls-cert", server, "--tls-key", server.with_suffix(".key"), "--tls-ca", old.certificate)
    listener = listen(*files, "--allow", "laptop", address="tls://localhost:0")
    query = f"?cert={client}&key={client.with_suffix('.key')}&ca={old.certificate}"
    status, text = run(stages, directory, link(listener, query))
    assert status == 0, text


@pytest.mark.parametrize("server", [True, False])
@pytest.mark.parametrize(
    ("usage", "sides", "said"),
    [("", (True, False), "that has signed"), ("keyCertSign", (), "")],
)
def test_what_a_strict_check_says_is_explained(
    tmp_path: Path, usage: str, sides: tuple[bool, ...], said: str, server: bool
) -> None:
    """As by a Python that checks strictly by default. `server`: whether the checked side is the server."""
    authority = Authority(tmp_path, usage=usage)
    certificate = authority.sign("localhost")
    files = TlsFiles(str(certificate), str(certificate.with_suffix(".key")), str(authority.certificate))
    contexts = {side: make_context(files, server=side) for side in (True, False)}
    contexts[not server].verify_flags |= ssl.VERIFY_X509_STRICT
    flaw = handshake(contexts)
    if server in sides:
        assert flaw is not None
        text = explain_certificate(flaw, server=server) or ""
        assert said in text
        assert ("the certificate of the worker" if server else "the certificate of the client") in text
    else:
        assert flaw is None


def handshake(contexts: dict[bool, ssl.SSLContext]) -> ssl.SSLCertVerificationError | None:
    """Shake hands within this process. Return why a certificate was not accepted; None if all were."""
    down, up = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        contexts[True].wrap_bio(up, down, server_side=True),
        contexts[False].wrap_bio(down, up, server_hostname="localhost"),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error
    return None


def test_an_address_is_checked_like_a_name(stages: Stages, directory: Path, listen: Listen, parties: Parties) -> None:
    server = parties.ca.sign("by-address", names="IP:127.0.0.1")
    listener = listen(*parties.flags(server), "--allow", "laptop", address="tls://127.0.0.1:0")
    assert run(stages, directory, link(listener, parties.query(), "127.0.0.1"))[0] == 0
    status, text = run(stages, directory, link(listener, parties.query(), "localhost"))
    assert (status, "is for another name" in text) == (85, True)


def test_a_client_without_a_certificate_is_refused(secure: Listener, parties: Parties) -> None:
    context = ssl.create_default_context(cafile=str(parties.ca.certificate))
    with (
        socket.create_connection(("localhost", port_of(secure)), 20) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
    ):
        tls.recv(1)
    assert secure.wait_for("refused")[0]["address"].startswith("127.0.0.1:")


def test_older_versions_of_tls_are_refused(secure: Listener, parties: Parties) -> None:
    context = ssl.create_default_context(cafile=str(parties.ca.certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(parties.client, parties.client.with_suffix(".key"))
    with socket.create_connection(("localhost", port_of(secure)), 20) as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="localhost")


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer as TLS does"), (b"", "does not answer as TLS does")],
)
def test_what_is_no_tls(stages: Stages, directory: Path, parties: Parties, answer: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        status, text = run(stages, directory, f"tls://127.0.0.1:{server.getsockname()[1]}{parties.query()}")
        thread.join()
    assert (status, said in text) == (84, True), text


def test_tls_1_2_alone_there(stages: Stages, directory: Path, parties: Parties) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(parties.server, parties.server.with_suffix(".key"))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer, pytest.raises(OSError, match=r"."):
                context.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        status, text = run(stages, directory, f"tls://127.0.0.1:{server.getsockname()[1]}{parties.query()}")
        thread.join()
    assert (status, "the other side has no TLS 1.3" in text) == (84, True), text


def test_nobody_there(stages: Stages, directory: Path, parties: Parties) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        status, text = run(stages, directory, f"tls://127.0.0.1:{port}{parties.query()}")
    assert (status, "the host is up but nobody listens on this port" in text) == (84, True), text
    status, text = run(stages, directory, f"tls://no-such-host.invalid:1{parties.query()}")
    assert (status, "has no address" in text) == (84, True), text


def test_a_program_that_speaks_tls(stages: Stages, directory: Path, secure: Listener, parties: Parties) -> None:
    """The stages joined by openssl: any program will do."""
    job = stages.transmit(directory, "-p", "site.yml")
    certificate = parties.client
    words = ["-cert", str(certificate), "-key", str(certificate.with_suffix(".key"))]
    words += ["-CAfile", str(parties.ca.certificate)]
    done = subprocess.run(
        ["openssl", "s_client", "-quiet", "-verify_return_error", "-connect", f"localhost:{port_of(secure)}", *words],
        input=job,
        capture_output=True,
        check=False,
        timeout=100,
    )
    processed = stages.call("process", directory, "-i", "x", stdin=done.stdout)
    assert processed.returncode == 0, (done.stderr + processed.stderr).decode()


def test_hundreds_of_idle_connections_and_a_job(
    stages: Stages, directory: Path, secure: Listener, parties: Parties
) -> None:
    """Some have shaken hands, and some have not."""
    context = ssl.create_default_context(cafile=str(parties.ca.certificate))
    context.load_cert_chain(parties.client, parties.client.with_suffix(".key"))
    before = memory_kib(secure.process.pid)
    with ExitStack() as idle:
        for number in range(300):
            sock = idle.enter_context(socket.create_connection(("localhost", port_of(secure)), 60))
            if number % 2:
                idle.enter_context(context.wrap_socket(sock, server_hostname="localhost"))
        wait_until(lambda: open_files(secure.process.pid) > 300)
        grown = memory_kib(secure.process.pid) - before
        assert grown < 300 * 100
        assert run(stages, directory, link(secure, parties.query()))[0] == 0
        assert open_files(secure.process.pid) > 300


def test_a_slow_handshake_is_in_nobodys_way(stages: Stages, directory: Path, listen: Listen, parties: Parties) -> None:
    listener = listen(*parties.flags(), "--allow", "laptop", "--arrival-seconds", "3", address="tls://localhost:0")
    with socket.create_connection(("localhost", port_of(listener)), 60) as idle:
        idle.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert run(stages, directory, link(listener, parties.query()))[0] == 0
        assert idle.recv(100) == b""
    assert listener.wait_for("refused")[0]["error"] == "SilentPeer"


def test_certificates_are_read_again(
    stages: Stages, directory: Path, listen: Listen, parties: Parties, tmp_path: Path
) -> None:
    """SIGHUP takes new files; broken ones are reported, and the earlier ones stay in use."""
    used = tmp_path / "used.pem"

    def use(certificate: Path) -> None:
        used.write_bytes(certificate.read_bytes())
        key = used.with_suffix(".key")
        key.touch(0o600)
        key.write_bytes(certificate.with_suffix(".key").read_bytes())

    use(parties.ca.sign("localhost", file="old", days=PAST))
    listener = listen(*parties.flags(used), "--allow", "laptop", address="tls://localhost:0")
    assert "has expired" in run(stages, directory, link(listener, parties.query()))[1]
    use(parties.server)
    listener.send(signal.SIGHUP)
    listener.wait_for("reloaded")
    assert run(stages, directory, link(listener, parties.query()))[0] == 0
    used.write_text("nonsense")
    listener.send(signal.SIGHUP)
    (failed,) = listener.wait_for("reload-failed")
    assert "expected a certificate in PEM format" in failed["reason"]
    assert run(stages, directory, link(listener, parties.query()))[0] == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--tls-cert", "NONE"), "'NONE' cannot be read: No such file"),
        (("--tls-cert", "TEXT"), "expected a certificate in PEM format"),
        (("--tls-key", "TEXT"), "expected a private key in PEM format"),
        (("--tls-key", "CLIENT_KEY"), "does not belong to the certificate"),
        (("--tls-ca", "TEXT"), "expected certificates of CAs in PEM format"),
        (("--tls-key", "OPEN_KEY"), "can be read by others (mode 0644), so it is not used: chmod 600"),
        (("--tls-key", "PASSPHRASE"), "the private key has a passphrase"),
        ((), "--allow: expected the name in the certificate"),
        (("--allow-user", "root"), "--allow-user does not go with"),
    ],
)
def test_files_that_cannot_be_used(
    stages: Stages, directory: Path, parties: Parties, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    """One clear line, before anything is listened on; of a client, before anything is sent."""
    key = parties.server.with_suffix(".key")
    (tmp_path / "text").write_text("not a key\n")
    (tmp_path / "text").chmod(0o600)
    (tmp_path / "open").write_bytes(key.read_bytes())
    (tmp_path / "open").chmod(0o644)
    sealed = tmp_path / "sealed"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", sealed], check=True)
    sealed.chmod(0o600)
    places = {
        "NONE": "NONE",
        "TEXT": str(tmp_path / "text"),
        "CLIENT_KEY": str(parties.client.with_suffix(".key")),
        "OPEN_KEY": str(tmp_path / "open"),
        "PASSPHRASE": str(sealed),
    }
    words = [places.get(word, word) for word in flags]
    allow = ["--allow", "laptop"] if flags else []
    done = stages.call("worker", "--listen", "tls://localhost:0", *parties.flags(), *allow, *words)
    assert done.returncode == 1
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    if len(words) == 2 and words[0] != "--allow-user":
        name = words[0].removeprefix("--tls-")
        known = {"cert": parties.server, "key": key, "ca": parties.ca.certificate, name: words[1]}
        query = "&".join(f"{each}={value}" for each, value in known.items())
        status, text = run(stages, directory, f"tls://localhost:1?{query}")
        assert (status, said in text) == (1, True), text


def test_a_key_of_another_user_may_be_open_to_a_group(parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    key = parties.other.sign("grouped").with_suffix(".key")
    key.chmod(0o640)
    monkeypatch.setattr(system, "geteuid", lambda: os.getuid() + 1)
    check_private(str(key))
    make_context(TlsFiles(str(key.with_suffix(".pem")), str(key)), server=False)


def test_the_names_in_a_certificate() -> None:
    subject = ((("countryName", "DE"),), (("commonName", "common"),))
    assert names_in({"subject": subject}) == ("common",)
    assert names_in({"subject": subject, "subjectAltName": (("DNS", "a"), ("IP Address", "::1"), ("DNS", "b"))}) == (
        "a",
        "b",
    )
    assert names_in({"subject": subject, "subjectAltName": (("email", "x@y"),)}) == ()
    assert names_in(None) == ()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tls://host", "expected tls://HOST:PORT"),
        ("tls://:7", "expected tls://HOST:PORT"),
        ("tls://host:0", "expected tls://HOST:PORT"),
        ("tls://host:70000", "out of range"),
        ("tls://me:hidden@host:7", "'tls://host:7': expected tls://HOST:PORT, without a user"),
        ("tls://me:hidden@host:x", "'tls://host:x'"),
        ("tls://host:7/path", "expected tls://HOST:PORT"),
        ("tls://host:7", "expected a certificate of this side"),
        ("tls://host:7?crt=x", "did you mean 'cert'?"),
        ("tls://host:7?cert=", "expected a file after cert="),
        ("unix:relative", "expected unix:/PATH"),
        ("unix:", "expected unix:/PATH"),
        (f"unix:/{'x' * 120}", "at most 107 bytes, got 121"),
        ("tcp://host:7", "expected one of"),
    ],
)
def test_links_that_are_none(stages: Stages, directory: Path, url: str, said: str) -> None:
    status, text = run(stages, directory, url)
    assert (status, said in text) == (1, True), text
    assert "hidden" not in text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://localhost:7", "There is no plain TCP listener, because it cannot tell who connects"),
        ("localhost:7", "expected unix:/PATH or tls://HOST:PORT"),
        ("unix:x", "expected unix:/PATH"),
        ("tls://localhost:7?cert=x", "files of TLS have flags"),
        ("tls://localhost:0", "expected --tls-cert FILE"),
    ],
)
def test_addresses_that_are_none(stages: Stages, address: str, said: str) -> None:
    done = stages.call("worker", "--listen", address)
    assert (done.returncode, said in done.stderr.decode()) == (1, True), done.stderr


def test_a_port_in_use(stages: Stages, secure: Listener, parties: Parties) -> None:
    address = f"tls://localhost:{port_of(secure)}"
    done = stages.call("worker", "--listen", address, *parties.flags(), "--allow", "laptop")
    assert (done.returncode, b"Address already in use" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--slots", "2"), "--slots concerns a listening worker: pass --listen ADDRESS too"),
        (("--print-unit", "service"), "--print-unit concerns a listening worker"),
        (("--listen", "unix:/x/s", "--slots", "0"), "--slots: expected a number, 1 or more"),
        (("--listen", "unix:/x/s", "--queue", "-1"), "--queue: expected a number, 0 or more"),
        (("--listen", "unix:/x/s", "--drain-seconds", "nan"), "--drain-seconds: expected a number of seconds"),
        (("--listen", "unix:/x/s", "--private-data-dir", "x"), "jobs at the same time cannot share a directory"),
        (("--listen", "unix:/x/s", "--allow", "x"), "--allow does not go with --listen"),
        (("--listen", "unix:/x/s", "--allow-user", "no-such"), "there is no user 'no-such' on this host"),
        (("--listen", "unix:/x/s", "--identity", "/none"), "/none"),
        (("--listen", "unix:/x/s", "--slots", "100000000"), "open files"),
    ],
)
def test_flags_that_do_not_fit(stages: Stages, flags: tuple[str, ...], said: str) -> None:
    done = stages.call("worker", *flags)
    assert (done.returncode, said in done.stderr.decode()) == (1, True), done.stderr
