"""Rows on links: the time to the first output of a run on another host, and the throughput of sending its directory.

The host is this one, reached by a real sshd on the loopback interface, and by listening workers on a Unix socket and,
over TLS, on the loopback interface. Then sshd and a listening worker are in another network namespace, at a distance.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row, faster, interleave
from benchmarks.inputs import IDENT, PLAYBOOK, Inputs
from benchmarks.programs import Program, time_pipeline
from tests.links.certificates import Authority
from tests.network.network import Network, may_make_networks
from tests.release.readme import a_host

_S = "s"
_MEBIBYTES = 128
_FAR_MEBIBYTES = 8
_ROUND_TRIPS = (20, 80)
"""Milliseconds to the other namespace and back."""
_WAIT_SECONDS = 30.0
_SITE = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: hello}\n"


@dataclass(frozen=True, slots=True)
class _Places:
    """The links, and what is sent over them."""

    ssh: Path
    """The directory of the `ssh` that reaches the host `host`."""
    links: dict[str, str]
    small: Path
    """A private data directory of one playbook."""
    large: Path
    """The same with a file that cannot be compressed."""
    before: tuple[str, ...] = ()
    """Words before a program, which run it where links begin."""
    where: str = ""
    """What rows say about the place."""


def link_rows(inputs: Inputs, runs: int) -> list[Row]:
    """The links beside ansible-runner over ssh, and beside `ssh host cat`."""
    with _places(inputs, inputs.work / "links", _MEBIBYTES) as places:
        rows = [*_first_output_rows(inputs, places, runs), *_throughput_rows(inputs, places, runs)]
    if not may_make_networks():
        print("links at a distance are left out: only root can make networks here", file=sys.stderr)
        return rows
    with (
        Network("laptop", "server") as network,
        _places(inputs, inputs.work / "far", _FAR_MEBIBYTES, network) as places,
    ):
        for milliseconds in _ROUND_TRIPS:
            network.shape(delay=milliseconds / 2000)
            far = replace(places, where=f" at {milliseconds} ms")
            rows += [*_first_output_rows(inputs, far, runs), *_throughput_rows(inputs, far, runs)]
    return rows


@contextmanager
def _places(inputs: Inputs, folder: Path, mebibytes: int, network: Network | None = None) -> Iterator[_Places]:
    """Make links to this host, or from one host of a network to another."""
    folder.mkdir()
    small, large = folder / "small", folder / "large"
    for directory in (small, large):
        (directory / "project").mkdir(parents=True)
        (directory / "inventory").mkdir()
        (directory / "project" / "site.yml").write_text(_SITE)
        (directory / "inventory" / "hosts").write_text("localhost ansible_connection=local\n")
    with (large / "project" / "large.bin").open("wb") as file:
        for _ in range(max(1, int(mebibytes * inputs.scale))):
            file.write(os.urandom(1 << 20))
    inside: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    address = "127.0.0.1"
    if network is not None:
        inside, before, address = network.inside("server"), network.inside("laptop"), network.address("server")
    authority = Authority(folder)
    server, client = authority.sign("server", names=f"IP:{address}"), authority.sign("laptop")
    files = ("--tls-cert", server, "--tls-key", server.with_suffix(".key"), "--tls-ca", authority.certificate)
    with (
        a_host(folder / "host", inside=inside, address=address) as ssh,
        _listening(inputs, folder / "unix.log", f"unix:{folder}/socket") as unix,
        _listening(inputs, folder / "tls.log", f"tls://{address}:0", *files, "--allow", "laptop", inside=inside) as tls,
    ):
        program = inputs.toolbox.playstream().argv[0]
        query = f"?cert={client}&key={client.with_suffix('.key')}&ca={authority.certificate}"
        links = {
            "exec:": f"exec:{program} worker",
            "ssh://": f"ssh://host?command={program}",
            "unix:": unix,
            "tls://": tls + query,
        }
        if network is not None:  # the others stay on this host
            links = {name: links[name] for name in ("ssh://", "tls://")}
        yield _Places(ssh, links, small, large, before)


@contextmanager
def _listening(
    inputs: Inputs, log: Path, address: str, *flags: str | Path, inside: tuple[str, ...] = ()
) -> Iterator[str]:
    """Start a listening worker, on a host of a network by the words `inside`; yield its address."""
    playstream = inputs.toolbox.playstream("worker", "--listen", address, *flags)
    place = log.with_suffix(".ready")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, log.open("wb") as stderr:
        ready.bind(str(place))
        ready.settimeout(_WAIT_SECONDS)
        env = {**playstream.env, "NOTIFY_SOCKET": str(place)}
        listener = subprocess.Popen([*inside, *playstream.argv], env=env, cwd=playstream.cwd, stderr=stderr)
        try:
            ready.recv(4096)
        except TimeoutError:
            pass  # the log has no address
    try:
        found = re.search(r" listening address=(\S+)", log.read_text())
        if found is None:
            raise BenchmarkError("the listening worker does not listen")
        yield found[1]
    finally:
        listener.terminate()
        listener.wait()


def _with_ssh(program: Program, places: _Places) -> Program:
    env = {**program.env, "PATH": f"{places.ssh}:{program.env['PATH']}"}
    return replace(program, argv=[*places.before, *program.argv], env=env)


def _run(inputs: Inputs, places: _Places, directory: Path, link: str, *words: str) -> Program:
    return _with_ssh(inputs.toolbox.playstream("run", directory, *PLAYBOOK, "--on", link, *words), places)


def _first_output_rows(inputs: Inputs, places: _Places, runs: int) -> list[Row]:
    toolbox = inputs.toolbox
    worker = toolbox.runner("worker").argv[0]
    # Unlike playstream, it does not look for Ansible beside itself.
    there = f"PATH={Path(worker).parent}:$PATH {worker} worker"

    def peer() -> float:
        transmit = toolbox.runner("transmit", places.small, *PLAYBOOK, *IDENT)
        remote = _with_ssh(toolbox.system("ssh", "host", there), places)
        return _time_to_output([transmit, remote, toolbox.runner("process", inputs.scratch(), *IDENT)])

    def own(link: str) -> float:
        return _time_to_output([_run(inputs, places, places.small, link)])

    contenders = {name: (lambda link=link: own(link)) for name, link in places.links.items()}
    found = interleave({**contenders, "ansible-runner over ssh": peer}, runs, _S)
    theirs = found.pop("ansible-runner over ssh")
    return [faster(f"first output, {name}{places.where}", samples, theirs) for name, samples in found.items()]


def _time_to_output(programs: Sequence[Program]) -> float:
    """Return the seconds until the last of some programs, joined as in a shell, shows the beginning of the play.

    Raises:
        BenchmarkError: it does not.
    """
    started = time.perf_counter()
    running: list[subprocess.Popen[bytes]] = []
    for program in programs:
        source = running[-1].stdout if running else subprocess.DEVNULL
        process = subprocess.Popen(
            program.argv,
            env=program.env,
            cwd=program.cwd,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if running and running[-1].stdout is not None:
            running[-1].stdout.close()
        running.append(process)
    output = running[-1].stdout
    if output is None:
        raise AssertionError("it is a pipe")
    first = next((line for line in output if b"PLAY [" in line), None)
    seconds = time.perf_counter() - started
    with output:
        output.read()
    for process in running:
        process.wait()
    if first is None:
        raise BenchmarkError(f"{programs[-1].argv[0]} showed no play")
    return seconds


def _throughput_rows(inputs: Inputs, places: _Places, runs: int) -> list[Row]:
    """Send the large directory for a job that ends at once, beside the same bytes to `cat` there."""
    size = (places.large / "project" / "large.bin").stat().st_size

    def own(link: str) -> float:
        return time_pipeline([_run(inputs, places, places.large, link, "-b", "true", "-q")])

    def peer() -> float:
        cat = _with_ssh(inputs.toolbox.system("ssh", "host", "cat >/dev/null"), places)
        return time_pipeline([cat], source=places.large / "project" / "large.bin")

    contenders = {name: (lambda link=link: own(link)) for name, link in places.links.items()}
    found = interleave({**contenders, "ssh host cat": peer}, runs, _S)
    theirs = found.pop("ssh host cat")
    what = f"{size >> 20} MiB and a job of no time"
    return [faster(f"{what}, {name}{places.where}", samples, theirs) for name, samples in found.items()]
