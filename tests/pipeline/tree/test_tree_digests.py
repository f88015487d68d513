from __future__ import annotations

import subprocess
import sys

import pytest

from playstream.pipeline.tree.digests import DIGEST_SIZE, algorithms, digest
from tests.stages import LIMIT_SECONDS

KNOWN = {
    "blake2b": "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
    "blake3": "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
}
"""The hashes of `abc`: that of b2sum -l 256, and that of b3sum."""
WITHOUT_BLAKE3 = """
import sys
sys.modules["blake3"] = None
from playstream.pipeline.tree.digests import algorithms, digest
print(*algorithms(), digest(b"abc", "blake2b").hex())
"""


def test_the_preferred_algorithm_comes_first() -> None:
    assert algorithms() == ("blake3", "blake2b")


@pytest.mark.parametrize("algorithm", sorted(KNOWN))
def test_hashes_are_those_of_other_programs(algorithm: str) -> None:
    assert digest(b"abc", algorithm).hex() == KNOWN[algorithm]
    assert len(digest(b"", algorithm)) == DIGEST_SIZE


def test_an_unknown_algorithm_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"^expected blake3 or blake2b, got the algorithm 'md5'$"):
        digest(b"abc", "md5")


def test_a_host_without_blake3_has_the_other_algorithm() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BLAKE3], capture_output=True, check=True, text=True, timeout=LIMIT_SECONDS
    )
    assert done.stdout == f"blake2b {KNOWN['blake2b']}\n"
