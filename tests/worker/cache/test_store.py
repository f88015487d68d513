"""One store: what comes out is what went in, whatever has happened to the files meanwhile."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import ConfigurationError
from playstream.worker.cache.store import Store
from tests.processes import BECOMES_NOBODY, MODES_BIND, MOUNTS_ALONE
from tests.stages import LIMIT_SECONDS
from tests.worker.cache.cached import DAY, LARGE, file_of, fill, hash_of, open_store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize("algorithm", ["blake2b", "blake3"])
@pytest.mark.parametrize("data", [b"", b"a", os.urandom(1 << 20)], ids=["empty", "small", "large"])
def test_an_object_is_read_as_it_was_written(place: Path, data: bytes, algorithm: str) -> None:
    with Store(place, "user", algorithm, LARGE) as store:
        name = store.write(data)
        assert store.holds(name)
        assert store.read(name) == data
    with Store(place, "user", algorithm, LARGE) as store:
        assert store.read(name) == data
        assert store.trouble is None


def test_what_was_never_written_is_missing(place: Path) -> None:
    with open_store(place) as store:
        assert not store.holds(hash_of(b"a"))
        assert store.read(hash_of(b"a")) is None


@given(st.binary(max_size=70).filter(lambda name: len(name) != 32))
def test_what_is_no_hash_names_nothing(tmp_path_factory: pytest.TempPathFactory, name: bytes) -> None:
    place = tmp_path_factory.getbasetemp() / "no-hash"
    with open_store(place) as store:
        store.use_tree(name)
        assert (store.holds(name), store.read(name)) == (False, None)
    assert place.is_dir()


def test_an_object_that_is_not_what_was_expected_is_not_kept(place: Path) -> None:
    with open_store(place) as store:
        assert store.write(b"a", hash_of(b"b")) == hash_of(b"a")
        assert not store.holds(hash_of(b"a"))
        assert not store.holds(hash_of(b"b"))
        assert store.write(b"a", hash_of(b"a")) == hash_of(b"a")
        assert store.holds(hash_of(b"a"))


def test_senders_and_algorithms_have_nothing_in_common(place: Path) -> None:
    fill(place, b"secret", sender="user")
    with open_store(place, "user-1000") as other:
        assert not other.holds(hash_of(b"secret"))
        assert other.read(hash_of(b"secret")) is None
    with Store(place, "user", "blake3", LARGE) as other:
        assert not other.holds(hash_of(b"secret"))


def test_everything_is_private_whatever_the_umask(place: Path) -> None:
    before = os.umask(0)
    try:
        fill(place, b"a")
        with open_store(place) as store:
            store.use_tree(hash_of(b"a"))
    finally:
        os.umask(before)
    for path in [place, *place.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def replace_by_directory(path: Path) -> None:
    path.unlink()
    (path / "in").mkdir(parents=True)
    (path / "in" / "it").write_text("content")


def replace_by_link(path: Path) -> None:
    target = path.parent.parent / "elsewhere"
    path.rename(target)
    path.symlink_to(target)


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def enlarge(path: Path) -> None:
    os.truncate(path, 1 << 34)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "changed": lambda path: path.write_bytes(b"other "),
    "truncated": lambda path: os.truncate(path, 3),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(b"content and more"),
    "enormous": enlarge,
    "directory": replace_by_directory,
    "link": replace_by_link,
    "fifo": replace_by_fifo,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_object_is_removed_and_can_be_written_again(place: Path, damage: Callable[[Path], object]) -> None:
    data = b"content"
    fill(place, data)
    path = file_of(place, data)
    damage(path)
    with open_store(place) as store:
        assert store.read(hash_of(data)) is None
        assert not os.path.lexists(path)
        assert not store.holds(hash_of(data))
        store.write(data)
        assert store.read(hash_of(data)) == data


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_writing_replaces_what_is_not_the_object(place: Path, damage: Callable[[Path], object]) -> None:
    data = b"content"
    fill(place, data)
    damage(file_of(place, data))
    if damage is DAMAGES["changed"]:
        file_of(place, data).write_bytes(b"of another size")
    with open_store(place) as store:
        store.write(data)
        assert store.trouble is None
        assert store.read(hash_of(data)) == data


def test_an_object_that_has_vanished_is_missing(place: Path) -> None:
    fill(place, b"a")
    with open_store(place) as store:
        assert store.holds(hash_of(b"a"))
        file_of(place, b"a").unlink()
        assert store.read(hash_of(b"a")) is None


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_in_place_of_a_shard_is_replaced(place: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    fill(place, b"other")
    shard = file_of(place, b"a").parent
    if kind == "file":
        shard.write_text("")
    else:
        shard.symlink_to(tmp_path / "missing")
    with open_store(place) as store:
        assert store.read(hash_of(b"a")) is None
        store.write(b"a")
        assert store.trouble is None
        assert store.read(hash_of(b"a")) == b"a"


UNREADABLE = """
import sys
from pathlib import Path
from tests.worker.cache.cached import file_of, hash_of, open_store

