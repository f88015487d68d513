"""playstream cache, and the flags of a worker that has one."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playstream
from playstream.cli.worker_flags import size
from playstream.pipeline.protocol import Failure, Hello
from playstream.worker.cache.eviction import evicting
from tests.stages import Stages, read_records
from tests.worker.cache.cached import file_of, fill, hash_of, open_store, opened

MIB = 1 << 20


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A cache of two senders."""
    place = tmp_path / "cache"
    fill(place, b"a", b"b" * 5000)
    fill(place, *(b"%d" % number for number in range(300)), sender="cert-ci.example.org")
    with open_store(place) as store:
        store.use_tree(hash_of(b"a"))
    return place


def call(stages: Stages, *words: str | Path, status: int = 0) -> tuple[str, str]:
    """What a command prints on standard output and standard error."""
    done = stages.call("cache", *words)
    assert done.returncode == status, done.stderr
    return done.stdout.decode(), done.stderr.decode()


def test_stats(stages: Stages, place: Path) -> None:
    lines = call(stages, "stats", "--cache", place)[0].splitlines()
    assert lines[0].split() == ["SENDER", "HASH", "OBJECTS", "SIZE", "TREES", "LAST", "USED"]
    assert re.fullmatch(r"cert-ci\.example\.org +blake2b +300 +1\.2 MiB +0 +20\d\d-.*", lines[1])
    assert re.fullmatch(r"user +blake2b +2 +12 KiB +1 +20\d\d-.*", lines[2])
    assert lines[3:] == [f"1.2 MiB in {place}"]


def test_stats_as_json(stages: Stages, place: Path) -> None:
    found = json.loads(call(stages, "stats", "--json", f"--cache={place}")[0])
    assert (found["directory"], found["bytes"]) == (str(place), 302 * 4096 + 4096)
    first, second = found["divisions"]
    assert first["sender"] == "cert-ci.example.org"
    assert second["last_used"] > 1.7e9
    del second["last_used"]
    assert second == {"sender": "user", "algorithm": "blake2b", "objects": 2, "bytes": 3 * 4096, "trees": 1, "ready": 0}


