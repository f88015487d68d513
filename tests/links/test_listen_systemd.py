"""systemd: sockets that it passes, what it is told, and units that it accepts."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pyrage
import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.addresses import TlsAddress, UnixAddress
from playstream.worker.listen.service import Service, passed_sockets
from tests.links.certificates import Authority
from tests.links.conftest import Listen
from tests.links.listening import finish
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} is missing; apt-get install systemd")
    return found


class Manager:
    """A NOTIFY_SOCKET, and what it has received. It is read all the time, because the system keeps few messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._messages: SimpleQueue[bytes] = SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while message := self._socket.recv(4096):
            self._messages.put(message)

    def receive(self) -> list[str]:
        """The lines of the next message."""
        return self._messages.get(timeout=LIMIT_SECONDS).decode().splitlines()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RD)
        self._reader.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_readiness_reload_and_stopping(listen: Listen, manager: Manager) -> None:
    listener = listen(env={"NOTIFY_SOCKET": str(manager.path)})
    assert manager.receive() == ["READY=1", f"STATUS=listening on {listener.address}"]
    listener.send(signal.SIGHUP)
    reloading, moment = manager.receive()
    assert reloading == "RELOADING=1"
    assert moment.startswith("MONOTONIC_USEC=")
    assert manager.receive()[0] == "READY=1"
    listener.send(signal.SIGTERM)
    assert manager.receive() == ["STOPPING=1", "STATUS=waiting for 0 jobs"]
    assert listener.wait() == 0


def test_the_watchdog_is_fed(listen: Listen, manager: Manager) -> None:
    listen(env={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "200000"})
    seen = [manager.receive() for _ in range(5)]
    assert sorted(map(str, seen)) == sorted([*["['WATCHDOG=1']"] * 4, str(next(x for x in seen if "READY=1" in x))])


def test_the_watchdog_of_another_process_is_not(manager: Manager) -> None:
    env = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "200000"}
    assert Service({**env, "WATCHDOG_PID": "1"}).interval is None
    assert Service({**env, "WATCHDOG_PID": str(os.getpid())}).interval == 0.1
    assert Service({"WATCHDOG_USEC": "200000"}).interval is None


def test_a_socket_in_the_abstract_namespace(listen: Listen) -> None:
    name = f"playstream-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"\0{name}")
        notify.settimeout(60)
        listen(env={"NOTIFY_SOCKET": f"@{name}"})
        assert notify.recv(4096).startswith(b"READY=1\n")


