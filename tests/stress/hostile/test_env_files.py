"""Files of `env/` that are no small files: refused in little time and memory, and with the limit's figure."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.small_files import MAX_BYTES
from playstream.pipeline.job.inputs import ENV_FILES, parse_mapping, read_command_file, read_env_files, read_settings
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.kwargs import read_kwargs
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.hostile.place import call_worker, open_place
from tests.stress.hostile.streams import KWARGS, Zipped, linked, runner_entries, zipped

MIB = 1 << 20
SLACK = 32 * MIB
"""Bytes of memory above an empty run."""
LEVELS = 40
LAUGHS = "a0: &a0 [lol]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, LEVELS)
)
"""2 KB that stand for 9**39 texts."""
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, LEVELS)
)
LONG = "a: &a " + "x" * MIB + "\nb: [" + ", ".join(["*a"] * 1000) + "]\n"
"""1 MiB that stands for 1 GiB."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "demo"
    (made / "env").mkdir(parents=True)
    (made / "project").mkdir()
    (made / "project" / "site.yml").write_text("[]\n")
    return made


@pytest.mark.parametrize("text", [LAUGHS, MERGES, LONG], ids=["lists", "merges", "a long text"])
def test_aliases_that_stand_for_much(text: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"x: expected at most {MAX_BYTES} characters after its aliases"):
        parse_mapping("x", text)


def test_aliases_that_stand_for_little() -> None:
    text = "a: &a {x: 1, y: [2, 3]}\nb: *a\nc: {<<: *a, x: 4}\nd: [*a, *a]\n"
    value = {"x": 1, "y": [2, 3]}
    assert parse_mapping("x", text) == {"a": value, "b": value, "c": {**value, "x": 4}, "d": [value, value]}


def test_an_alias_is_counted_as_often_as_it_comes() -> None:
    fits = MAX_BYTES // 1000 - 10
    text = "a: &a " + "x" * 1000 + "\nb: [" + "*a, " * fits
    assert len(parse_mapping("x", text + "]\n")["b"]) == fits
    with pytest.raises(ConfigurationError, match="after its aliases"):
        parse_mapping("x", text + "*a, " * 10 + "]\n")


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 200 + "]" * 200,
        "a: " + "[" * 100_000,
        "a: " + "{a: " * 100_000,
        "- " * 100_000,
        "a0: &a0 [1]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 300)),
    ],
    ids=["200", "100,000", "100,000 objects", "100,000 entries", "by aliases"],
)
def test_many_levels(text: str) -> None:
    with pytest.raises(ConfigurationError, match="x: expected at most 200 levels of nested lists and objects"):
        parse_mapping("x", text)


def test_as_many_levels_as_are_accepted() -> None:
    assert parse_mapping("x", "a: " + "[" * 198 + "]" * 198)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!int ''",
        "a: !!float ''",
        "a: !!bool x",
        "a: !!timestamp x",
        "a: !!int x",
        "a: !!set [1]",
        "a: !!omap x",
        "a: !!binary ü",
        "a: !!binary eA==",
        "a: !!python/object/apply:os.system [x]",
        "? [1]\n: x",
        "a: " + "9" * 5000,
        "a: !!int {=: x}",
        "a: &a !!str {=: *a}",
        "<<: x",
        "a: \ud800",
        "a: \0",
        "\ufeff\ufeff",
        "%YAML 9.9\n---\na: 1",
        "--- a\n--- b",
        "a: 1.0e+999",
        "a: .nan",
        "a: *b",
    ],
)
def test_yaml_that_fits_nothing(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^x"):
        parse_mapping("x", text)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 << 30)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def to_a_fifo(path: Path) -> None:
    elsewhere = path.parents[2] / "fifo"
    os.mkfifo(elsewhere)
    path.symlink_to(elsewhere)


TOO_LARGE = f"expected at most {MAX_BYTES} bytes, got more"
STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link to /dev/zero": (lambda path: path.symlink_to("/dev/zero"), "expected a file or a FIFO, got a device"),
    "a link to a terminal": (lambda path: path.symlink_to("/dev/tty"), "expected a file or a FIFO, got a device"),
    "a link to a FIFO that nobody writes": (to_a_fifo, "got a link to a FIFO outside"),
    "10 GB": (sparse, TOO_LARGE),
    "a byte too many": (lambda path: path.write_text("#" * (MAX_BYTES + 1)), TOO_LARGE),
    "a directory": (lambda path: path.mkdir(), "expected a file or a FIFO, got a directory"),
    "a socket": (a_socket, "expected a file or a FIFO, got a socket"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
}


