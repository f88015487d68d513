"""A job whose project was sent before: only what changed travels."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from playstream.pipeline.protocol import Content, FileEntry, Listing, Noise, Offer, Record, Want
from playstream.pipeline.protocol.order import Direction
from tests.conftest import MakeDir
from tests.disk import on_disk
from tests.links.hosts import Host
from tests.links.workers import WITHOUT_HELLO, link_to, records_in
from tests.processes import Repeating, wait_until
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages

PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - command: sha256sum large data/3
      args: {chdir: "{{ playbook_dir }}"}
"""
KEY = "AGE-SECRET"


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """An empty directory in which the directory of a job can be kept for the next one."""
    with on_disk(tmp_path) as directory:
        yield directory


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user cache"))


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    """A job with some data, which no compression makes small."""
    job = private_data_dir({"site.yml": PLAYBOOK})
    (job / "project" / "data").mkdir()
    for number in range(50):
        (job / "project" / "data" / str(number)).write_bytes(os.urandom(4000))
    (job / "project" / "large").write_bytes(os.urandom(3 << 20))
    return job


@pytest.fixture
def run(demo: Path, tmp_path: Path, stages: Stages) -> Callable[..., Sent]:
    """Runs the job over a link to a worker with a cache; returns what was sent and said."""
    numbers = iter(range(100))

    def start(*options: str | Path, worker: tuple[str, ...] = ("--cache",), status: int = 0) -> Sent:
        number = next(numbers)
        there, back = tmp_path / f"sent-{number}", tmp_path / f"back-{number}"
        inner = shlex.join([*PLAYSTREAM, "worker", *worker])
        link = f"exec:sh -c {shlex.quote(f'tee {shlex.quote(str(there))} | {inner} | tee {shlex.quote(str(back))}')}"
        artifacts = tmp_path / f"artifacts-{number}"
        done = stages.call("run", demo, "-p", "site.yml", "--on", link, "--artifact-dir", artifacts, *options)
        assert done.returncode == status, done.stdout.decode() + done.stderr.decode()
        return Sent(there, back, done.stdout.decode() + done.stderr.decode())

    return start


class Sent:
    """What went over a link."""

    def __init__(self, there: Path, back: Path, shown: str) -> None:
        self.size = there.stat().st_size
        self.shown = shown
        self._there, self._back = there, back

    @property
    def job(self) -> list[Record | Noise]:
        """The records of the job."""
        return records_in(self._there, Direction.JOB)

    def kinds(self, kind: type) -> list[Record | Noise]:
        """Return the records of a kind, in either direction."""
        found = [*self.job, *records_in(self._back, Direction.RESULT)]
        return [record for record in found if isinstance(record, kind)]


def hashes(shown: str) -> list[str]:
    return [word for word in shown.split() if len(word) == 64]


def test_the_second_time_little_travels(run: Callable[..., Sent], demo: Path) -> None:
    first = run("-v")
    second = run("-v")
    assert first.size > 3 << 20
    assert second.size < 3000
    assert second.kinds(Listing) == second.kinds(Content) == []
    assert not any(isinstance(record, FileEntry) for record in first.job)
    assert len(second.kinds(Want)) == 1


def test_what_has_changed_travels(run: Callable[..., Sent], demo: Path) -> None:
    run()
    changed = os.urandom(4000)
    (demo / "project" / "data" / "3").write_bytes(changed)
    with (demo / "project" / "large").open("r+b") as file:
        file.seek(100_000)
        file.write(b"changed")
    sent = run()
    assert sorted(len(content.data) for content in sent.kinds(Content) if isinstance(content, Content)) == [4000, 65536]
    assert sent.size < 90_000


def test_the_files_are_those_of_the_sender(run: Callable[..., Sent], demo: Path) -> None:
    for _ in range(2):
        (demo / "project" / "data" / "3").write_bytes(os.urandom(4000))
        shown = run("-v").shown
        for name in ("large", "data/3"):
            path = demo / "project" / name
            expected = subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True).stdout.split()[0]
            assert expected in shown


@pytest.mark.parametrize("damage", ["damaged", "vanished"])
def test_a_damaged_cache(run: Callable[..., Sent], tmp_path: Path, damage: str) -> None:
    run()
    (place,) = (tmp_path / "user cache" / "playstream").glob("trees")
    for ready in place.rglob("ready"):
        shutil.rmtree(ready)
    objects = [path for path in place.rglob("*") if path.is_file() and path.stat().st_size >= 4000]
    assert len(objects) > 50
    for path in objects[::5]:
        if damage == "vanished":
            path.unlink()
        else:
            path.write_bytes(b"x" * path.stat().st_size)
    sent = run()
    assert len(sent.kinds(Want)) <= 2
    assert 0 < len(sent.kinds(Content)) <= len(objects[::5])
    assert len(run().kinds(Content)) == 0