def test_a_manager_that_has_gone_is_in_nobodys_way(
    stages: Stages, directory: Path, listen: Listen, tmp_path: Path
) -> None:
    listener = listen(env={"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert stages.call("run", directory, "-p", "site.yml", "--on", listener.address).returncode == 0


def test_the_variables_are_not_the_jobs(stages: Stages, directory: Path, listen: Listen, manager: Manager) -> None:
    """Ansible could otherwise report readiness, or take the descriptors."""
    (directory / "project" / "env.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.shell: env | grep -c -e NOTIFY_SOCKET -e WATCHDOG -e LISTEN_ || true\n"
        "      register: found\n    - ansible.builtin.debug: {msg: 'found {{ found.stdout }}'}\n"
    )
    env = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "60000000", "LISTEN_PID": "1", "LISTEN_FDS": "1"}
    listener = listen(env=env)
    done = stages.call("run", directory, "-p", "env.yml", "--on", listener.address)
    assert b"found 0" in done.stdout, done.stdout


def activate(stages: Stages, place: str, words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a listener by the first connection to a socket that systemd-socket-activate has opened."""
    with log.open("wb") as stderr:
        env = [f"--setenv={name}" for name in ("PATH", "TMPDIR", "PYTHONWARNINGS", "HOME")]
        command = [need("systemd-socket-activate"), *env, "-l", place, *PLAYSTREAM, "worker", *words]
        process = subprocess.Popen(command, env=stages.env, stderr=stderr, stdin=subprocess.DEVNULL)
    wait_until(lambda: b"Listening on" in log.read_bytes())
    return process


def test_a_unix_socket_of_systemd(stages: Stages, directory: Path, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/s"
    process = activate(stages, f"{tmp_path}/s", ["--listen", address], tmp_path / "log")
    for ident in ("a", "b"):
        done = stages.call("run", directory, "-p", "site.yml", "-i", ident, "--on", address)
        assert done.returncode == 0, done.stderr.decode() + (tmp_path / "log").read_text()
    process.terminate()
    assert process.wait(60) == 0
    assert (tmp_path / "s").exists()  # it is systemd's
    assert "stopped" in (tmp_path / "log").read_text()


def test_a_tcp_socket_of_systemd(stages: Stages, directory: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    authority = Authority(files)
    server, client = authority.sign("localhost"), authority.sign("laptop")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    words = ["--listen", f"tls://localhost:{port}", "--allow", "laptop", "--tls-ca", str(authority.certificate)]
    words += ["--tls-cert", str(server), "--tls-key", str(server.with_suffix(".key"))]
    process = activate(stages, f"127.0.0.1:{port}", words, tmp_path / "log")
    query = f"?cert={client}&key={client.with_suffix('.key')}&ca={authority.certificate}"
    done = stages.call("run", directory, "-p", "site.yml", "--on", f"tls://localhost:{port}{query}")
    assert done.returncode == 0, done.stderr.decode() + (tmp_path / "log").read_text()
    process.terminate()
    assert process.wait(60) == 0


def test_another_socket_than_the_flag_says(stages: Stages, tmp_path: Path) -> None:
    process = activate(stages, f"{tmp_path}/s", ["--listen", f"unix:{tmp_path}/other"], tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(f"{tmp_path}/s")
        assert process.wait(60) == 1
    text = (tmp_path / "log").read_text()
    assert f"systemd has passed a socket for '{tmp_path}/s', and --listen says unix:{tmp_path}/other" in text


def test_sockets_for_another_process_are_not_taken() -> None:
    assert passed_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, UnixAddress("/x")) == []
    assert passed_sockets({}, TlsAddress("", 1)) == []
    with pytest.raises(ConfigurationError, match="LISTEN_FDS: expected a number"):
        passed_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}, UnixAddress("/x"))


UNIX = ("--listen", "unix:/run/playstream/worker.sock", "--allow-user", "root", "--drain-seconds", "90")
TLS = (
    *("--listen", "tls://:7433", "--tls-cert", "/etc/playstream/my cert.pem", "--tls-ca", "/etc/playstream/100%.pem"),
    *("--allow", "a", "--allow", "b$c", "--queue", "3"),
)


def verify_units(*units: Path) -> None:
    """Let systemd look at units; it must find nothing to say."""
    # It makes /run/systemd, which a user can only where systemd has done so.
    may_not = os.geteuid() != 0 and not Path("/run/systemd").is_dir()
    before = [need("bwrap"), "--dev-bind", "/", "/", "--tmpfs", "/run"] if may_not else []
    words = [*before, need("systemd-analyze"), "verify", "--man=no", *map(str, units)]
    done = subprocess.run(words, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), done.stderr.decode()


@pytest.mark.parametrize("flags", [UNIX, TLS], ids=["unix", "tls"])
def test_units_are_accepted(stages: Stages, tmp_path: Path, flags: tuple[str, ...]) -> None:
    for kind in ("service", "socket"):
        program = Path(sys.executable).parent / "playstream"
        done = subprocess.run(
            [program, "worker", *flags, "--print-unit", kind], env=stages.env, capture_output=True, check=True
        )
        (tmp_path / f"playstream-worker.{kind}").write_bytes(done.stdout)
        assert done.stderr == b""
    verify_units(*tmp_path.glob("*.s*t"))
    verify_units(tmp_path / "playstream-worker.service")


def test_what_the_units_say(stages: Stages) -> None:
    service = stages.call("worker", *UNIX, "--print-unit", "service").stdout.decode()
    (command,) = (line for line in service.splitlines() if line.startswith("ExecStart="))
    assert command.endswith(" worker " + " ".join(UNIX))
    assert "Type=notify\n" in service
    assert "KillMode=mixed\n" in service
    assert "TimeoutStopSec=110\n" in service
    unit = stages.call("worker", *UNIX, "--print-unit", "socket").stdout.decode()
    assert "ListenStream=/run/playstream/worker.sock\nSocketMode=0666\n" in unit
    service = stages.call("worker", *TLS, "--print-unit", "service").stdout.decode()
    assert '--tls-cert "/etc/playstream/my cert.pem" --tls-ca' in service
    assert "/etc/playstream/100%%.pem" in service
    assert "b$$c" in service
    assert "ListenStream=7433\n" in stages.call("worker", *TLS, "--print-unit", "socket").stdout.decode()


def test_files_have_their_whole_paths(stages: Stages, tmp_path: Path) -> None:
    """systemd starts a service in another directory."""
    words = ("--tls-cert", "my.pem", "--tls-ca", "ca.pem", "--allow", "a", "--identity", "key")
    (tmp_path / "key").write_text(f"{pyrage.x25519.Identity.generate()}\n")
    done = stages.call("worker", "--listen", "tls://:7", *words, "--print-unit", "service", cwd=tmp_path)
    for flag, name in (("--tls-cert", "my.pem"), ("--tls-ca", "ca.pem"), ("--identity", "key")):
        assert f" {flag} {tmp_path}/{name}" in done.stdout.decode(), done.stderr


def test_a_program_that_systemd_starts_and_stops(
    listen: Listen, stages: Stages, manager: Manager, hanging: Path
) -> None:
    """What `systemctl stop` does with KillMode=mixed: SIGTERM to the listener alone, and READY=1 came before."""
    stages.path_before.append(Path(__file__).parents[1] / "worker" / "fakes")
    listener = listen(env={"NOTIFY_SOCKET": str(manager.path)})
    assert manager.receive()[0] == "READY=1"
    run = stages.start("run", hanging, "-p", "hang.yml", "-i", "x", "--on", listener.address)
    listener.wait_for("started")
    stdout = hanging / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"waiting" in stdout.read_bytes())
    listener.send(signal.SIGTERM)
    assert manager.receive() == ["STOPPING=1", "STATUS=waiting for 1 job"]
    assert finish(run)[0] == 254
    assert listener.wait() == 0