@pytest.mark.parametrize("name", [*(f"env/{name}" for name in ENV_FILES), "args"])
@pytest.mark.parametrize(("make", "expected"), STRANGE.values(), ids=STRANGE)
def test_what_is_no_small_file(directory: Path, name: str, make: Callable[[Path], object], expected: str) -> None:
    make(directory / name)
    with pytest.raises(ConfigurationError, match=expected) as caught:
        read_command_file(directory) if name == "args" else read_env_files(directory)
    assert str(directory / name) in str(caught.value)
    if name == "env/settings":
        with pytest.raises(ConfigurationError, match=expected):
            read_settings(directory)


def test_as_large_as_is_accepted(directory: Path) -> None:
    (directory / "env" / "settings").write_text("#" * (MAX_BYTES - 1) + "\n")
    assert read_settings(directory) == {}


def test_the_null_device_is_an_empty_file(directory: Path) -> None:
    for name in ENV_FILES:
        (directory / "env" / name).symlink_to(os.devnull)
    assert read_env_files(directory).settings == {}


@pytest.mark.parametrize("linked_to", [False, True], ids=["itself", "a link to it"])
def test_a_fifo_of_the_directorys_own_is_waited_for(directory: Path, linked_to: bool) -> None:
    fifo = directory / "env" / ("pipe" if linked_to else "settings")
    os.mkfifo(fifo)
    if linked_to:
        (directory / "env" / "settings").symlink_to("pipe")
    writer = threading.Thread(target=fifo.write_text, args=("job_timeout: 5\r\nidle_timeout: 6\r\n",))
    writer.start()
    assert read_settings(directory) == {"job_timeout": 5, "idle_timeout": 6}
    writer.join()


def test_a_fifo_that_is_written_without_end(directory: Path) -> None:
    fifo = directory / "env" / "extravars"
    os.mkfifo(fifo)

    def write() -> None:
        try:
            with fifo.open("wb") as file:
                while True:
                    file.write(b"#" * 65536)
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(ConfigurationError, match=TOO_LARGE):
        read_env_files(directory)
    writer.join()


def test_a_file_elsewhere_may_be_linked_to(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("job_timeout: 5\n")
    (directory / "env" / "settings").symlink_to(tmp_path / "shared")
    assert read_settings(directory) == {"job_timeout": 5}


SENT: dict[str, tuple[list[Zipped], str]] = {
    "aliases": ([zipped("env/settings", LAUGHS.encode())], "after its aliases"),
    "a link to /dev/zero": ([linked("env/settings", "/dev/zero")], "got a device"),
    "a directory elsewhere": ([linked("env", "/proc/self/fd")], ""),
    "many levels": ([zipped("env/extravars", b"a: " + b"[" * 100_000)], "200 levels"),
    "a tag": ([zipped("env/settings", b"a: !!int ''")], "does not match its tag"),
}


@pytest.mark.parametrize(("entries", "expected"), SENT.values(), ids=SENT)
def test_what_a_tree_brings(entries: list[Zipped], expected: str) -> None:
    with open_place() as place:
        answer = call_worker(place, runner_entries(entries, Direction.JOB), own_directory=False)
        assert (answer.error is ConfigurationError) == bool(expected), answer.message
        assert expected in answer.message


def test_a_fifo_of_this_host_that_a_tree_leads_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with open_place() as place:
        stream = runner_entries([linked("env/passwords", str(tmp_path / "fifo"))], Direction.JOB)
        answer = call_worker(place, stream, own_directory=True)
        assert answer.error is ConfigurationError
        assert "FIFO" in answer.message


def test_a_file_of_10_gb_in_the_workers_directory(directory: Path) -> None:
    sparse(directory / "env" / "extravars")
    with pytest.raises(ConfigurationError, match=TOO_LARGE):
        read_kwargs(KWARGS, directory)


@pytest.mark.parametrize("name", ["aliases", "a link to /dev/zero", "many levels"])
def test_memory(stages: Stages, tmp_path: Path, name: str) -> None:
    """Of a worker of its own, beside one that gets nothing."""

    def measure(given: bytes) -> int:
        report = tmp_path / "report"
        subprocess.run(
            [sys.executable, "-m", "tests.stress.hostile.measured", str(report), "worker"],
            input=given,
            check=False,
            env=stages.env,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            timeout=LIMIT_SECONDS,
        )
        return int(report.read_text()) * 1024

    assert measure(runner_entries(SENT[name][0], Direction.JOB)) < measure(b"") + SLACK
