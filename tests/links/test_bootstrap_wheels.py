"""--bootstrap: which wheels fit a host, what is taken from them, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import packaging.tags
import pytest

import playstream
from playstream.links.bootstrap import wheel_file
from playstream.links.bootstrap.cache import note_compiled, recall_compiled
from playstream.links.bootstrap.conversation import Conversation
from playstream.links.bootstrap.parcel import Item, Parcel, make_item, own_items
from playstream.links.bootstrap.sending import ANSIBLE, REQUIREMENTS, Delivery
from playstream.links.bootstrap.target import Target, read_target
from playstream.links.bootstrap.wheel_items import environment_items, library_items
from playstream.links.bootstrap.wheels import WheelFinder
from playstream.pipeline.errors import BootstrapError
from playstream.worker.bootstrap.host import gather_facts
from tests.links.test_bootstrap import use_no_index
from tests.matrix.debian import ROOT


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """This host."""
    return read_target("ssh://h", gather_facts(str(tmp_path)))


def test_what_is_needed_is_what_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert list(REQUIREMENTS) == project["dependencies"]
    assert project["optional-dependencies"]["ansible"] == [ANSIBLE]


def test_platforms_are_those_of_packaging(target: Target) -> None:
    """That library names those of the host that it runs on only."""
    assert list(target.platforms()) == list(packaging.tags.platform_tags())
    assert target.abi == next(packaging.tags.cpython_tags()).abi


FACTS: dict[str, Any] = {
    "version": [3, 12, 1],
    "suffix": ".cpython-312-aarch64-linux-gnu.so",
    "machine": "aarch64",
    "libc": ["glibc", 2, 28],
    "python": "/usr/bin/python3",
    "base": "/usr/bin/python3.12",
    "place": "/home/u/.cache/playstream/bootstrap",
    "free": 10**9,
    "noexec": False,
    "readonly": False,
}


def test_platforms_of_other_hosts() -> None:
    arm = list(read_target("ssh://h", FACTS).platforms())
    assert arm[:2] == ["linux_aarch64", "manylinux_2_28_aarch64"]
    assert arm[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    musl = {**FACTS, "suffix": ".cpython-313t-x86_64-linux-musl.so", "machine": "x86_64", "libc": ["musl", 1, 2]}
    found = read_target("ssh://h", musl)
    assert found.abi == "cp313t"
    assert list(found.platforms()) == [
        f"{name}_x86_64" for name in ("linux", "musllinux_1_2", "musllinux_1_1", "musllinux_1_0")
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suffix": ".pypy310-pp73-x86_64-linux-gnu.so"}, "is of a kind that wheels do not name"),
        ({"libc": [""]}, "is of a kind that wheels do not name"),
        ({"noexec": True}, "no program can be loaded in /home/u/.cache/playstream/bootstrap"),
        ({"readonly": True}, "nothing can be written in /home/u/.cache/playstream/bootstrap"),
        ({"version": "3"}, "has answered something else"),
        ({"version": None}, "has answered something else"),
        ({"free": "much"}, "has answered something else"),
        ({"libc": 7}, "has answered something else"),
        ({"libc": ["glibc", 2, 300_000_000]}, "has answered something else"),
        ({"libc": ["glibc", 2, -1]}, "has answered something else"),
        ({"libc": ["glibc\x1b[2J", 2, 28]}, "has answered something else"),
        ({"version": [3, 12, 1e400]}, "has answered something else"),
        ({"version": [3, 12]}, "has answered something else"),
        ({"version": [3, 12, True]}, "has answered something else"),
        ({"free": float("inf")}, "has answered something else"),
        ({"free": float("nan")}, "has answered something else"),
        ({"machine": "x86/../64"}, "has answered something else"),
        ({"machine": "x" * 33}, "has answered something else"),
        ({"machine": "x86_64\n"}, "has answered something else"),
        ({"place": "/a\x1b[2J"}, "has answered something else"),
        ({"place": "/a\udcff"}, "has answered something else"),
        ({"python": "/a\nb"}, "has answered something else"),
        ({"base": "/" + "a" * 4096}, "has answered something else"),
        ({"suffix": ".cpython-312" + "x" * 9999}, "has answered something else"),
        ({"suffix": ".cpython-٣١٢-x"}, "is of a kind that wheels do not name"),
        ({"suffix": ".so\x1b", "noexec": True}, "has answered something else"),
    ],
)
def test_hosts_that_cannot_be_used(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BootstrapError, match=said):
        read_target("ssh://h", {**FACTS, **changes})


RECORD = "thing-1.0.dist-info/RECORD"


def make_wheel(
    path: Path, files: dict[str, str], *, listed: dict[str, str] | None = None, record: str | None = None
) -> Path:
    """Make a wheel.

    Args:
        path: its path.
        files: its files.
        listed: the content that its RECORD has the digests of.
        record: its RECORD.
    """
    info = "thing-1.0.dist-info"
    rows = []
    for name, text in (files if listed is None else listed).items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        rows.append(f"{name},sha256={digest},{len(text)}")
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", record or "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return path


def read_items(wheel: Path, target: Target | None = None) -> dict[str, Item]:
    """Return the items of a wheel by path, with their contents checked as when they are sent."""
    with ExitStack() as opened:
        made = (
            library_items([wheel], opened) if target is None else environment_items([wheel], opened, target, "/place")
        )
        items = {item.path: item for item in made}
        for _piece in Parcel(items.values()).pieces():
            pass
        contents = {path: item.read() for path, item in items.items()}  # while the wheel is open
    return {path: replace(item, read=partial(contents.__getitem__, path)) for path, item in items.items()}


def test_what_a_wheel_installs(tmp_path: Path, target: Target) -> None:
    points = "[console_scripts]\nthing-Do = thing.cli:main [extra]\n[other]\nx = y:z\n"
    files = {
        "thing/__init__.py": "one",
        "thing-1.0.data/purelib/more.py": "two",
        "thing-1.0.data/platlib/native.so": "three",
        "thing-1.0.data/scripts/run-thing": "#!python\nfour\n",
        "thing-1.0.data/data/share/man/thing.1": "five",
        "thing-1.0.dist-info/entry_points.txt": points,
    }
    wheel = make_wheel(tmp_path / "thing-1.0-py3-none-any.whl", files)
    library = read_items(wheel)
    assert sorted(library) == [
        "lib/more.py",
        "lib/native.so",
        "lib/thing-1.0.dist-info/RECORD",
        "lib/thing-1.0.dist-info/entry_points.txt",
        "lib/thing/__init__.py",
    ]
    found = read_items(wheel, target)
    short = ".".join(map(str, target.version[:2]))
    assert found[f"venv/lib/python{short}/site-packages/more.py"].read() == b"two"
    script, launcher = found["venv/bin/run-thing"], found["venv/bin/thing-Do"]
    assert (script.kind, script.read()) == ("program", b"#!/place/venv/bin/python3\nfour\n")
    assert (launcher.kind, launcher.read().splitlines()[0]) == ("program", b"#!/place/venv/bin/python3")
    assert b"from thing.cli import main\nsys.exit(main())" in launcher.read()
    assert found["venv/bin/python3"].value == target.base


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"files": {"a.py": "x"}, "listed": {"a.py": "y"}}, "does not have the digest"),
        ({"files": {"a.py": "xx"}, "listed": {"a.py": "x"}}, "'a.py' has 2 bytes, and its RECORD names 1"),
        ({"files": {"a.py": "x", "b.py": "x"}, "listed": {"a.py": "x"}}, "does not list 'b.py'"),
        ({"files": {"a.py": "x"}, "listed": {"a.py": "x", "b.py": "x"}}, "'b.py' cannot be read"),
        ({"files": {"../a.py": "x"}}, "has the path '../a.py'"),
        ({"files": {"/a.py": "x"}}, "has the path '/a.py'"),
        ({"files": {"a/../../b.py": "x"}}, "has the path"),
        ({"files": {"a.py": "x"}, "record": "a.py,,\nthing-1.0.dist-info/RECORD,,\n"}, "has no digest of 'a.py'"),
        (
            {"files": {"a.py": "x"}, "record": "a.py,md5=x,1\nthing-1.0.dist-info/RECORD,,\n"},
            "does not have the digest",
        ),
        (
            {"files": {"thing-1.0.dist-info/entry_points.txt": "[console_scripts]\nx = a:b;import os\n"}},
            "entry point 'x' is not valid",
        ),
        (
            {"files": {"thing-1.0.dist-info/entry_points.txt": "[console_scripts]\n../x = a:b\n"}},
            "entry point '../x' is not valid",
        ),
        ({"files": {"a.py": "x"}, "record": f"a.py,sha256=x,1\n{RECORD},,\n"}, "no valid digest or size of 'a.py'"),
        ({"files": {"a.py": "x"}, "record": f"a.py,sha256=xé,1\n{RECORD},,\n"}, "no valid digest or size of 'a.py'"),
        (
            {"files": {"a.py": "x"}, "record": f"a.py,sha256={'A' * 43},{'9' * 5000}\n{RECORD},,\n"},
            "no valid digest or size of 'a.py'",
        ),
        (
            {"files": {"thing-1.0.data/scripts/a": "x"}, "record": f"thing-1.0.data/scripts/a,x,\n{RECORD},,\n"},
            "no dig",
        ),
        ({"files": {"thing-1.0.dist-info/entry_points.txt": "nothing\n"}}, "entry points cannot be read"),
    ],
)
def test_a_damaged_wheel(tmp_path: Path, target: Target, content: dict[str, Any], said: str) -> None:
    wheel = make_wheel(tmp_path / "thing-1.0-py3-none-any.whl", **content)
    with pytest.raises(BootstrapError, match=said):
        read_items(wheel, target)


def test_a_file_that_is_no_wheel(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"no zip")
    with pytest.raises(BootstrapError, match="is damaged: it cannot be read"):
        read_items(tmp_path / "a.whl")


def find_entry(data: bytes, name: bytes) -> tuple[int, int]:
    """Return where the local and the central entry of a file begin in a zip."""
    return data.index(b"PK\x03\x04"), data.rindex(b"PK\x01\x02", 0, data.rindex(name))


@pytest.mark.parametrize(
    ("offset", "value", "said"),
    [
        (8, b"\1\0", "is encrypted"),
        (10, b"\x0c\0", "in a way that wheels do not use"),
        (10, b"\x63\0", "in a way that wheels do not use"),
        (24, b"\xff\xff\xff\x7f", "has 2147483647 bytes, and its RECORD names 1"),
    ],
)
def test_what_a_zip_says_of_a_file(tmp_path: Path, offset: int, value: bytes, said: str) -> None:
    """Encrypted, compressed in another way, or larger than it is."""
    wheel = make_wheel(tmp_path / "thing-1.0-py3-none-any.whl", {"a.py": "x"})
    data = bytearray(wheel.read_bytes())
    local, central = find_entry(bytes(data), b"a.py")
    data[central + offset : central + offset + len(value)] = value
    data[local + offset - 2 : local + offset - 2 + len(value)] = value
    wheel.write_bytes(data)
    with pytest.raises(BootstrapError, match=said) as caught:
        read_items(wheel)
    assert str(wheel) in str(caught.value)


def test_compressed_data_that_is_damaged(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "thing-1.0-py3-none-any.whl", {"a.py": "x"})
    data = bytearray(wheel.read_bytes())
    local, central = find_entry(bytes(data), b"a.py")
    data[central + 10] = data[local + 8] = zipfile.ZIP_DEFLATED
    data[local + 30 + len("a.py")] = 0xFF
    wheel.write_bytes(data)
    with pytest.raises(BootstrapError, match=r"'a\.py' cannot be read: Error -3"):
        read_items(wheel)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is decompressed."""
    wheel = make_wheel(tmp_path / "thing-1.0-py3-none-any.whl", {"a.py": "x" * 1000})
    monkeypatch.setattr(wheel_file, "_LARGEST", 999)
    with pytest.raises(BootstrapError, match=r"'a\.py' has 1000 bytes, and at most 999 are accepted"):
        read_items(wheel)


