"""What the host does with directories that were sent: each kind of change is noticed, and nothing else is touched."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playstream.links.bootstrap.cache import cache_directory
from playstream.links.bootstrap.parcel import Item, Parcel, make_item, make_link
from playstream.pipeline.errors import BootstrapError
from playstream.worker.bootstrap import files
from playstream.worker.bootstrap.directories import make_place, ours, remove, remove_tree, take, use, verify_for_use
from playstream.worker.bootstrap.files import Damaged, compile_sources
from playstream.worker.bootstrap.host import find_place
from playstream.worker.bootstrap.owners import find_weakness
from playstream.worker.bootstrap.program import start
from playstream.worker.bootstrap.talk import Failure

ITEMS = (
    make_item("lib/package/module.py", b"x = 1\n"),
    make_item("lib/package/data.txt", b"data\n"),
    make_item("lib/package/template.py", b"not { python\n"),
    make_item("venv/bin/program", b"#!/bin/sh\n", "program"),
    make_link("venv/bin/python3", "/usr/bin/python3"),
)


class Directory:
    """A directory that was sent."""

    def __init__(self, place: Path, items: tuple[Item, ...] = ITEMS) -> None:
        self.parcel = Parcel(items)
        self.path = place / self.parcel.name
        self.path.mkdir(mode=0o700)
        self.manifest = self.path / files.MANIFEST
        files.write(str(self.manifest), 0o600, [self.parcel.manifest])
        for item in items:
            path = self.path / item.path
            for parent in reversed(path.relative_to(self.path).parents):
                (self.path / parent).mkdir(mode=0o700, exist_ok=True)
            if item.kind == "link":
                path.symlink_to(item.value)
            else:
                files.write(str(path), files.mode_of(item.kind), [item.read()])
        sources = [item.path for item in items if item.path.endswith(".py")]
        self.compiled = compile_sources(str(self.path), str(self.path), sources)

    @property
    def module(self) -> Path:
        """A source in it."""
        return self.path / "lib" / "package" / "module.py"

    @property
    def made(self) -> Path:
        """What Python compiled of it."""
        (found,) = (self.module.parent / "__pycache__").glob("module.*.pyc")
        return found

    def use(self, compiled: str | None = None) -> str:
        """Verify it as the host does."""
        request = {**self.parcel.identity, "compiled": compiled or self.compiled}
        return verify_for_use(str(self.path), request)

    def snapshot(self) -> dict[str, tuple[int, bytes, int]]:
        """Return mode, content and time of everything in it."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            about = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
            time = about.st_mtime_ns if stat.S_ISREG(about.st_mode) else 0
            found[str(path.relative_to(self.path))] = (about.st_mode, content, time)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    found = tmp_path / "playstream" / "bootstrap"
    before = os.umask(0o077)  # as the program on the host does
    make_place(str(found))
    yield found
    os.umask(before)


@pytest.fixture
def sent(place: Path) -> Directory:
    return Directory(place)


def test_an_unchanged_directory(sent: Directory) -> None:
    before = sent.snapshot()
    assert sent.use() == sent.compiled
    assert sent.snapshot() == before


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))


def plant(path: Path) -> None:
    path.write_text("raise SystemExit\n")
    path.chmod(0o600)


