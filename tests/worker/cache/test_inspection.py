"""Verifying a cache."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from playstream.worker.cache.inspection import verify
from tests.worker.cache.cached import file_of, fill, opened


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_cannot_be_opened_for_now_is_not_damaged(tmp_path: Path, number: int) -> None:
    place = tmp_path / "cache"
    fill(place, b"hello")
    usual = os.open

    def fail(path: Any, *words: Any, **more: Any) -> int:
        if len(os.path.basename(path)) == 62:
            raise OSError(number, os.strerror(number))
        return usual(path, *words, **more)

    with opened(place) as fd, patch.object(os, "open", fail), pytest.raises(OSError, match=os.strerror(number)):
        verify(fd)
    assert file_of(place, b"hello").read_bytes() == b"hello"