place = Path(sys.argv[1])
with open_store(place) as store:
    assert store.read(hash_of(b"a")) is None
    assert not file_of(place, b"a").exists()
    store.write(b"a")
    assert store.read(hash_of(b"a")) == b"a"
"""


def test_an_unreadable_object_is_removed(place: Path) -> None:
    fill(place, b"a")
    file_of(place, b"a").chmod(0)
    subprocess.run(
        [*MODES_BIND, sys.executable, "-c", UNREADABLE, place], check=True, timeout=LIMIT_SECONDS, cwd=os.getcwd()
    )


def test_an_object_of_another_user_is_verified_like_any(place: Path) -> None:
    fill(place, b"a", b"b")
    if os.geteuid() == 0:  # nobody else can give files away
        os.chown(file_of(place, b"a"), 65534, 65534)
        os.chown(file_of(place, b"b"), 65534, 65534)
    file_of(place, b"b").write_bytes(b"c")
    with open_store(place) as store:
        assert store.read(hash_of(b"a")) == b"a"
        assert store.read(hash_of(b"b")) is None


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o1777])
def test_a_directory_that_is_open_to_others_is_refused(place: Path, mode: int) -> None:
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(ConfigurationError, match="is open to others, who could read what jobs bring"):
        open_store(place)
    assert list(place.iterdir()) == []


AS_NOBODY = f"""
import sys
from pathlib import Path
from playstream.pipeline.errors import ConfigurationError
{BECOMES_NOBODY}
from playstream.worker.cache.place import open_place
try:
    open_place(Path(sys.argv[1]))
except ConfigurationError as error:
    print(error)
