"""Directories are removed whatever a job has made of them, by an ordinary user too; nothing outside is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.pipeline.io.removal import remove_tree
from tests.processes import BECOMES_NOBODY, MOUNTS_ALONE

PROGRAM = f"""{BECOMES_NOBODY}
import resource, sys
from playstream.pipeline.io.removal import remove_tree

root = sys.argv[1]
exec(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
print(remove_tree(root + "/tree"))
"""
MAKE_CLOSED = """
for mode in (0, 0o100, 0o300, 0o400, 0o555):
    below = f"{root}/tree/{mode:o}/below"
    os.makedirs(below)
    open(below + "/file", "w").close()
    os.symlink(root + "/outside", below + "/link")
    os.chmod(below, mode)
    os.chmod(f"{root}/tree/{mode:o}", mode)
os.chmod(root + "/tree", 0o555)
"""
MAKE_DEEP = """
os.mkdir(root + "/tree")
fd = os.open(root + "/tree", os.O_RDONLY)
for number in range(3000):
    os.mkdir("d", dir_fd=fd)
    below = os.open("d", os.O_RDONLY, dir_fd=fd)
    os.fchmod(fd, 0o555)
    os.close(fd)
    fd = below
os.close(fd)
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory that everyone can write, with one that has to stay."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o777)
        (path / "outside").mkdir()
        (path / "outside/file").write_text("x")
        (path / "outside").chmod(0o555)
        yield path


def remove_as_user(root: Path, make: str) -> str:
    """What an ordinary user's removal of the tree that `make` makes says."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root), make], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.parametrize("make", [MAKE_CLOSED, MAKE_DEEP], ids=["closed", "deep"])
def test_an_ordinary_user_removes_what_it_owns(root: Path, make: str) -> None:
    assert remove_as_user(root, make) == "None\n"
    assert sorted(path.name for path in root.iterdir()) == ["outside"]
    assert (root / "outside/file").read_text() == "x"
    assert (root / "outside").stat().st_mode & 0o777 == 0o555


@pytest.mark.parametrize("others", [False, True] if os.geteuid() == 0 else [False])
def test_what_remains_is_told(root: Path, others: bool) -> None:
    """A directory whose place cannot be written, and, where the tests can make one, another user's directory in it."""
    (root / "tree").mkdir()
    (root / "tree/own").write_text("x")
    if others:
        (root / "tree/theirs").mkdir()
        (root / "tree/theirs/file").write_text("x")
    if os.geteuid() == 0:
        os.chown(root / "tree", 65534, 65534)
    root.chmod(0o555)
    told = remove_as_user(root, "")
    root.chmod(0o777)
    assert told == ("'theirs/file' in it: " if others else "") + "Permission denied\n"
    assert [path.name for path in (root / "tree").iterdir()] == ["theirs"] * others


def test_a_link_is_removed_and_not_followed(root: Path) -> None:
    (root / "tree").symlink_to(root / "outside")
    assert remove_tree(root / "tree") is None
    assert not (root / "tree").is_symlink()
    assert (root / "outside/file").read_text() == "x"


def test_nothing_there(root: Path) -> None:
    assert remove_tree(root / "tree") is None


@pytest.mark.parametrize("place", ["mounted", "a/b/mounted"])
def test_what_is_mounted_there_is_kept(place: str, tmp_path: Path) -> None:
    """A job may have mounted a directory that others use, on the same file system too."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / place).mkdir(parents=True)
    (tree / "a").mkdir(exist_ok=True)
    (tree / "a" / "file").touch()
    outside.mkdir()
    (outside / "precious").write_text("kept")
    mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    program = "import sys; from playstream.pipeline.io.removal import remove_tree; print(remove_tree(sys.argv[1]))"
    words: tuple[str | Path, ...] = (
        *MOUNTS_ALONE,
        "sh",
        "-c",
        mount,
        "sh",
        outside,
        tree / place,
        sys.executable,
        "-c",
        program,
        tree,
    )
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout == f"{place!r} in it: something is mounted there, and its content is kept. Unmount it\n"
    assert (outside / "precious").read_text() == "kept"
    assert not (tree / "a" / "file").exists()
    assert remove_tree(tree) is None