def make_needing(path: Path, name: str, needs: str = "") -> None:
    """Make a wheel that needs something."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", needs]
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join(filter(None, lines)) + "\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def test_pip_does_not_run_what_the_current_directory_has(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a project that is not trusted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project, given = tmp_path / "project", tmp_path / "given"
    for directory in (project, given):
        directory.mkdir()
    make_needing(given, "thing")
    (project / "pip.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    monkeypatch.chdir(project)
    assert [path.name for path in WheelFinder("ssh://h", target, given, None).find(["thing"])]
    use_no_index(monkeypatch)
    with pytest.raises(BootstrapError, match="pip cannot reach its index"):
        WheelFinder("ssh://h", target, None, None).find(["thing"])
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "needs", ["evil @ file://{}", "evil@file://{}", "evil @ http://127.0.0.1:9/x.whl ; extra == 'x'"]
)
def test_a_wheel_that_names_a_place(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: str
) -> None:
    """Nothing is taken from there: with --wheels, only that directory is used."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    evil, given = tmp_path / "evil", tmp_path / "given"
    for directory in (evil, given):
        directory.mkdir()
    make_needing(evil, "evil")
    make_needing(given, "thing", f"Requires-Dist: {needs.format(evil / 'evil-1.0-py3-none-any.whl')}")
    with pytest.raises(BootstrapError, match="which names the place to get it from"):
        WheelFinder("ssh://h", target, given, None).find(["thing"])
    assert not list((tmp_path / "cache" / "playstream" / "wheels").iterdir())