def replace_by_link(path: Path, elsewhere: Path) -> None:
    """Everything is as it was, elsewhere."""
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def list_what_is_planted(sent: Directory) -> None:
    """Only the digest of the list can tell."""
    change(sent.module)
    old, new = (hashlib.sha256(data).hexdigest().encode() for data in (b"x = 1\n", b"x = 2\n"))
    sent.manifest.write_bytes(sent.manifest.read_bytes().replace(old, new))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda sent: change(sent.module), "was changed"),
        (lambda sent: sent.module.write_bytes(b""), "has 0 bytes instead of 6"),
        (lambda sent: plant(sent.path / "lib" / "sitecustomize.py"), "was not sent"),
        (lambda sent: plant(sent.path / "lib" / "evil.pth"), "was not sent"),
        (lambda sent: plant(sent.path / "venv" / "bin" / "ansible"), "was not sent"),
        (lambda sent: plant(sent.path / "pyvenv.cfg"), "was not sent"),
        (lambda sent: replace_by_link(sent.module, sent.path.parent / "elsewhere"), "Too many levels"),
        (lambda sent: replace_by_link(sent.module.parent, sent.path.parent / "elsewhere"), "was not sent"),
        (lambda sent: replace_by_link(sent.path, sent.path.parent / "elsewhere"), "is not a directory"),
        (lambda sent: (sent.path / "lib" / "json.py").symlink_to("package/module.py"), "was not sent"),
        (lambda sent: (sent.path / "venv" / "bin" / "python3").unlink(), "python3 is missing"),
        (lambda sent: sent.module.chmod(0o644), "has the mode 0644 instead of 0600"),
        (lambda sent: sent.module.chmod(0o700), "has the mode 0700 instead of 0600"),
        (lambda sent: sent.module.parent.chmod(0o755), "has the mode 0755 instead of 0700"),
        (lambda sent: sent.path.chmod(0o770), "has the mode 0770 instead of 0700"),
        (lambda sent: sent.module.unlink(), "module.py is missing"),
        (lambda sent: make_fifo(sent.module), "is not a file"),
        (list_what_is_planted, "manifest was changed"),
        (lambda sent: sent.manifest.unlink(), "No such file"),
    ],
)
def test_a_change_is_noticed(sent: Directory, damage: Callable[[Directory], object], said: str) -> None:
    damage(sent)
    with pytest.raises(Damaged, match=said):
        sent.use()


def test_another_target_of_a_link(sent: Directory, tmp_path: Path) -> None:
    link = sent.path / "venv" / "bin" / "python3"
    link.unlink()
    link.symlink_to(tmp_path)
    with pytest.raises(Damaged, match="is not the link that was sent"):
        sent.use()


