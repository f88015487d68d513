"""`playstream mesh init`, `add`, `remove` and `check`: what they write, who can read it, and what they refuse."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.cli.main import main
from playstream.mesh.identity import Kind, parse_identity, read_identity
from playstream.mesh.versions import explain_version
from playstream.pipeline.errors import ConfigurationError
from tests.mesh.meshes import Mesh
from tests.mesh.servers import CURRENT, OLDEST, find_server


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "mesh"
    assert main(["mesh", "init", str(made), "--server", "nats.example.com"]) == 0
    return made


def test_everything_that_is_made_is_private(directory: Path) -> None:
    assert main(["mesh", "add", "node", "node1", "--group", "web", "--directory", str(directory)]) == 0
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert set(modes) == {
        ".lock",
        "admin.playstream",
        "ca.pem",
        "mesh.json",
        "node1.playstream",
        "server1.conf",
        "server1.key",
        "server1.pem",
        "users.conf",
    }
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("which", [OLDEST, CURRENT])
@pytest.mark.parametrize("listen", [(), ("--listen", "127.0.0.1"), ("--listen", "::1")], ids=lambda words: words[-1:])
def test_a_server_takes_its_configuration(tmp_path: Path, which: str, listen: tuple[str, ...]) -> None:
    made = tmp_path / "mesh"
    servers = [word for host in ("a.example.com", "b.example.com", "c.example.com") for word in ("--server", host)]
    assert main(["mesh", "init", str(made), *servers, *listen]) == 0
    for number in (1, 2, 3):
        words = [find_server(which), "-t", "-c", f"server{number}.conf"]
        done = subprocess.run(words, cwd=made, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_an_identity_has_the_keys_of_its_groups_only(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["node", "node1", "--group", "web"], ["node", "node2", "--group", "db"], ["submitter", "ann"]):
        assert main(["mesh", "add", *words, "--directory", str(directory)]) == 0
    node = read_identity(directory / "node1.playstream", Kind.NODE)
    assert set(node.secret_keys) == set(node.groups) == {"web", "node_node1"}
    ann = read_identity(directory / "ann.playstream", Kind.SUBMITTER)
    assert set(ann.groups) == {"web", "db", "node_node1", "node_node2"}
    assert set(ann.secret_keys) == {"ann"}
    assert list(ann.urls) == ["tls://nats.example.com:4222"]
    assert all(secret not in repr(each) for each in (node, ann) for secret in (*each.secret_keys.values(), each.key))
    capsys.readouterr()
    assert main(["mesh", "add", "node", "node3", "--group", "new", "--directory", str(directory)]) == 0
    assert "because the content has changed: admin.playstream\n" in capsys.readouterr().out
    assert "new" in read_identity(directory / "ann.playstream").groups


def test_a_cluster_has_a_configuration_for_each_server(tmp_path: Path) -> None:
    hosts = ["a.example.com", "b.example.com:4333", "[::1]:4444"]
    words = [word for host in hosts for word in ("--server", host)]
    assert main(["mesh", "init", str(tmp_path / "mesh"), *words]) == 0
    for number in (1, 2, 3):
        text = (tmp_path / f"mesh/server{number}.conf").read_text()
        assert text.count("nats://") == 2
        assert text.count("_advertise") == 1
        assert text.count('"advertise"') == 1
        assert "leafnodes" not in text
        assert "websocket" not in text
    urls = read_identity(tmp_path / "mesh/admin.playstream").urls
    assert list(urls) == ["tls://a.example.com:4222", "tls://b.example.com:4333", "tls://[::1]:4444"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["init", "DIR"], "is the directory of a mesh already"),
        (["init", "other", "--server", "a b"], "expected HOST or HOST:PORT"),
        (["init", "other", "--server", "a:0"], "expected HOST or HOST:PORT"),
        (["init", "other", "--server", "a", "--server", "b"], "expected one server, or at least three"),
        (["init", "other", "--lost-after", "1"], "--lost-after: expected a number of seconds from 3 to 600, got 1"),
        (["add", "nod", "x", "--directory", "DIR"], "got 'nod'; did you mean 'node'?"),
        (["add", "node", "a.b", "--directory", "DIR"], "A host web1.example.com may be called web1"),
        (["add", "node", "admin", "--directory", "DIR"], "the mesh has an operator 'admin' already"),
        (["add", "node", "x", "--group", "node_y", "--directory", "DIR"], "are those of single nodes"),
        (["add", "submitter", "x", "--group", "web", "--directory", "DIR"], "--group is for nodes"),
        (["add", "node", "x", "--directory", "nowhere"], "the directory 'nowhere' does not exist"),
        (["remove", "admn", "--directory", "DIR"], "did you mean 'admin'? (it has admin)"),
        (["check", "--keep", "long"], "--keep: expected a duration such as 90s, 30m, 12h or 7d, got 'long'"),
        (["check", "--keep", "1m"], "--keep: expected a duration from 1h to 366d, got 1m"),
        (["check", "--max-waiting-bytes", "7"], "--max-waiting-bytes: expected a number of bytes, 1,048,576 or more"),
        (["check", "--max-result-bytes", "7"], "--max-result-bytes: expected a number of bytes, 1,048,576 or more"),
        (["check"], "expected the file of an identity: --identity NAME.playstream, or PLAYSTREAM_MESH"),
    ],
)
def test_mistakes_are_explained(
    directory: Path,
    words: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(directory.parent)
    monkeypatch.setenv("COLUMNS", "10000")
    assert main(["mesh", *(str(directory) if word == "DIR" else word for word in words)]) == 1
    assert expected in " ".join(capsys.readouterr().err.split())


def test_check_creates_the_streams_once(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mesh", "add", "node", "node1", "--group", "web", "--directory", str(mesh.directory)]) == 0
    assert "The server on this host has read its users again" in capsys.readouterr().out
    words = ["mesh", "check", "--identity", str(mesh.path("admin"))]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert (
        "Created: MESH, SUBMITTERS, KEYS, GROUPS, JOBS_web, IN_web, OUT_web, STATE_web, JOBS_web.web, JOBS_node_node1"
        in shown.out
    )
    version = re.search(r"nats-server 2\.(\d+)\.", shown.out)
    assert version is not None
    is_old = int(version[1]) < 14
    assert ("is of a line that gets no more fixes of security" in " ".join(shown.err.split())) == is_old
    assert main(words) == 0
    assert "All streams are there" in capsys.readouterr().out


def test_what_is_kept_is_one_value_for_a_mesh(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    def limits() -> dict[str, tuple[int, int]]:
        async def read() -> dict[str, tuple[int, int]]:
            client = await mesh.connect("admin")
            try:
                found = (await client.administer("STREAM.LIST"))["streams"]
            finally:
                await client.close()
            configs = [each["config"] for each in found]
            return {each["name"]: (each["max_age"] // 10**9, each["max_bytes"]) for each in configs}

        return asyncio.run(read())

    days, gib = 86_400, 1 << 30
    words = ["mesh", "check", "--identity", str(mesh.path("admin"))]
    for member in (["node", "node1", "--group", "web"], ["submitter", "ann"]):
        assert main(["mesh", "add", *member, "--directory", str(mesh.directory)]) == 0
    assert main(words) == 0
    assert "Changed" not in capsys.readouterr().out
    assert (limits()["OUT_web"], limits()["LIST_ann"][0]) == ((7 * days, 4 * gib), 7 * days)
    assert limits()["IN_web"][1] == 5 * gib // 4
    assert main([*words, "--keep", "36h", "--max-result-bytes", str(gib), "--max-waiting-bytes", str(2 * gib)]) == 0
    assert limits()["IN_web"] == (1.5 * days, 2 * gib)
    assert "Changed: JOBS_web, IN_web, OUT_web, STATE_web, JOBS_node_node1" in capsys.readouterr().out
    assert (limits()["OUT_web"], limits()["LIST_ann"][0]) == ((1.5 * days, gib), 1.5 * days)
    for member in (["node", "node2", "--group", "db"], ["submitter", "bob"]):
        assert main(["mesh", "add", *member, "--directory", str(mesh.directory)]) == 0
    assert main(words) == 0
    assert (limits()["OUT_db"], limits()["LIST_bob"][0]) == ((1.5 * days, 4 * gib), 1.5 * days)
    assert limits()["OUT_web"] == (1.5 * days, gib)


def test_only_an_operator_checks(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mesh", "add", "node", "node1", "--directory", str(mesh.directory)]) == 0
    assert main(["mesh", "check", "--identity", str(mesh.path("node1"))]) == 1
    assert "expected that of an operator, got that of the node 'node1'" in " ".join(capsys.readouterr().err.split())


def test_an_identity_that_others_can_read_is_refused(directory: Path) -> None:
    path = directory / "admin.playstream"
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"can be read by others \(mode 0640\).*chmod 600"):
        read_identity(path)


def test_an_identity_of_a_later_format_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has format 2, and this version of playstream reads 1"):
        parse_identity(b'{"playstream_identity": 2}', "file")


@given(st.binary(max_size=200))
def test_any_other_file_is_refused_as_an_identity(data: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"^identity 'file'"):
        parse_identity(data, "file")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(
    name=st.sampled_from(["kind", "name", "urls", "ca", "groups", "secret_keys", "lost_after", "submitters"]),
    value=VALUES,
)
def test_a_damaged_identity_is_refused_or_of_the_right_types(name: str, value: object) -> None:
    content = {
        "playstream_identity": 1,
        "kind": "node",
        "name": "node1",
        "urls": ["tls://localhost:4222"],
        "ca": "",
        "certificate": "",
        "key": "",
        "lost_after": 6.0,
        "groups": {"web": "age1"},
        "secret_keys": {},
        "public_key": "",
        "submitters": [],
    }
    try:
        found = parse_identity(json.dumps({**content, name: value}).encode(), "file")
    except ConfigurationError as error:
        assert str(error).startswith("identity 'file'") or "identity" in str(error) or "group" in str(error)
    else:
        assert isinstance(found.lost_after, float)
        assert all(isinstance(url, str) for url in found.urls)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.15.1", None),
        ("2.14.0", None),
        ("2.13.9", "gets no more fixes of security"),
        ("2.9.10", "gets no more fixes of security"),
        ("2.8.4", "is too old: expected 2.9 at least, and 2.14"),
        ("x", "is not understood"),
    ],
)
def test_versions_of_the_server_are_judged(version: str, expected: str | None) -> None:
    found = explain_version(version)
    assert found is None if expected is None else expected in str(found)


def test_nobody_can_replace_a_file_while_it_is_written(directory: Path) -> None:
    os.symlink("/nowhere/else", directory / ".admin.playstream.new")
    assert main(["mesh", "add", "submitter", "ann", "--directory", str(directory)]) == 0
    assert not (directory / "admin.playstream").is_symlink()
