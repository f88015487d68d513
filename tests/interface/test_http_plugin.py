"""ansible-runner-http as it is on PyPI: it posts every status and every event to a real HTTP server."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseServer, TCPServer, UnixStreamServer
from typing import Any

import pytest

from playstream.pipeline.job.inputs import check_settings
from tests.interface.programs import run_program
from tests.stages import Stages, read_events

HTTP = ("ansible-runner-http==1.0.0", "requests-unixsocket==0.4.1", "requests==2.*")
"""The plugin, and what it imports. It requires ansible-runner too, and does without."""
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "ansible-runner-http"
HEADERS = {"X-Token": "sesame"}


@pytest.fixture(scope="session")
def http_plugin() -> Path:
    """A directory for PYTHONPATH with ansible-runner-http, installed when it is first asked for and kept."""
    place = CACHE / str(sys.implementation.cache_tag)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "installed").exists():
            shutil.rmtree(place, ignore_errors=True)
            plugin, *needs = HTTP
            for words in (["--no-deps", plugin], needs):
                pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                done = subprocess.run([*pip, "--target", place, *words], capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"pip cannot install {words}; is its index reachable?\n{done.stderr}"
            (place / "installed").touch()
    return place


@dataclass
class Posts:
    """What a server was sent."""

    url: str
    path: str
    taken: list[Any] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    tokens: set[str | None] = field(default_factory=set)

    @property
    def settings(self) -> dict[str, Any]:
        """What has the plugin post here."""
        return {"runner_http_url": self.url, "runner_http_path": self.path, "runner_http_headers": HEADERS}

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [data for data in self.taken if "status" in data]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [data for data in self.taken if "event" in data]


@contextlib.contextmanager
def serving(kind: str, directory: Path) -> Iterator[Posts]:
    """A real HTTP server, on a loopback port or on a Unix socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            posts.paths.add(self.path)
            posts.tokens.add(self.headers["X-Token"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's name
            """Nothing: a Unix socket's peer has no address to show."""

    server: BaseServer
    if kind == "tcp":
        tcp = TCPServer(("127.0.0.1", 0), Handler)
        server, posts = tcp, Posts(f"http://127.0.0.1:{tcp.server_address[1]}/by/url", "/by/url")
    else:
        socket_path = str(directory / "http.socket")
        server, posts = UnixStreamServer(socket_path, Handler), Posts(socket_path, "/by/path")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield posts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(name="posts", params=["tcp", "unix"])
def make_posts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Posts]:
    with serving(request.param, tmp_path_factory.mktemp("s")) as found:
        yield found


@pytest.fixture
def with_http(http_plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started have the plugin, and no proxy between them and the server."""
    monkeypatch.setenv("PYTHONPATH", str(http_plugin))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def check_posts(posts: Posts, artifacts: Path, ident: str) -> None:
    """Everything was posted once, in its order, as it is on disk."""
    kept = read_events(artifacts)
    assert {"playbook_on_start", "runner_on_ok", "playbook_on_stats"} <= {event["event"] for event in kept}
    assert posts.events == kept
    assert [data["status"] for data in posts.statuses] == ["starting", "running", "successful"]
    assert posts.taken == [*posts.statuses[:2], *posts.events, posts.statuses[2]]
    starting = posts.statuses[0]
    command = json.loads((artifacts / "command").read_text())
    assert {name: starting[name] for name in ("command", "cwd", "env")} == command
    assert {data["runner_ident"] for data in posts.statuses} == {ident}
    assert (posts.paths, posts.tokens) == ({posts.path}, {"sesame"})


def write_settings(directory: Path, settings: dict[str, Any]) -> None:
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text(json.dumps(settings))


RUN = """
import json, sys
import playstream
runner = playstream.run(
    private_data_dir=sys.argv[1], playbook="site.yml", ident="x", quiet=True, settings=json.loads(sys.argv[2])
)
assert runner.status == "successful"
assert "ansible_runner" not in sys.modules
"""


@pytest.mark.usefixtures("with_http")
def test_http_from_run(posts: Posts, demo: Path, temporary: Path) -> None:
    done = run_program(RUN, demo, json.dumps(posts.settings), temporary=temporary)
    assert (done.returncode, done.stderr) == (0, "")
    check_posts(posts, demo / "artifacts" / "x", "x")


@pytest.mark.usefixtures("with_http")
def test_http_from_the_command_line(posts: Posts, demo: Path, temporary: Path) -> None:
    write_settings(demo, posts.settings)
    done = Stages(temporary).call("run", demo, "-p", "site.yml", "-i", "x")
    assert (done.returncode, done.stderr) == (0, b"")
    check_posts(posts, demo / "artifacts" / "x", "x")


@pytest.fixture(scope="module")
def results(shared_demo: Path, module_tmp: Path) -> bytes:
    """The worker's stream of one real run."""
    stages = Stages(module_tmp / "tmp")
    return stages.call("worker", stdin=stages.transmit(shared_demo, "-p", "site.yml", "-i", "x")).stdout


@pytest.mark.usefixtures("with_http")
def test_http_from_process(posts: Posts, results: bytes, tmp_path: Path, temporary: Path) -> None:
    """The settings are those of the host where `process` runs."""
    write_settings(tmp_path, posts.settings)
    done = Stages(temporary).call("process", tmp_path, "-i", "x", stdin=results)
    assert (done.returncode, done.stderr) == (0, b"")
    check_posts(posts, tmp_path / "artifacts" / "x", "x")


@pytest.mark.usefixtures("with_http")
def test_http_with_nobody_there(results: bytes, tmp_path: Path, temporary: Path) -> None:
    """Each of the plugin's functions has one line, and the run is whole."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    write_settings(tmp_path, {"runner_http_url": url})
    done = Stages(temporary).call("process", tmp_path, stdin=results)
    assert done.returncode == 0
    first, second = done.stderr.decode().splitlines()
    for line, name in ((first, "status_handler"), (second, "event_handler")):
        assert line.startswith(
            f"playstream process: warning: plugin http (ansible_runner_http): {name} failed: "
            "requests.exceptions.ConnectionError: "
        )
    assert read_events(tmp_path / "artifacts")[-1]["event"] == "playbook_on_stats"
    quiet = Stages(temporary).call("process", tmp_path, "-q", stdin=results)
    assert (quiet.returncode, quiet.stderr) == (0, b"")


def test_settings_of_plugins_are_let_through() -> None:
    settings = {"runner_http_url": "/run/http.socket", "runner_http_headers": HEADERS, "job_timeout": 5}
    assert check_settings("env/settings", settings) == settings