def test_the_default_is_in_the_users_cache(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "playstream" / "trees"
    for command in ("stats", "verify", "prune"):
        assert call(stages, command)[0] == f"There is no cache at {place}\n"
    assert not place.exists()
    fill(place, b"a")
    assert call(stages, "verify")[0] == "1 object intact\n"


@pytest.mark.parametrize("command", ["stats", "verify", "prune"])
def test_a_cache_that_is_named_has_to_be_there(stages: Stages, tmp_path: Path, command: str) -> None:
    _, said = call(stages, command, "--cache", tmp_path / "none", status=1)
    assert said == f"playstream cache {command}: --cache: there is no cache in '{tmp_path}/none'. Check its path\n"


@pytest.mark.parametrize("command", ["stats", "verify", "prune"])
def test_a_cache_that_is_open_to_others_is_refused(stages: Stages, place: Path, command: str) -> None:
    place.chmod(0o755)
    assert "is open to others" in call(stages, command, "--cache", place, status=1)[1]


def test_verify_removes_what_is_damaged(stages: Stages, place: Path) -> None:
    assert call(stages, "verify", "--cache", place)[0] == "302 objects intact\n"
    file_of(place, b"a").write_bytes(b"x")
    other = file_of(place, b"b" * 5000)
    other.unlink()
    other.symlink_to("/etc/hostname")
    (other.parent / "stranger").mkdir()
    (other.parent / ".being-written").write_text("")
    assert call(stages, "verify", "--cache", place)[0] == "300 objects intact; 3 damaged, removed\n"
    assert call(stages, "verify", "--cache", place)[0] == "300 objects intact\n"
    assert [path.name for path in other.parent.iterdir()] == [".being-written"]


def test_verify_says_what_it_cannot_read(stages: Stages, place: Path) -> None:
    (place / "1" / "user" / "blake2b").rename(place / "1" / "user" / "sha7")
    said = call(stages, "verify", "--cache", place, status=71)
    assert said == (
        "300 objects intact\n",
        "playstream cache verify: objects named by sha7 were not read: install the package sha7\n",
    )


def test_verifying_is_no_use(stages: Stages, place: Path) -> None:
    os.utime(file_of(place, b"a"), (1, 1))
    call(stages, "verify", "--cache", place)
    assert file_of(place, b"a").stat().st_mtime == 1


def test_prune_to_a_size(stages: Stages, place: Path) -> None:
    os.utime(file_of(place, b"a"), (1, 1))
    assert call(stages, "prune", "--cache", place)[0] == "Removed 0 objects, 0 B. 1.2 MiB left\n"
    said = call(stages, "prune", "--cache", place, "--cache-size", "1M")[0]
    assert said == "Removed 47 objects, 192 KiB. 1.0 MiB left\n" or said.startswith("Removed 46 objects")
    assert not file_of(place, b"a").exists()


def test_prune_everything_but_what_a_job_uses(stages: Stages, place: Path) -> None:
    with open_store(place) as job:
        job.holds(hash_of(b"a"))
        said = call(stages, "prune", "--all", "--cache", place)[0]
        assert said == "Removed 301 objects, 1.2 MiB. 4.0 KiB left (active jobs use it)\n"
    assert call(stages, "prune", "--all", "--cache", place)[0] == "Removed 1 object, 4.0 KiB. 0 B left\n"
    assert call(stages, "stats", "--cache", place)[0].splitlines()[-1] == f"0 B in {place}"


def test_prune_waits_for_another_eviction(stages: Stages, place: Path) -> None:
    with opened(place) as fd, evicting(fd):
        _, said = call(stages, "prune", "--all", "--cache", place, status=71)
    assert "another process is reducing the cache, and takes long: wait for it, and try again" in said


def test_prune_takes_one_size(stages: Stages, place: Path) -> None:
    assert "--all does not go with --cache-size" in call(stages, "prune", "--all", "--cache-size", "1", status=1)[1]


@given(st.integers(0, 10**12), st.sampled_from(["", "K", "M", "G", "T", "k", "kB", "MiB", "gib"]))
def test_sizes(number: int, unit: str) -> None:
    power = " kmgt".index(unit[:1].lower() or " ")
    assert size(f"{number}{unit}") == number * 1024**power


@given(st.text(max_size=12).filter(lambda text: not re.fullmatch(r"[0-9]+[kmgtKMGT]?(i?[bB])?", text)))
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size such as 500M or 2G"):
        size(text)


def test_a_worker_says_that_it_has_a_cache(stages: Stages, directory: Path, tmp_path: Path) -> None:
    job = stages.transmit(directory, "-p", "site.yml")
    for flags, expected in (((), False), ((f"--cache={tmp_path}/new",), True)):
        done = stages.call("worker", *flags, stdin=job)
        assert done.returncode == 0, done.stderr
        hello = next(record for record in read_records(done.stdout) if isinstance(record, Hello))
        assert ("Offer" in hello.records) is expected
        assert (hello.features == ("blake3", "blake2b")) is expected
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_worker_refuses_a_cache_that_is_open_to_others(stages: Stages, directory: Path, place: Path) -> None:
    """The other side hears why, and nothing has run."""
    place.chmod(0o755)
    done = stages.call("worker", f"--cache={place}", stdin=stages.transmit(directory, "-p", "site.yml"))
    assert done.returncode == 1
    failure = next(record for record in read_records(done.stdout) if isinstance(record, Failure))
    assert "is open to others, who could read what jobs bring" in failure.message
    assert stages.leftovers() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cache-size", "1G"), "--cache-size is the size of a cache: pass --cache too, or omit it"),
        (("--cache", "--cache-sender", "../x"), "the sender of a job: expected a letter"),
        (("--cache", "--cache-size", "much"), "expected a size such as 500M or 2G, got 'much'"),
        (("--cache=",), "expected a directory, got an empty string"),
    ],
)
def test_flags_of_a_worker_that_are_refused(stages: Stages, words: tuple[str, ...], said: str) -> None:
    done = stages.call("worker", *words)
    assert done.returncode in {1, 2}
    assert said in done.stderr.decode()


def test_the_value_of_the_flag_follows_an_equals_sign(stages: Stages, tmp_path: Path) -> None:
    done = stages.call("worker", "--cache", tmp_path)
    assert done.returncode == 2
    assert f"invalid choice: '{tmp_path}'" in done.stderr.decode()


def test_a_worker_in_python(stages: Stages, directory: Path, tmp_path: Path) -> None:
    job = io.BytesIO(stages.transmit(directory, "-p", "site.yml"))
    results = io.BytesIO()
    done = playstream.run(streamer="worker", _input=job, _output=results, cache=tmp_path / "new", cache_size=1 << 20)
    assert done.status == "successful"
    hello = next(record for record in read_records(results.getvalue()) if isinstance(record, Hello))
    assert "Offer" in hello.records
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cache_size": 1}, "cache_size concerns the cache of a worker: pass cache too, or omit it"),
        ({"sender": "user"}, "sender concerns the cache of a worker: pass cache too, or omit it"),
        ({"cache": "x", "cache_size": -1}, "cache_size: expected a number of bytes, 0 or more, got -1"),
        ({"cache": "x", "sender": "../x"}, "the sender of a job: expected a letter"),
        ({"cache": ""}, "cache: expected a"),
    ],
)
def test_options_of_a_worker_that_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(playstream.ConfigurationError, match=re.escape(said)):
        playstream.run(streamer="worker", _input=io.BytesIO(), _output=io.BytesIO(), **options)
