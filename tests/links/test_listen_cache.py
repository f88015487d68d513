"""A listening worker with a cache: who has connected decides whose division a job has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from playstream.pipeline.protocol import Hello, Receiver
from playstream.pipeline.protocol.frames import PREAMBLE_SIZE
from playstream.pipeline.protocol.order import Direction
from tests.links.conftest import Listen
from tests.links.listening import connect, finish
from tests.links.test_listen_tls import Parties, link, parties  # noqa: F401 - a fixture
from tests.links.test_listen_unix import start_hanging
from tests.stages import Stages


def words_of(pid: int) -> list[str]:
    """The command line of a process."""
    return Path("/proc", str(pid), "cmdline").read_text().split("\0")[:-1]


def test_a_user_of_this_host(fakes: Stages, hanging: Path, listen: Listen, tmp_path: Path) -> None:
    listener = listen("--cache=" + str(tmp_path / "cache"), "--cache-size", "5M")
    job = start_hanging(fakes, hanging, listener, "first")
    words = words_of(int(listener.events("started")[0]["pid"]))
    assert f"--cache={tmp_path}/cache" in words
    assert words[words.index("--cache-sender") + 1] == f"user-{os.geteuid()}"
    assert words[words.index("--cache-size") + 1] == str(5 << 20)
    job.kill()
    finish(job)


def test_the_holder_of_a_certificate(
    fakes: Stages,
    hanging: Path,
    listen: Listen,
    parties: Parties,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    flags = (*parties.flags(), "--allow", "LAPTOP", f"--cache={tmp_path}/cache")
    listener = listen(*flags, address="tls://localhost:0")
    listener.address = link(listener, parties.query())
    job = start_hanging(fakes, hanging, listener, "first")
    words = words_of(int(listener.events("started")[0]["pid"]))
    assert words[words.index("--cache-sender") + 1] == "cert-laptop"
    job.kill()
    finish(job)


def test_without_a_cache_nothing_is_said_of_senders(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen()
    job = start_hanging(fakes, hanging, listener, "first")
    assert not [word for word in words_of(int(listener.events("started")[0]["pid"])) if "cache" in word]
    job.kill()
    finish(job)


@pytest.mark.parametrize("has_cache", [False, True])
def test_a_connection_hears_of_the_cache_at_once(
    stages: Stages, directory: Path, listen: Listen, tmp_path: Path, has_cache: bool
) -> None:
    """Before it has a worker, which then says the same."""
    listener = listen(*([f"--cache={tmp_path}/cache"] if has_cache else []))
    with connect(listener.address.removeprefix("unix:")) as sock:
        sock.sendall(stages.transmit(directory, "-p", "site.yml")[:PREAMBLE_SIZE])
        receiver = Receiver(Direction.RESULT)
        receiver.receive_data(sock.recv(65536))
        hello = receiver.next_record()
        assert isinstance(hello, Hello)
        assert ("Offer" in hello.records) is has_cache
    done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", listener.address)
    assert done.returncode == 0, done.stderr
    assert listener.events("worker-changed") == []


def test_a_directory_that_is_open_to_others_is_refused_at_the_start(stages: Stages, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o755)
    (tmp_path / "cache").chmod(0o755)
    done = stages.call("worker", "--listen", f"unix:{tmp_path}/sock", f"--cache={tmp_path}/cache")
    assert done.returncode == 1
    assert "is open to others" in done.stderr.decode()
    assert not (tmp_path / "sock").exists()


def test_a_unit_has_whole_paths(stages: Stages, tmp_path: Path) -> None:
    words = ("worker", "--listen", f"unix:{tmp_path}/sock", "--print-unit", "service", "--cache-size", "2G")
    shown = stages.call(*words, "--cache=place").stdout.decode()
    assert f" --cache={os.getcwd()}/place --cache-size 2147483648\n" in shown
    assert " --cache --cache-size 2147483648\n" in stages.call(*words, "--cache").stdout.decode()
    assert not Path("place").exists()


def test_clients_have_divisions_of_their_own(
    stages: Stages,
    directory: Path,
    listen: Listen,
    parties: Parties,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    """In the same directory. The second client has to send what the first one has sent."""
    (directory / "project" / "large.bin").write_bytes(os.urandom(200_000))
    place = tmp_path / "cache"
    tls = listen(*parties.flags(), "--allow", "laptop", f"--cache={place}", address="tls://localhost:0")
    tls.address = link(tls, parties.query())
    objects: dict[str, set[Path]] = {}
    for listener in (listen(f"--cache={place}"), tls):
        for ident in ("first", "second"):
            done = stages.call("run", directory, "-p", "site.yml", "-i", ident, "--on", listener.address)
            assert done.returncode == 0, done.stderr
            there = {path.relative_to(place / "1") for path in place.glob("1/*/*/??/*")}
            objects.setdefault(listener.address, there)
            assert objects[listener.address] == there, "the second run has brought something"
    unix, both = objects.values()
    assert {path.parts[0] for path in unix} == {f"user-{os.geteuid()}"}
    assert {path.parts[1:] for path in both if path.parts[0] == "cert-laptop"} == {path.parts[1:] for path in unix}
    assert stages.leftovers() == []


def test_a_job_that_is_larger_than_the_cache_runs_all_the_same(
    stages: Stages, directory: Path, listen: Listen, tmp_path: Path
) -> None:
    for number in range(4):
        (directory / "project" / f"{number}.bin").write_bytes(os.urandom(60_000))
    listener = listen(f"--cache={tmp_path}/cache", "--cache-size", "200K")
    for ident in ("first", "second"):
        done = stages.call("run", directory, "-p", "site.yml", "-i", ident, "--on", listener.address)
        assert done.returncode == 0, done.stderr
        said = b"brings more than its size, 204800 bytes (--cache-size)" in done.stderr
        assert said is (ident == "first")  # the second one has to bring what was not kept
    listener.wait_for("ended", 2)
    objects = [path.stat().st_size for path in (tmp_path / "cache").glob("1/*/*/??/*")]
    assert 0 < sum(objects) <= 200 << 10


def test_a_job_that_has_ended_evicts_what_an_earlier_one_has_brought(
    stages: Stages, directory: Path, listen: Listen, tmp_path: Path
) -> None:
    large = directory / "project" / "large.bin"
    listener = listen(f"--cache={tmp_path}/cache", "--cache-size", "300K")
    for number in range(3):
        large.write_bytes(bytes([number]) * 150_000)
        done = stages.call("run", directory, "-p", "site.yml", "-i", str(number), "--on", listener.address)
        assert (done.returncode, b"--cache-size" in done.stderr) == (0, False), done.stderr
    listener.wait_for("ended", 3)
    contents = [path.read_bytes() for path in (tmp_path / "cache").glob("1/*/*/??/*")]
    assert large.read_bytes() in contents
    assert bytes(150_000) not in contents
    assert sum(map(len, contents)) <= 300 << 10