@pytest.mark.parametrize("name", ["module.py", "package"])
def test_another_owner(sent: Directory, name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(sent.module if name == "module.py" else sent.module.parent, 65534, 65534)
    with pytest.raises(Damaged, match="belongs to user 65534"):
        sent.use()


@pytest.mark.parametrize(
    "damage",
    [
        lambda sent: sent.made.write_bytes(b"other code"),
        lambda sent: sent.made.unlink(),
        lambda sent: sent.made.chmod(0o644),
        lambda sent: (sent.path / "compiled").write_text("[]"),
        lambda sent: (sent.path / "compiled").unlink(),
        lambda sent: plant(sent.made.with_name("module.cpython-39.pyc")),
        lambda sent: plant(sent.made.with_name("other.pyc")),
        lambda sent: sent.made.parent.chmod(0o755),
        lambda sent: replace_by_link(sent.made, sent.path.parent / "elsewhere"),
    ],
)
def test_compiled_files_are_those_that_were_made(sent: Directory, damage: Callable[[Directory], object]) -> None:
    """Any others are removed: Ansible may use another Python, and somebody may plant them."""
    before = sent.snapshot()
    damage(sent)
    assert sent.use() == sent.compiled
    after = sent.snapshot()
    assert {path: value[:2] for path, value in after.items()} == {path: value[:2] for path, value in before.items()}


def test_compiled_files_that_nobody_remembers(sent: Directory) -> None:
    """Another computer sends the same: it cannot know whether what it finds was compiled from the sources."""
    sent.made.write_bytes(b"other code")
    assert sent.use("0" * 64) == sent.compiled
    assert sent.made.read_bytes() != b"other code"


def test_what_is_removed(place: Path, sent: Directory, tmp_path: Path) -> None:
    """Only what was sent, and never through a link."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (place / ("f" * 32)).symlink_to(tmp_path / "kept")
    (place / "file").touch()
    (sent.path / "lib" / "link").symlink_to(tmp_path / "kept")
    answer = remove(str(place))
    assert answer["removed"] == [str(sent.path)]
    assert sorted(answer["kept"]) == [f"{place}/{'f' * 32} was not sent", f"{place}/file was not sent"]
    assert (tmp_path / "kept" / "file").exists()
    assert list(ours(str(place))) == []
    remove_tree(str(place / ("f" * 32)))
    assert (tmp_path / "kept" / "file").exists()
    (place / "file").unlink()
    assert remove(str(place)) == {"removed": [], "kept": []}
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_a_place_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    place = tmp_path / "playstream" / "bootstrap"
    place.mkdir(parents=True)
    place.parent.chmod(0o755)
    make_place(str(place))
    assert [stat.S_IMODE(path.stat().st_mode) for path in (place.parent, place)] == [0o700, 0o700]


def test_a_place_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "playstream").symlink_to(tmp_path)
    with pytest.raises(Failure, match="is not a directory of this user"):
        make_place(str(tmp_path / "playstream" / "bootstrap"))


def use_it(place: Path, sent: Directory) -> None:
    use(str(place), {**sent.parcel.identity, "compiled": sent.compiled})


def take_it(place: Path, sent: Directory) -> None:
    take(str(place), {**sent.parcel.identity, "size": 0})


def start_it(place: Path, sent: Directory) -> None:
    start(str(place), sent.parcel.identity, 0o077)


@pytest.mark.parametrize("does", [use_it, take_it, start_it])
def test_others_can_write_above_it(
    place: Path, sent: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: Callable[..., None]
) -> None:
    """They could put something else into its place between the verification and the start."""
    monkeypatch.setattr(os, "execv", lambda *_words: pytest.fail("it is started"))
    tmp_path.chmod(0o775)
    with pytest.raises(Failure, match=f"others could change what runs, because {tmp_path} has the mode 0775"):
        does(place, sent)


def test_another_directory_at_the_start(place: Path, sent: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "execv", lambda *_words: pytest.fail("it is started"))
    sent.path.chmod(0o777)
    with pytest.raises(Damaged, match="has the mode 0777"):
        start_it(place, sent)


def test_who_can_put_something_into_its_place(tmp_path: Path) -> None:
    """Whoever can write to a directory on the way, also behind links; a directory such as /tmp is safe."""
    own, wide, elsewhere = tmp_path / "own", tmp_path / "wide", tmp_path / "elsewhere"
    for directory in (own, wide / "in", elsewhere / "in"):
        directory.mkdir(parents=True)
    (own / "link").symlink_to("../wide/link")
    (wide / "link").symlink_to(elsewhere)
    wide.chmod(0o1777)
    assert find_weakness(f"{own}/link/in", os.geteuid()) is None
    assert find_weakness(str(wide / "in"), os.geteuid()) is None
    wide.chmod(0o777)
    assert (
        find_weakness(f"{own}/link/in", os.geteuid()) == f"{own}/../wide has the mode 0777, so others can write to it"
    )
    assert find_weakness(str(elsewhere / "in"), os.geteuid()) is None


def test_another_owner_above_it(tmp_path: Path) -> None:
    """Root or not, the directories of another user are not this user's."""
    uid = os.geteuid() or 65534
    (tmp_path / "a" / "b").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(tmp_path / "a", uid, uid)
    assert find_weakness(str(tmp_path / "a" / "b"), uid + 1) in {
        f"{tmp_path / 'a'} belongs to user {uid}",
        f"{tmp_path / 'a' / 'b'} belongs to user {uid}",
    }


@pytest.mark.parametrize("home", ["relative", ""])
def test_a_home_directory_that_is_relative(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    if not home:
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without an entry
    with pytest.raises(Failure, match=f"is '{home or '~'}', which is not an absolute path"):
        find_place()
    with pytest.raises(BootstrapError, match="is not an absolute path, so this side has no place"):
        cache_directory("wheels")


def test_a_cache_here_below_a_directory_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_directory("wheels").is_dir()
    tmp_path.chmod(0o777)
    with pytest.raises(BootstrapError, match=f"others could change what is sent .* because {tmp_path} has"):
        cache_directory("wheels")
