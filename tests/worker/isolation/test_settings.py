"""The settings as users write them, and what is said about those that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.isolation import ISOLATION_KEYS, Isolation, RegistryAuth, read_isolation

ALL: dict[str, Any] = {
    "process_isolation": True,
    "process_isolation_executable": "docker",
    "process_isolation_path": "/srv/tmp",
    "process_isolation_hide_paths": ["/a", "/b"],
    "process_isolation_show_paths": "/c",
    "process_isolation_ro_paths": ["/d"],
    "container_image": "quay.io/org/ee:1",
    "container_volume_mounts": ["/srv/keys:/keys:ro,Z", "~/x:/x", "volume:/data"],
    "container_options": ["--user=1000", "--cap-add=ALL"],
    "container_auth_data": {"host": "quay.io", "username": "me", "password": "sesame", "verify_ssl": False},
    "container_workdir": "/work",
    "host_cwd": "/home/me",
}


def test_every_setting_is_read() -> None:
    assert set(ALL) == ISOLATION_KEYS
    isolation = read_isolation("env/settings", {**ALL, "job_timeout": 3})
    assert isolation == Isolation(
        executable="docker",
        image="quay.io/org/ee:1",
        volume_mounts=("/srv/keys:/keys:ro,Z", "~/x:/x", "volume:/data"),
        options=("--user=1000", "--cap-add=ALL"),
        auth=RegistryAuth("quay.io", "me", "sesame", verify_ssl=False),
        workdir="/work",
        host_cwd="/home/me",
        isolation_path="/srv/tmp",
        hide_paths=("/a", "/b"),
        show_paths=("/c",),
        ro_paths=("/d",),
    )
    assert "sesame" not in repr(isolation)


@pytest.mark.parametrize("settings", [{}, {"process_isolation": None}, {**ALL, "process_isolation": False}])
def test_without_process_isolation_there_is_none(settings: dict[str, Any]) -> None:
    assert read_isolation("settings", settings) is None


@pytest.mark.parametrize("said", [{}, {"process_isolation": None}, {"process_isolation": True}])
def test_an_image_asks_for_its_container(said: dict[str, Any]) -> None:
    assert read_isolation("settings", {"container_image": "image", **said}) == Isolation(image="image")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"container_image": "image", "process_isolation_executable": "bwrap"}, "container engine, but .*'bwrap'"),
        *(
            ({name: ALL[name]}, f"{name} only applies to an isolated job")
            for name in (
                "process_isolation_hide_paths",
                "process_isolation_show_paths",
                "process_isolation_ro_paths",
                "container_volume_mounts",
                "container_options",
                "container_auth_data",
                "process_isolation_path",
                "process_isolation_executable",
            )
        ),
    ],
)
def test_what_only_an_isolated_job_has(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_isolation("settings", settings)


def test_podman_is_the_default() -> None:
    settings = dict.fromkeys(ISOLATION_KEYS)
    isolation = read_isolation("settings", {**settings, "process_isolation": True, "container_image": "ee"})
    assert isolation == Isolation(image="ee")
    assert (isolation.engine, isolation.containerized, isolation.isolation_path) == ("podman", True, "/tmp")


@pytest.mark.parametrize(("executable", "engine"), [("bwrap", "bwrap"), ("/opt/bin/bwrap", "bwrap")])
def test_bubblewrap_needs_no_image(executable: str, engine: str) -> None:
    isolation = read_isolation("settings", {"process_isolation": True, "process_isolation_executable": executable})
    assert isolation is not None
    assert (isolation.engine, isolation.containerized) == (engine, False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"process_isolation": "yes"}, "process_isolation: expected true or false, got 'yes'"),
        ({"process_isolation_executable": "lxc"}, "expected podman, docker or bwrap, or the path of one, got 'lxc'"),
        ({"process_isolation_executable": ["podman"]}, "process_isolation_executable: expected a string, got"),
        ({"container_image": ""}, "container_image: process_isolation with docker requires an image"),
        ({"container_image": "--privileged"}, "container_image: expected the name of an image"),
        ({"container_image": "a b"}, "container_image: expected the name of an image"),
        ({"container_options": "--user=1"}, "container_options: expected a list of strings, got '--user=1'; write"),
        ({"container_options": [1]}, "container_options: expected a list of strings, got 1 in it"),
        ({"container_volume_mounts": ["/keys"]}, "container_volume_mounts: expected HOST_PATH:CONTAINER_PATH or"),
        ({"container_volume_mounts": ["/keys:keys"]}, "with an absolute path in the container"),
        ({"container_volume_mounts": [":/keys"]}, "got ':/keys'"),
        ({"container_volume_mounts": ["/keys:/keys:ro:Z"]}, "got '/keys:/keys:ro:Z'"),
        ({"container_workdir": "project"}, "container_workdir: expected an absolute path in the container"),
        ({"process_isolation_hide_paths": {"/a": 1}}, "process_isolation_hide_paths: expected a list of strings"),
        ({"container_auth_data": "sesame"}, "container_auth_data: expected host, username and password, got str"),
        ({"container_auth_data": {"host": "quay.io"}}, "container_auth_data: username: expected a string, got nothing"),
        ({"container_auth_data": {"host": "h", "username": "u", "password": 9876}}, "password: expected a string"),
        ({"container_auth_data": {"host": 'h"\n', "username": "me", "password": "p"}}, "host: expected a registry's"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_isolation("/data/env/settings", {**ALL, **changed})
    assert str(caught.value).startswith("/data/env/settings: ")
    assert "sesame" not in str(caught.value)
    assert "9876" not in str(caught.value)
