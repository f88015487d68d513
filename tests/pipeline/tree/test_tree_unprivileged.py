"""What an ordinary user may not read or write: a clear error, before anything is sent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
import pathspec  # before this Python may no longer be readable
from pathlib import Path
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.pack import pack
from playstream.pipeline.tree.readable import check_readable
from playstream.pipeline.tree.unpack import Unpacker

action, root, *exclude = sys.argv[1:]
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
try:
    ignore = Ignore.for_directory(Path(root), exclude)
    if action == "check":
        check_readable(Path(root), ignore)
    elif action == "pack":
        list(pack(Path(root), ignore=ignore))
    else:
        source = Path(action)
        with Unpacker(Path(root), trusted=True, replace=True) as unpacker:
            for record in pack(source):
                unpacker.receive(record)
except PlaystreamError as error:
    print(type(error).__name__, error)
else:
    print("done")
"""


def act(action: str, root: Path, *exclude: str) -> str:
    """What happens to a user without privileges."""
    command = [sys.executable, "-c", PROGRAM, action, str(root), *exclude]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory that everyone can reach."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "project").mkdir()
        (path / "project/readable").write_text("x")
        (path / "project/link").symlink_to("secret")
        yield path


@pytest.mark.parametrize("action", ["check", "pack"])
def test_all_readable(root: Path, action: str) -> None:
    assert act(action, root) == "done\n"


@pytest.mark.parametrize("action", ["check", "pack"])
def test_an_unreadable_file_is_named(root: Path, action: str) -> None:
    (root / "project/secret").write_text("x")
    (root / "project/secret").chmod(0)
    said = act(action, root)
    assert said.startswith(f"ConfigurationError cannot read 'project/secret' in {root}: Permission denied. ")
    assert "--exclude" in said
    assert act(action, root, "secret") == "done\n"


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o600])
@pytest.mark.parametrize("action", ["check", "pack"])
def test_an_unreadable_directory_is_named(root: Path, action: str, mode: int) -> None:
    (root / "project/closed").mkdir()
    (root / "project/closed/file").write_text("x")
    (root / "project/closed").chmod(mode)
    said = act(action, root)
    assert said.startswith("ConfigurationError cannot read 'project/closed")
    assert act(action, root, "closed/") == "done\n"
    (root / "project/closed").chmod(0o700)


@pytest.mark.parametrize("action", ["check", "pack"])
def test_an_unreadable_root_is_named(root: Path, action: str) -> None:
    (root / "project/closed").mkdir()
    (root / "project/closed").chmod(0)
    said = act(action, root / "project/closed")
    assert said.startswith(("ConfigurationError cannot read the directory", "ConfigurationError cannot read "))
    (root / "project/closed").chmod(0o700)


def test_read_only_directories_can_be_filled_again(root: Path) -> None:
    (root / "project").chmod(0o555)
    (root / "target").mkdir()
    (root / "target").chmod(0o777)
    assert act(str(root / "project"), root / "target") == "done\n"
    (root / "source").mkdir()
    (root / "source/below").mkdir()
    (root / "source/below/file").write_text("1")
    (root / "source/below").chmod(0o555)
    (root / "source").chmod(0o755)
    assert act(str(root / "source"), root / "target") == "done\n"
    assert act(str(root / "source"), root / "target") == "done\n"
    assert (root / "target/below").stat().st_mode & 0o777 == 0o555
    (root / "project").chmod(0o755)
    (root / "source/below").chmod(0o755)
    (root / "target/below").chmod(0o755)


def test_a_target_that_may_not_be_written_is_named(root: Path) -> None:
    (root / "target").mkdir()
    (root / "target").chmod(0o555)
    said = act(str(root / "project"), root / "target")
    assert said.startswith("JobError cannot write ")
    assert "Permission denied; check the permissions" in said
