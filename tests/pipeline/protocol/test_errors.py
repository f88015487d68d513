"""The hierarchy of errors and the page that is generated from it."""

from __future__ import annotations

import errno
import os
import runpy
from pathlib import Path

import pytest

from playstream.pipeline import errors

DOCS = Path(__file__).parents[3] / "docs"


def test_exit_statuses_are_unique_and_mean_nothing_else() -> None:
    statuses = [cls.exit_status for cls in errors.error_classes()]
    statuses += [errors.CANCELED_EXIT_STATUS, errors.USAGE_EXIT_STATUS]
    assert len(set(statuses)) == len(statuses)
    assert all(0 < status < 256 for status in statuses)
    shells = {126, *range(129, 193)}
    assert not set(statuses) & shells
    assert 255 not in statuses, "ssh says 255 when it cannot connect"


def test_every_class_is_found_once_and_states_a_status_of_its_own() -> None:
    found = errors.error_classes()
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert set(found) == defined
    assert len(found) == len(defined)
    for cls in found:
        assert "exit_status" in vars(cls), f"{cls.__name__} inherits its status"
        assert cls.__doc__


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (errors.IncompleteStream, errors.RemoteProtocolError),
        (errors.RemoteProtocolError, errors.ProtocolError),
        (errors.LocalProtocolError, errors.ProtocolError),
        (errors.ExecutableNotFound, errors.JobError),
    ],
)
def test_who_catches_whom(error: type[Exception], base: type[Exception]) -> None:
    assert issubclass(error, base)
    assert not issubclass(errors.LocalProtocolError, errors.RemoteProtocolError)


def test_the_page_is_what_the_generator_prints() -> None:
    page = runpy.run_path(str(DOCS / "generate_errors.py"))["page"]()
    written = (DOCS / "errors.md").read_text(encoding="utf-8")
    assert written == page, "run: python docs/generate_errors.py > docs/errors.md"


def test_the_page_has_each_class_with_its_status_and_meaning() -> None:
    lines = (DOCS / "errors.md").read_text(encoding="utf-8").splitlines()
    for cls in errors.error_classes():
        assert cls.__doc__ is not None
        meaning = cls.__doc__.splitlines()[0]
        rows = [line for line in lines if line.startswith(f"| {cls.exit_status} | `{cls.__name__}` |")]
        assert len(rows) == 1
        assert meaning in rows[0]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, "Check its owner and mode"),
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "Free space"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "Check the file system"),
    ],
)
@pytest.mark.parametrize("name", ["/x/file", b"/x/file", None])
def test_an_error_of_the_system_names_its_own_remedy(number: int, expected: str, name: str | bytes | None) -> None:
    caught = OSError(number, os.strerror(number), name)
    assert expected in errors.remedy(caught)
    told = str(errors.as_error(caught))
    assert os.strerror(number) in told
    assert (f"'/x/file' cannot be used: {os.strerror(number)}. {errors.remedy(caught)}" in told) is bool(name)


def test_an_error_is_named_so_that_another_process_knows_it() -> None:
    class Inner(errors.SilentPeer):
        """Known in this process only."""

    assert errors.name_of(errors.NodeLost("lost")) == "NodeLost"
    assert errors.name_of(Inner("silent")) == "SilentPeer"
    assert errors.name_of(ValueError("defect")) == "PlaystreamError"
