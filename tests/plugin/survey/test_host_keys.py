"""Whether ssh would accept a host's key, by what ssh itself says of its configuration, and by files of known hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from playstream.plugin.survey.playstream_survey.host_keys import Target, check

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5wPr6Hq8h0Jm8bQ1q1lq9p2u8jv2JzY0y0l2u9b0zJ"


class Client:
    """A client of ssh with files of its own.

    Args:
        directory: for the files.
    """

    def __init__(self, directory: Path) -> None:
        self.known = directory / "known hosts".replace(" ", "_")
        self._config = directory / "config"
        self.known.write_text("")
        self.configure()

    def configure(self, *lines: str) -> None:
        """Write the configuration."""
        own = (f"UserKnownHostsFile {self.known}", "GlobalKnownHostsFile none")
        self._config.write_text("\n".join([*lines, "Host *", *own]) + "\n")

    def target(
        self, address: str = "web1.example.com", port: str | None = None, *args: str, executable: str = "ssh"
    ) -> Target:
        """Return a host for this client."""
        return Target("web1", address, port, None, ("-F", str(self._config), *args), executable)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A client that knows no host."""
    return Client(tmp_path)


def test_a_host_that_is_not_known_would_be_asked_about(client: Client) -> None:
    assert check([client.target()]) == {"unknown": "host web1"}


@pytest.mark.parametrize(
    ("patterns", "port"),
    [
        ("web1.example.com", None),
        ("other,WEB1.example.com,10.0.0.1", None),
        ("*.example.com", None),
        ("web?.example.com", None),
        ("[web1.example.com]:2222", "2222"),
        ("[*.example.com]:2222", "2222"),
        ("@cert-authority *.example.com", None),
    ],
)
def test_a_host_in_the_file_is_known(client: Client, patterns: str, port: str | None) -> None:
    client.known.write_text(f"# a comment\n{patterns} {KEY}\n")
    assert check([client.target(port=port)]) == {}


@pytest.mark.parametrize(
    ("patterns", "port"),
    [
        ("web2.example.com", None),
        ("web1.example.com", "2222"),
        ("[web1.example.com]:2222", None),
        ("*.example.com,!web1.example.com", None),
        ("@revoked web1.example.com", None),
        ("|1|not base64|x", None),
    ],
)
def test_another_host_in_the_file_is_not_this_one(client: Client, patterns: str, port: str | None) -> None:
    client.known.write_text(f"{patterns} {KEY}\n")
    assert check([client.target(port=port)]) == {"unknown": "host web1"}


def test_hashed_names_are_known(client: Client) -> None:
    client.known.write_text(f"web1.example.com {KEY}\n[web1.example.com]:2222 {KEY}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", client.known], check=True, capture_output=True)
    assert b"web1" not in client.known.read_bytes()
    assert check([client.target(), client.target(port="2222")]) == {}
    assert check([client.target(port="23")]) == {"unknown": "host web1"}


@pytest.mark.parametrize("value", ["no", "off", "accept-new"])
def test_keys_that_are_not_checked_are_found_in_arguments_and_files(client: Client, value: str) -> None:
    client.known.write_text(f"web1.example.com {KEY}\n")
    assert check([client.target("web1.example.com", None, "-o", f"StrictHostKeyChecking={value}")]) == {
        "unchecked": "host web1"
    }
    client.configure("Host web1.example.com", f"  StrictHostKeyChecking {value}")
    assert check([client.target()]) == {"unchecked": "host web1"}


@pytest.mark.parametrize("value", ["yes", "ask"])
def test_keys_that_are_checked_are_no_obstacle(client: Client, value: str) -> None:
    client.known.write_text(f"web1.example.com {KEY}\n")
    assert check([client.target("web1.example.com", None, "-o", f"StrictHostKeyChecking={value}")]) == {}


def test_names_of_the_configuration_count(client: Client) -> None:
    client.configure("Host short", "  HostName web1.example.com", "  Port 2222", "Host alias", "  HostKeyAlias web9")
    client.known.write_text(f"[web1.example.com]:2222 {KEY}\nweb9 {KEY}\n")
    assert check([client.target("short"), client.target("alias", "4444")]) == {}


def test_keys_from_elsewhere_are_unclear(client: Client) -> None:
    assert check([client.target("h", None, "-o", "VerifyHostKeyDNS=yes")]) == {"unclear": "host web1"}


def test_a_client_that_cannot_be_asked_is_unclear(client: Client) -> None:
    assert check([client.target(executable="/nonexistent/ssh")]) == {"unclear": "host web1"}
    assert check([client.target("h", None, "-o", "NoSuchOption=yes")]) == {"unclear": "host web1"}
