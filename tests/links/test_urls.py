"""The URL of a link: what it may be, and that nothing in it becomes an option of ssh."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playstream.links.urls import find_link, parse_ssh
from playstream.pipeline.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ssh://web1", ["--", "web1"]),
        ("ssh://me@web1:2222", ["-p", "2222", "-l", "me", "--", "web1"]),
        ("ssh://me%40corp@Web1/", ["-l", "me@corp", "--", "Web1"]),
        ("ssh://[::1]:22", ["-p", "22", "--", "::1"]),
        ("SSH://web1", ["--", "web1"]),
    ],
)
def test_the_words_for_ssh(url: str, words: list[str]) -> None:
    assert parse_ssh(url).login()[-len(words) :] == words


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("ssh://web1", ("playstream",)),
        ("ssh://web1?command=/opt/ps/bin/playstream", ("/opt/ps/bin/playstream",)),
        (
            "ssh://web1?command=sudo%20-u%20ps%20'/opt/my%20ps/playstream'",
            ("sudo", "-u", "ps", "/opt/my ps/playstream"),
        ),
    ],
)
def test_the_command(url: str, command: tuple[str, ...]) -> None:
    assert parse_ssh(url).command == command


@pytest.mark.parametrize(
    ("url", "worker"),
    [
        ("ssh://web1", ("worker",)),
        ("ssh://web1?cache", ("worker", "--cache")),
        ("ssh://web1?command=/opt/playstream&cache=/var/cache/my%20jobs", ("worker", "--cache=/var/cache/my jobs")),
    ],
)
def test_the_cache(url: str, worker: tuple[str, ...]) -> None:
    assert parse_ssh(url).worker == worker


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "expected a URL"),
        ("web1", "For a host: ssh://web1"),
        ("me@web1", "For a host: ssh://me@web1"),
        ("web1.example.com:22", "For a host: ssh://web1.example.com:22"),
        ("shs://web1", "did you mean 'ssh'?"),
        ("tcp://web1", "expected one of"),
        ("local:here", "expected local: alone"),
        ("exec:", "got none"),
        ("exec:'podman", "cannot be split into words"),
        ("exec:no-such-program worker", "'no-such-program' was not found on this host's PATH"),
        ("ssh://", "got no host"),
        ("ssh://me@", "got no host"),
        ("ssh:web1", "got no host"),
        ("ssh://-oProxyCommand=touch%20x", "does not begin with a dash"),
        ("ssh://%2DoProxyCommand=x", "does not begin with a dash"),
        ("ssh://-l@web1", "does not begin with a dash"),
        ("ssh://%2dl@web1", "does not begin with a dash"),
        ("ssh://we%20b", "without spaces"),
        ("ssh://we%0ab", "without spaces"),
        ("ssh://me%00@web1", "without spaces"),
        ("ssh://we\nb", "no control characters"),
        ("ssh://web1\x7f", "no control characters"),
        ("ssh://me:secret@web1", "expected no password"),
        ("ssh://web1:0", "expected a port from 1 to 65535"),
        ("ssh://web1:70000", "Port out of range"),
        ("ssh://web1:x", "'x'"),
        ("ssh://[::1", "Invalid IPv6"),
        ("ssh://web1/some/path", "nothing after the host but ?command="),
        ("ssh://web1#part", "nothing after the host but ?command="),
        ("ssh://web1?comand=x", "did you mean 'command'?"),
        ("ssh://web1?command=a&command=b", "got 'command' twice"),
        ("ssh://web1?cache&cache=/x", "got 'cache' twice"),
        ("ssh://web1?cache=trees", "expects the absolute path"),
        ("ssh://web1?cache=/a%0ab", "expects the absolute path"),
        ("ssh://web1?casche", "did you mean 'cache'?"),
        ("ssh://web1?command=", "how to start playstream"),
        ("ssh://web1?command=-x", "how to start playstream"),
        ("ssh://web1?command=a%0ab", "how to start playstream"),
        ("ssh://web1?command='a", "cannot be split into words"),
    ],
)
def test_what_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_link(url)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_this_host() -> None:
    assert find_link("local:") is None


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("-@:/?%[]=#\x00\n"), max_size=40))
@example("@-oProxyCommand=x")
@example("%2doProxyCommand=x")
@example("[-o]")
@example("-l%40:@h")
def test_nothing_becomes_an_option(rest: str) -> None:
    """Any text is an address or an error."""
    try:
        address = parse_ssh(f"ssh://{rest}")
    except ConfigurationError:
        return
    words = address.login()
    host, dashes = words[-1], words[-2]
    assert dashes == "--"
    assert host
    assert not host.startswith("-")
    assert address.user is None or not address.user.startswith("-")
    assert all(word.isprintable() for word in words)