def test_without_a_cache_there_the_tree_is_sent(run: Callable[..., Sent], tmp_path: Path) -> None:
    for _ in range(2):
        sent = run(worker=())
        assert sent.kinds(Offer) == []
        assert sent.size > 3 << 20
    assert not (tmp_path / "user cache").exists(), "this side keeps nothing either"


def test_an_earlier_worker_gets_the_tree(demo: Path, tmp_path: Path, stages: Stages) -> None:
    link = link_to(tmp_path / "worker.py", WITHOUT_HELLO, f"tee {shlex.quote(str(tmp_path / 'sent'))}")
    done = stages.call("run", demo, "-p", "site.yml", "--on", link)
    assert done.returncode == 0, done.stderr.decode()
    assert not any(isinstance(record, Offer) for record in records_in(tmp_path / "sent", Direction.JOB))


def test_a_small_tree_is_sent_at_once(run: Callable[..., Sent], demo: Path) -> None:
    shutil.rmtree(demo / "project" / "data")
    (demo / "project" / "large").unlink()
    (demo / "project" / "site.yml").write_text("- hosts: localhost\n  gather_facts: false\n")
    assert run().kinds(Offer) == []


def test_what_the_job_writes_is_not_in_the_cache(run: Callable[..., Sent], demo: Path) -> None:
    (demo / "project" / "site.yml").write_text(
        PLAYBOOK + "    - copy: {content: x, dest: '{{ playbook_dir }}/large'}\n"
    )
    before = run()
    assert run().kinds(Content) == []
    assert before.kinds(Content)


def test_files_of_env_are_in_no_cache(run: Callable[..., Sent], demo: Path, tmp_path: Path) -> None:
    (demo / "env").mkdir(exist_ok=True)
    (demo / "env" / "passwords").write_text(f'{{"x": "{KEY}"}}')
    run()
    cache = tmp_path / "user cache" / "playstream"
    assert any(cache.rglob("*"))
    assert not any(KEY.encode() in path.read_bytes() for path in cache.rglob("*") if path.is_file())
    (tree,) = cache.rglob("ready/*/tree")
    assert tree.stat().st_mode & 0o077 == 0
    own = [path for path in cache.rglob("*") if not path.is_relative_to(tree)]
    assert {oct(path.stat().st_mode & 0o077) for path in own} == {"0o0"}


def test_encrypted_connections_are_cached_by_what_was_inside(demo: Path, tmp_path: Path, stages: Stages) -> None:
    ours, theirs = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, key in (("ours", ours), ("theirs", theirs)):
        (tmp_path / name).write_text(f"{key}\n")
        (tmp_path / name).chmod(0o600)
    sizes: list[int] = []
    for options in ((), ("--encrypt-to", str(ours.to_public()))):
        for _ in range(2):
            sent = tmp_path / f"sent-{len(sizes)}"
            inner = shlex.join([*PLAYSTREAM, "worker", "--cache", "--identity", str(tmp_path / "theirs"), *options])
            link = f"exec:sh -c {shlex.quote(f'tee {shlex.quote(str(sent))} | {inner}')}"
            identity = ("--identity", tmp_path / "ours") if options else ()
            words = ("--on", link, "--encrypt-to", str(theirs.to_public()), *identity)
            done = stages.call("run", demo, "-p", "site.yml", "--artifact-dir", tmp_path / f"a{len(sizes)}", *words)
            assert done.returncode == 0, done.stderr.decode()
            sizes.append(sent.stat().st_size)
    first, *later = sizes
    assert first > 3 << 20
    assert max(later) < 10_000


def test_over_ssh_the_url_starts_a_worker_with_a_cache(host: Host, demo: Path, tmp_path: Path, stages: Stages) -> None:
    cache = tmp_path / "there"
    cache.mkdir(mode=0o700)
    for _ in range(2):
        done = stages.call("run", demo, "-p", "site.yml", "--on", f"ssh://worker-1?cache={cache}")
        assert done.returncode == 0, done.stderr.decode()
    done = stages.call("cache", "stats", "--cache", cache, "--json")
    (division,) = json.loads(done.stdout)["divisions"]
    assert division["trees"] == 1
    assert division["objects"] > 100


