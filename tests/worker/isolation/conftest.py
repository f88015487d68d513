"""podman with storage, an image and a configuration of the tests' own: the user's are not touched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.worker.isolation.image import import_image

_CONTAINERS_CONF = """\
[containers]
# Of a machine's own defaults, podman would raise the limits; inside another container it may not.
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
# Needs no systemd.
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""
_STORAGE_CONF = """\
[storage]
driver = "{driver}"
graphroot = "{directory}/images"
rootless_storage_path = "{directory}/images"
runroot = "{directory}/run"
"""


@pytest.fixture(scope="session")
def podman_env() -> Iterator[dict[str, str]]:
    """What makes podman use the tests' storage, in which the image is."""
    # conmon's socket lies below it, and a socket's path has room for 108 bytes: with the longer names that pytest gives
    # its directories when it runs in several processes, each container would wait for it for 20 seconds.
    with (
        tempfile.TemporaryDirectory(prefix="podman-", ignore_cleanup_errors=True) as directory,
        podman_in(Path(directory)) as env,
    ):
        yield env


@contextmanager
def podman_in(directory: Path) -> Iterator[dict[str, str]]:
    """The same for storage in a directory that is there."""
    if shutil.which("podman") is None or shutil.which("runc") is None:
        pytest.fail("podman or runc is missing; apt-get install podman runc")
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        pytest.fail("newuidmap is missing, which podman needs for an ordinary user; apt-get install uidmap")
    (directory / "containers.conf").write_text(_CONTAINERS_CONF)
    env = {
        "CONTAINERS_CONF": str(directory / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
        "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",  # podman 5 warns of the kernel of some machines
    }
    runtime = directory / "runtime"
    if os.geteuid() != 0:  # then podman's state, and a process that stays, are of the user's runtime directory
        runtime.mkdir(mode=0o700)
        env["XDG_RUNTIME_DIR"] = str(runtime)
    _choose_driver(directory, env)
    import_image(directory, {**os.environ, **env})
    yield env
    # `podman system reset` would take the networks of the host's user along. What overlay has mounted on itself is
    # unmounted, so that pytest can remove the directory.
    podman(env, "rm", "--all", "--force", "--time=0")
    podman(env, "rmi", "--all", "--force")
    subprocess.run(["umount", directory / "images" / "overlay"], check=False, capture_output=True)
    holder = runtime / "libpod" / "tmp" / "pause.pid"
    if holder.exists():  # it holds podman's user namespace, and the mounts in that
        os.kill(int(holder.read_text()), signal.SIGTERM)


def _choose_driver(directory: Path, env: dict[str, str]) -> None:
    """Write storage.conf with the first driver that works here."""
    images = directory / "images"
    for driver in ("overlay", "vfs"):
        (directory / "storage.conf").write_text(_STORAGE_CONF.format(driver=driver, directory=directory))
        info = podman(env, "info", "--format", "{{.Store.GraphRoot}}")
        if info.returncode == 0:
            # All that is there is removed at the end: it must not be the user's.
            assert info.stdout.strip() == str(images), f"podman uses {info.stdout.strip()}, not the tests' storage"
            return
        shutil.rmtree(images, ignore_errors=True)  # podman remembers the driver, also of an attempt that failed
    pytest.fail(f"podman does not work for this user: {info.stderr.strip()}")


@pytest.fixture
def podman_storage(podman_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The same, in this process' environment."""
    for name, value in podman_env.items():
        monkeypatch.setenv(name, value)
    return podman_env


def podman(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run podman in the tests' storage."""
    return subprocess.run(
        ["podman", *words], env={**os.environ, **env}, check=False, capture_output=True, text=True, timeout=60
    )


def list_containers(env: dict[str, str]) -> list[str]:
    """Names of all containers, running or not."""
    return podman(env, "ps", "--all", "--format", "{{.Names}}").stdout.split()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a file in it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "private").write_text("of the host\n")
    monkeypatch.setenv("HOME", str(home))
    return home
