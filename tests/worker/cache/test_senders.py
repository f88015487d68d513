from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.worker.cache.defaults import OWN_USER
from playstream.worker.cache.senders import check_sender, sender_of_certificate, sender_of_user

NAMES = st.text(st.characters(), max_size=300)


@given(NAMES)
def test_the_name_of_a_certificate_is_one_directory(name: str) -> None:
    sender = sender_of_certificate(name)
    assert check_sender(sender) == sender
    assert len(PurePosixPath(sender).parts) == 1
    assert sender.isascii()
    assert sender.startswith("cert-")


@given(NAMES, NAMES)
def test_two_certificates_never_have_the_same_directory(one: str, other: str) -> None:
    assert (sender_of_certificate(one) == sender_of_certificate(other)) is (one.lower() == other.lower())


@given(st.text(st.sampled_from("./%=~-aA0\0\n"), max_size=8), st.text(st.sampled_from("./%=~-aA0\0\n"), max_size=8))
def test_names_that_look_like_paths_stay_different(one: str, other: str) -> None:
    assert (sender_of_certificate(one) == sender_of_certificate(other)) is (one.lower() == other.lower())


def test_a_short_name_cannot_be_that_of_a_long_one() -> None:
    long = sender_of_certificate("a" * 1000)
    assert long != sender_of_certificate(long.removeprefix("cert-"))


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (sender_of_certificate("CI.example.org"), "cert-ci.example.org"),
        (sender_of_certificate("../x"), "cert-..%2Fx"),
        (sender_of_user(1000), "user-1000"),
        (OWN_USER, "user"),
    ],
)
def test_names_are_readable(sender: str, name: str) -> None:
    assert sender == name
    assert check_sender(sender) == sender