def test_jobs_at_once_while_the_cache_is_pruned_and_verified(demo: Path, tmp_path: Path, stages: Stages) -> None:
    """Two bring the same tree, and one a tree that has much in common with it."""
    other, cache = tmp_path / "other", tmp_path / "cache"
    shutil.copytree(demo, other)
    (other / "project" / "data" / "3").write_bytes(os.urandom(4000))
    cache.mkdir(mode=0o700)
    link = f"exec:{shlex.join([*PLAYSTREAM, 'worker', f'--cache={cache}'])}"
    ended: list[tuple[int, bytes]] = []

    def tend() -> None:
        for words in (("prune", "--all"), ("verify",)):
            done = stages.call("cache", *words, "--cache", cache)
            ended.append((done.returncode, done.stderr))

    assert stages.call("run", demo, "-p", "site.yml", "-i", "first", "--on", link).returncode == 0
    with Repeating(tend, 0.0):
        jobs = {
            ident: (directory, stages.start("run", directory, "-p", "site.yml", "-i", ident, "-v", "--on", link))
            for ident, directory in (("a", demo), ("b", demo), ("c", other))
        }
        said = {ident: job.communicate(timeout=LIMIT_SECONDS) for ident, (_, job) in jobs.items()}
    for ident, (directory, job) in jobs.items():
        assert job.returncode == 0, said[ident][1].decode()
        for name in ("large", "data/3"):
            whole = (directory / "project" / name).read_bytes()
            assert hashlib.sha256(whole).hexdigest() in said[ident][0].decode()
    assert set(ended) == {(0, b"")}
    assert stages.call("cache", "verify", "--cache", cache).returncode == 0
    assert stages.leftovers() == []


SILENT = """\
import sys
from playstream.pipeline.protocol import *
from playstream.pipeline.protocol.order import Direction
hello = Hello(2, "9", records=("Offer", "Listing", "Content"), features=("blake2b",))
sys.stdout.buffer.write(Sender(Direction.RESULT).send(hello))
sys.stdout.flush()
for line in sys.stdin.buffer:
    pass
"""
"""A worker that says that it has a cache, and then nothing more."""


def test_a_canceled_offer(demo: Path, tmp_path: Path, stages: Stages) -> None:
    """While the worker says nothing: the command ends, and leaves nothing."""
    link = link_to(tmp_path / "worker.py", SILENT, f"tee {shlex.quote(str(tmp_path / 'sent'))}")
    command = stages.start("run", demo, "-p", "site.yml", "--on", link, stdout=subprocess.DEVNULL)
    wait_until((tmp_path / "sent").exists)
    wait_until(lambda: any(isinstance(each, Offer) for each in records_in(tmp_path / "sent", Direction.JOB)))
    command.terminate()
    command.communicate(timeout=20)
    assert command.returncode == 254


SPOILS = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - shell: |
        stat --format 'was %i %n' data/5
        stat --format 'of %s bytes' data/3 data/4
        ls -A . .. data
        echo changed >>data/3
        echo of this 'job' >own
        rm data/4
      args: {chdir: "{{ playbook_dir }}"}
"""


def test_the_next_job_gets_the_directory_as_it_was(
    run: Callable[..., Sent], demo: Path, stages: Stages, tmp_path: Path
) -> None:
    """A job finds nothing of the one before it, whose directory it uses."""
    (demo / "project" / "site.yml").write_text(SPOILS)
    first, second = (run("-v").shown for _ in range(2))
    files = [re.search(r"was (\d+) data/5.*of 4000 bytes.*of 4000 bytes(.*)", shown) for shown in (first, second)]
    assert files[0] is not None
    assert files[1] is not None
    assert files[0].groups() == files[1].groups()
    assert '"own"' not in files[0][2]
    assert list(stages.temporary.iterdir()) == []
    kept = [path for path in (tmp_path / "user cache").rglob("*") if path.is_file()]
    assert not any(b"of this job" in path.read_bytes() for path in kept if path.stat().st_size < 4000)
    assert not any(path.name in ("stdout", "own", "job_events") for path in kept)


LEAVES = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - shell: |
        {how} nohup sh -c 'while [ -e {alive} ]; do echo mine >own; sleep 0.1; done' >/dev/null 2>&1 </dev/null &
      args: {{chdir: "{{{{ playbook_dir }}}}"}}
"""


@pytest.mark.parametrize("how", ["", "env -i"])
def test_a_process_of_a_job_that_lives_on_keeps_the_directory(
    how: str, run: Callable[..., Sent], demo: Path, tmp_path: Path
) -> None:
    """It would work in the directory of the next job."""
    alive = tmp_path / "alive"
    alive.touch()
    (demo / "project" / "site.yml").write_text(LEAVES.format(how=how, alive=alive))
    run()
    cache = tmp_path / "user cache"
    assert list(cache.glob("playstream/trees/*/*/*/ready/*/tree")) == []
    alive.unlink()
    (demo / "project" / "site.yml").write_text(PLAYBOOK)
    run()
    assert len(list(cache.glob("playstream/trees/*/*/*/ready/*/tree"))) == 1