"""


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """Root refuses one of somebody else, and somebody else one of root."""
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    theirs = tmp_path / "theirs"
    theirs.mkdir(0o700)
    if os.geteuid() == 0:
        os.chown(theirs, owner, owner)
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            open_store(theirs)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "/root" if os.geteuid() == 0 else "/"],
        check=True,
        text=True,
        capture_output=True,
        timeout=LIMIT_SECONDS,
    )
    assert "cannot be used: Permission denied" in done.stdout or "belongs to another user" in done.stdout


def test_a_file_in_place_of_the_directory_is_refused(place: Path) -> None:
    place.write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be used: (File exists|Not a directory)"):
        open_store(place)


@pytest.mark.parametrize("sender", ["", ".", "..", "../x", "a/b", ".jobs", "-x", "a\0b", "a\n", "ü", "a" * 201])
def test_a_sender_is_never_a_path(place: Path, sender: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^the sender of a job: expected a letter"):
        open_store(place, sender)


def test_an_unknown_algorithm_is_refused(place: Path) -> None:
    with pytest.raises(ValueError, match="got the algorithm 'md5'"):
        Store(place, "user", "md5", LARGE)


def test_a_use_is_dated_once_a_job(place: Path) -> None:
    fill(place, b"a")
    path = file_of(place, b"a")
    for use in (Store.read, Store.holds):
        os.utime(path, (1, 1))
        with open_store(place) as store:
            use(store, hash_of(b"a"))
            started = path.stat().st_mtime
            assert started > DAY
            store.read(hash_of(b"a"))
            assert path.stat().st_mtime == started


def test_an_object_that_is_there_is_not_written_again(place: Path) -> None:
    fill(place, b"a")
    before = file_of(place, b"a").stat()
    os.utime(file_of(place, b"a"), (1, 1))
    fill(place, b"a")
    assert file_of(place, b"a").stat().st_ino == before.st_ino
    assert file_of(place, b"a").stat().st_mtime > DAY


def test_a_closed_store_keeps_nothing_and_raises_nothing(place: Path) -> None:
    store = open_store(place)
    store.write(b"a")
    store.close()
    store.close()
    store.release()
    assert store.write(b"b") == hash_of(b"b")
    assert store.read(hash_of(b"a")) is None
    assert not store.holds(hash_of(b"a"))


def test_a_job_brings_no_more_than_the_size(place: Path) -> None:
    objects = [bytes([number]) * 4096 for number in range(8)]
    with open_store(place, max_bytes=5 * 4096) as store:
        for data in objects:
            store.write(data)
        assert [store.holds(hash_of(data)) for data in objects] == [True] * 5 + [False] * 3
        assert store.trouble is not None
        assert "brings more than its size, 20480 bytes (--cache-size)" in store.trouble


FULL = """
import sys
from pathlib import Path
from tests.worker.cache.cached import hash_of, open_store

place = Path(sys.argv[1])
kept = 0
with open_store(place) as store:
    if len(sys.argv) > 2:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    (place / "ballast").write_bytes(bytes(int(sys.argv[3]) if len(sys.argv) > 3 else 500))
    for number in range(100):
        data = number.to_bytes(2, "big") * 4096
        name = store.write(data)
        assert name == hash_of(data)
        kept += store.read(name) == data
    assert store.write(b"small") == hash_of(b"small")
    print(kept, store.trouble)
leftovers = [path for path in place.rglob(".*") if path.is_file() and path.name not in (".size", ".lock")]
assert not leftovers, leftovers
"""


def run_full(*words: object) -> str:
    done = subprocess.run(
        [*map(str, words)], check=False, text=True, capture_output=True, timeout=LIMIT_SECONDS, cwd=os.getcwd()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_files_that_may_not_be_large_enough_are_trouble_and_no_error(place: Path) -> None:
    said = run_full(sys.executable, "-c", FULL, place, "limit")
    assert said == f"0 the cache {str(place)!r} cannot be written: File too large\n"


def test_a_full_disk_is_trouble_and_no_error(place: Path) -> None:
    place.mkdir(mode=0o700)
    mount = 'mount -t tmpfs -o size=1m,mode=700 none "$0" && exec "$@"'
    words = (*MOUNTS_ALONE, "sh", "-c", mount, place, sys.executable, "-c", FULL, place)
    kept, trouble = run_full(*words).split(" ", 1)
    assert 0 < int(kept) <= 64
    assert "brings more than half of the free space on its disk" in trouble


def test_a_disk_that_others_fill_is_trouble_and_no_error(place: Path) -> None:
    place.mkdir(mode=0o700)
    mount = 'mount -t tmpfs -o size=1m,mode=700 none "$0" && exec "$@"'
    program = FULL.replace("if len(sys.argv) > 2", "if False")
    said = run_full(*MOUNTS_ALONE, "sh", "-c", mount, place, sys.executable, "-c", program, place, "", 950_000)
    kept, trouble = said.split(" ", 1)
    assert 0 < int(kept) < 20
    assert trouble == f"the cache {str(place)!r} cannot be written: No space left on device\n"


def test_a_division_that_is_open_to_others_is_not_used(place: Path) -> None:
    fill(place, b"a")
    (place / "1" / "user").chmod(0o755)
    with open_store(place) as store:
        assert store.read(hash_of(b"a")) is None
        store.write(b"b")
        assert store.trouble == (
            f"the cache {str(place)!r} cannot be written: user in it belongs to another user, or is open to others"
        )
