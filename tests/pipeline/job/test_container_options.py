"""Which words for an engine are refused, in all their spellings, and which are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.container_options import check_container_options
from playstream.pipeline.job.isolation import read_isolation

REFUSED = [
    ("-d", "would not wait for Ansible"),
    ("--detach", "would not wait"),
    ("--detach=true", "would not wait"),
    ("-itd", "would not wait"),
    ("-dit", "would not wait"),
    ("-d=true", "would not wait"),
    ("--detach-keys=a", "would not wait"),
    ("--detach-keys a", "would not wait"),
    ("--help", "would not run anything"),
    ("--version", "would not run anything"),
    ("--entrypoint=/bin/true", "another program"),
    ("--entrypoint /bin/true", "another program"),
    ("--init --init-path=/bin/true", "another program"),
    ("--rootfs", "another program"),
    ("-a stdin", "not attached would be lost"),
    ("-astdin", "would be lost"),
    ("--attach=stdin", "would be lost"),
    ("--name x", "names the container"),
    ("--name=x", "names the container"),
    ("--replace", "names the container"),
    ("--restart=always", "restart Ansible"),
    ("--restart on-failure", "restart Ansible"),
    ("--rm=false", "left behind"),
    ("--purge=0", "left behind"),
    ("--stop-timeout=100", "stopped immediately"),
    ("--tty=false", "read the output"),
    ("-t=false", "read the output"),
    ("-it=false", "read the output"),
    ("--interactive=0", "to answer prompts"),
    ("--sig-proxy=false", "would not receive the signal"),
    ("-e PLAYSTREAM_EVENTS=/x", "reserved for playstream"),
    ("--env=PLAYSTREAM_EVENTS", "reserved for playstream"),
    ("-ePLAYSTREAM_ORIGIN=", "reserved for playstream"),
    ("--unsetenv PLAYSTREAM_EVENTS", "reserved for playstream"),
    ("--privileged -d", "would not wait"),
    ("--cap-add ALL -d", "would not wait"),
    ("--cap-add=ALL --name=x", "name"),
]
WITHOUT_OPTION = [
    "alpine",
    "--",
    "-",
    "",
    "--privileged alpine",
    "--privileged false",
    "-it alpine",
    "-v/a:/b alpine",
    "--network=none alpine /bin/true",
]
WITHOUT_VALUE = ["--env", "-e", "-iv", "--network", "--unknown", "--unknown -d", "--env -d", "--network --privileged"]
ALLOWED = [
    "",
    "--network=none",
    "--network none",
    "--user=1234:100",
    "-u 0",
    "--cap-add=ALL",
    "--privileged",
    "-it",
    "-ti",
    "--tty",
    "--interactive=true",
    "--rm",
    "-v /a:/b:Z",
    "-v/a:/b",
    "--env A=b",
    "-eA=b",
    "--env A",
    "--env-file=/x",
    "--userns=keep-id",
    "--memory-swap=-1",
    "--cidfile=/x",
    "--pod p",
    "-h name",
    "--hostname=d",
    "-q",
    "--pull=never",
    "--unknown=true",
    "--unknown value",
    "--security-opt label=disable --init -P",
    "--log-driver=journald",
]


@pytest.mark.parametrize(("words", "reason"), REFUSED)
def test_what_detaches_replaces_or_hides_is_refused(words: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        check_container_options("env/settings", words.split())
    assert str(caught.value).startswith("env/settings: container_options: ")


@pytest.mark.parametrize("words", WITHOUT_OPTION)
def test_what_the_engine_would_take_for_the_image_is_refused(words: str) -> None:
    with pytest.raises(ConfigurationError, match="would use it as the image"):
        check_container_options("settings", words.split(" "))


@pytest.mark.parametrize("words", WITHOUT_VALUE)
def test_a_value_that_is_not_there_is_refused(words: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a value for"):
        check_container_options("settings", words.split())


@pytest.mark.parametrize("words", ALLOWED)
def test_other_options_are_the_users(words: str) -> None:
    check_container_options("settings", words.split())


@pytest.mark.parametrize(("executable", "refused"), [("podman", True), ("docker", True), ("bwrap", False)])
def test_where_containers_are_asked_for(executable: str, refused: bool) -> None:
    settings = {
        "process_isolation": True,
        "process_isolation_executable": executable,
        "container_image": "ee",
        "container_options": ["-d"],
    }
    if refused:
        with pytest.raises(ConfigurationError, match="container_options: '-d' cannot be used"):
            read_isolation("settings", settings)
    else:
        assert read_isolation("settings", settings) is not None
    assert read_isolation("settings", {**settings, "process_isolation": False}) is None


@given(st.lists(st.sampled_from(["-d", "--env", "a", "-it", "-", "--x=1", "-e1", "--name", "é", "-=", "--=", "-i="])))
def test_any_words_are_taken_or_refused(words: list[str]) -> None:
    try:
        check_container_options("settings", words)
    except ConfigurationError:
        return
    assert not {"-d", "-", "--name"} & set(words)