def test_a_page_among_the_wheels(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The links in it are not followed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    evil, given = tmp_path / "evil", tmp_path / "given"
    for directory in (evil, given):
        directory.mkdir()
    make_needing(evil, "evil")
    make_needing(given, "thing", "Requires-Dist: evil")
    name = "evil-1.0-py3-none-any.whl"
    (given / "page.html").write_text(f'<!DOCTYPE html><a href="file://{evil / name}">{name}</a>')
    with pytest.raises(BootstrapError, match="there is no wheel of evil in"):
        WheelFinder("ssh://h", target, given, None).find(["thing"])


def test_two_wheels_with_the_same_file() -> None:
    one, same, other = (make_item("lib/a.py", text) for text in (b"1", b"1", b"2"))
    assert Parcel([one, same]).digest == Parcel([one]).digest
    with pytest.raises(BootstrapError, match=r"two wheels have different files 'lib/a\.py'"):
        Parcel([one, other])


def test_a_package_in_a_zip(tmp_path: Path) -> None:
    """What is sent does not depend on how playstream is installed here."""
    source = Path(playstream.__file__).parent
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in source.rglob("*"):
            if "__pycache__" not in path.parts and path.is_file():
                target.write(path, Path("playstream") / path.relative_to(source))
    program = (
        "from playstream.links.bootstrap.parcel import Parcel, own_items; print(Parcel(own_items()).digest)\n"
        "from playstream.links.bootstrap.link import _program; print(len(_program()) > 1000)"
    )
    env = {"PYTHONPATH": f"{archive}:{importlib.util.find_spec('yaml').submodule_search_locations[0]}/.."}  # type: ignore[index,union-attr]
    done = subprocess.run([sys.executable, "-S", "-c", program], env=env, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [Parcel(own_items()).digest, "True"]


def test_the_version_of_ansible_that_fits(
    target: Target, wheels_with_ansible: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This side's, if the host's Python can run it; otherwise the one that pip chooses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    finder = WheelFinder("ssh://h", target, wheels_with_ansible, None)
    found = finder.find(("ansible-core==1.0",), (ANSIBLE,))
    assert any(path.name.startswith("ansible_core-2") for path in found)
    with pytest.raises(BootstrapError, match=r"there is no wheel of ansible-core==1\.0 in"):
        finder.find(("ansible-core==1.0",))


def test_no_pip(target: Target, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    with pytest.raises(BootstrapError, match="pip is needed on this side"):
        WheelFinder("ssh://h", target, wheels, None).find(REQUIREMENTS)


def test_other_wheels_in_the_directory(
    target: Target, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was chosen is kept until the directory changes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = Path(shutil.copytree(wheels, tmp_path / "own"))
    finder = WheelFinder("ssh://h", target, own, None)
    first = finder.find(REQUIREMENTS)
    monkeypatch.setattr(WheelFinder, "_find_pip", lambda _self: pytest.fail("it is not asked again"))
    assert finder.find(REQUIREMENTS) == first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    next(own.glob("zstandard*")).unlink()
    with pytest.raises(BootstrapError, match="no wheel of zstandard"):
        finder.find(REQUIREMENTS)


class Answers(Conversation):
    """A host that gives one answer to everything."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def ask(self, request: dict[str, Any], content: Iterable[bytes] = ()) -> dict[str, Any]:  # noqa: ARG002
        return self._answer


def deliver(target: Target, answer: dict[str, Any], wheels: Path, *, with_ansible: bool) -> str:
    """Send everything to a host that gives one answer."""
    words = {"name": "ssh://h", "with_ansible": with_ansible, "wheels": wheels, "cancellation": None}
    return Delivery(Answers(answer), target, **words).bring()  # type: ignore[arg-type]


@pytest.mark.parametrize("compiled", [None, 7, "", "c" * 63, "C" * 64, "é" * 64, "\udcff" * 64, "c" * 64 + "\n"])
def test_a_digest_that_is_none(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: object
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(WheelFinder, "find", lambda *_words: [])
    answer = {"state": "ready", "compiled": compiled}
    with pytest.raises(BootstrapError, match="has answered something else"):
        deliver(target, answer, tmp_path, with_ansible=False)
    assert deliver(target, {**answer, "compiled": "c" * 64}, tmp_path, with_ansible=False)


@pytest.mark.parametrize("wrong", ['"', "$", "\\", "`", ":", "'''"])
def test_a_place_where_programs_cannot_be(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Only Ansible has programs; a space or one quote is no problem."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(WheelFinder, "find", lambda *_words: [])
    answer = {"state": "ready", "compiled": "c" * 64}
    odd = replace(target, place=f"/a{wrong}b")
    with pytest.raises(BootstrapError, match=r"cannot be started with .* XDG_CACHE_HOME there to another"):
        deliver(odd, answer, tmp_path, with_ansible=True)
    assert deliver(odd, answer, tmp_path, with_ansible=False)
    assert deliver(replace(target, place="/it's a place"), answer, tmp_path, with_ansible=True)


def test_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert recall_compiled("ssh://h /place", "d" * 64) is None
    note_compiled("ssh://h /place", "d" * 64, "c" * 64)
    assert recall_compiled("ssh://h /place", "d" * 64) == "c" * 64
    assert recall_compiled("ssh://other /place", "d" * 64) is None
    assert json.dumps([path.name for path in tmp_path.rglob("*") if "ssh" in path.name]) == "[]"
