"""Tables of a store's runs: they fit a terminal, and are whole elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect
import pyte
import pytest

from playstream.cli.tables import (
    Column,
    cells,
    cut,
    fit,
    fitted_lines,
    plain,
    relative,
    shorten_idents,
    table_lines,
    wrap,
)
from playstream.process.store import RunWriter, open_store
from tests.process.store.events import Script
from tests.stages import PLAYSTREAM, Stages

UUID = "0b8e2c55-6f1d-4c58-9d4e-3a1f0c9b7e21"
LIKE_IT = "0b8e2c55-6f1d-4c58-9d4e-3a1f0c9b7e22"
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
EXPLANATION = (
    "2 hosts failed at the task\n\x1b[2Jサーバーを再起動する: there was no room on the device, and then some more"
)
MESSAGE = "非常に長いメッセージ " * 9 + "\x1b]0;title\x07\nthe last line"
LONG = "nightly-deployment-of-the-web-servers-and-of-all-databases-in-the-south"


def write(url: str, *idents: str) -> None:
    """Write small runs, each an hour after the one before."""
    with open_store(url) as store:
        for number, ident in enumerate(idents):
            Script(ident, NOW + timedelta(hours=number)).play().save(store)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with a run that failed in many words, and some others."""
    url = f"sqlite:///{tmp_path}/runs.db"
    script = (
        Script(UUID, NOW).play().task("ページを複製して、それから長い時間待つ", "ansible.builtin.copy", role="サイト")
    )
    script.result("failed", "ウェブサーバー一号機.example.org", {"msg": MESSAGE})
    script.result("unreachable", "web2", {"unreachable": True, "msg": "No route to host"})
    script.result("failed", "web3", {"censored": "the output has been hidden", "_ansible_no_log": True})
    script.result("failed", "web4", {"msg": ["one", 2]})
    script.result("failed", "web5", {"msg": "let pass"}, ignore_errors=True)
    script.result("ok", "web6", {"msg": "all is well"})
    with open_store(url) as opened, RunWriter(opened) as writer:
        for event in script.events:
            writer.take(event)
        writer.save(UUID, "failed", 2, EXPLANATION)
    write(url, "夜間バックアップ" * 5, LONG)
    return url


@pytest.fixture(params=["rich", "no rich"])
def terminal(request: pytest.FixtureRequest, stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Stages for a terminal, with and without rich."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if request.param == "no rich":
        (tmp_path / "missing" / "rich").mkdir(parents=True)
        (tmp_path / "missing" / "rich" / "__init__.py").write_text("raise ImportError('rich is not installed')\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "missing"))
    return stages


def show(stages: Stages, columns: int, *words: str) -> str:
    """What a terminal gets."""
    command = [*PLAYSTREAM, *words]
    child = pexpect.spawn(
        command[0], command[1:], env=stages.env, dimensions=(24, columns), timeout=60, encoding="utf-8"
    )
    text: str = child.read()
    child.close()
    assert child.exitstatus == 0, text
    return text


def lines_on(text: str, columns: int) -> list[str]:
    """The lines that a terminal shows, none of which was too wide for it."""
    count = text.count("\n")
    screen = pyte.Screen(columns, count + 2)
    pyte.Stream(screen).feed(text)
    assert screen.cursor.y == count, "a line was wider than the terminal"
    return [line.rstrip() for line in screen.display[:count]]


@pytest.mark.parametrize("columns", [80, 40, 17])
def test_runs_fit_the_terminal(terminal: Stages, store: str, columns: int) -> None:
    text = show(terminal, columns, "runs", "--store", store)
    lines = lines_on(text, columns)
    assert not re.search(r"\x1b(?!\[[0-9;]*m)|[\x00-\x09\x0b\x0c\x0e-\x1a]", text)
    assert len(lines) == 5, "a heading, a line for each run, and one for the explanation"
    assert lines[-1].startswith("    2 hosts"), lines
    assert lines[-1].endswith("…")
    if columns == 17:
        return
    assert re.match(r"STARTED +IDENT +STATUS", lines[0])
    assert re.match(r"\d+ (d|h) ago +0b8e2c55  +failed", lines[3]), lines[3]
    assert f"{LONG[:8]}" in lines[1]
    assert LONG not in lines[1]
    assert ("FAILED" in lines[0]) is (columns == 80)


@pytest.mark.parametrize("columns", [80, 40, 17])
def test_show_fits_the_terminal(terminal: Stages, store: str, columns: int) -> None:
    text = show(terminal, columns, "show", "0b8e", "--store", store)
    lines = lines_on(text, columns)
    assert not re.search(r"\x1b(?!\[[0-9;]*m)|[\x00-\x09\x0b\x0c\x0e-\x1a]", text)
    joined = "".join(line[13:] for line in lines[: lines.index("")])
    assert UUID in joined
    assert "サーバーを再起動する:" in joined.replace(" ", ""), "the explanation is whole"
    if columns == 17:
        return
    head = next(number for number, line in enumerate(lines) if line.startswith("HOST") and "MESSAGE" in line)
    failures = lines[head + 1 :]
    assert len(failures) == 4
    assert "No route to host" in failures[0]
    assert "the output has" in failures[1]
    assert failures[2].endswith('["one", 2]')
    assert failures[3].endswith("…")


@pytest.mark.parametrize("words", [("runs",), ("show", "0b8e")])
def test_a_terminal_that_has_few_characters(
    terminal: Stages, store: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    text = show(terminal, 60, *words, "--store", store)
    assert text.isascii()
    assert any(line.endswith("~") for line in lines_on(text, 60))


def test_colours_are_for_who_wants_them(terminal: Stages, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    has_rich = "PYTHONPATH" not in terminal.env or "missing" not in terminal.env["PYTHONPATH"]
    assert ("\x1b[31mfailed" in show(terminal, 80, "runs", "--store", store)) is has_rich
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in show(terminal, 80, "runs", "--store", store)


@pytest.mark.parametrize("words", [("runs",), ("show", UUID)])
def test_elsewhere_values_are_whole(terminal: Stages, store: str, words: tuple[str, ...]) -> None:
    piped = terminal.call(*words, "--store", store).stdout.decode()
    assert show(terminal, 40, *words, "--store", store, "--wide").replace("\r\n", "\n") == piped
    lines = piped.splitlines()
    assert "…" not in piped
    assert "\x1b" not in piped
    assert " ago" not in piped
    explained = next(line for line in lines if UUID in line)
    assert explained.endswith(plain(EXPLANATION))
    assert NOW.astimezone().isoformat(" ", "seconds") in explained
    if words[0] == "runs":
        assert len(lines) == 4
        assert lines[1].split()[2] == LONG
        return
    assert [line.split()[0] for line in lines[-4:]] == ["web2", "web3", "web4", "ウェブサーバー一号機.example.org"]
    assert lines[-1].endswith("the last line")
    assert lines[-4].split(maxsplit=3)[2:] == ["unreachable", "No route to host"]


def test_a_run_without_failures_has_no_table_of_them(stages: Stages, store: str) -> None:
    shown = stages.call("show", LONG, "--store", store).stdout.decode()
    assert "TASK" in shown
    assert "MESSAGE" not in shown


def test_the_beginning_of_a_name_is_enough(stages: Stages, store: str) -> None:
    write(store, LIKE_IT, "night", "NIGHTLY", "night_1", "nightx1", *(f"job-{number}" for number in range(9)))

    def ident(given: str) -> str:
        done = stages.call("show", given, "--store", store)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()[1].split()[0]

    assert ident(UUID[:-1] + "1") == UUID
    assert ident("nightly-") == LONG
    assert ident("nightly-deploy…") == LONG, "as a table shows it"
    assert ident("night") == "night", "a whole name is no beginning"
    assert ident("N") == "NIGHTLY"
    assert ident("night_") == "night_1", "no character stands for others"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0b8e2c55", f"start with '0b8e2c55': {UUID}, {LIKE_IT}. Pass more of the name"),
        ("job-", "job-0, job-1, job-2, job-3, job-4, job-5, job-6, job-7 and others. Pass more"),
        ("%", "the store has no run '%'"),
        ("job-[1]", "the store has no run 'job-[1]'"),
        ("…", "the store has no run"),
    ],
)
def test_a_beginning_of_several_names_or_none(stages: Stages, store: str, given: str, expected: str) -> None:
    write(store, LIKE_IT, *(f"job-{number}" for number in range(9)))
    done = stages.call("show", given, "--store", store)
    assert (done.returncode, done.stdout) == (1, b"")
    assert expected in done.stderr.decode()


def test_a_fitted_table_is_written_while_its_rows_come() -> None:
    taken: list[int] = []

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(2500):
            taken.append(number)
            yield number, "x" * 90

    lines = fitted_lines((Column("NUMBER"), Column("NAME", least=4)), rows(), 40)
    assert next(lines)[0][0].startswith("NUMBER")
    assert len(taken) == 1000
    assert sum(1 for _ in lines) == 2500


def test_few_long_rows_are_held() -> None:
    taken: list[int] = []

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(50):
            taken.append(number)
            yield number, "x" * 2**17

    for lines in (table_lines(("A", "B"), rows()), fitted_lines((Column("A"), Column("B", least=4)), rows(), 40)):
        next(lines)
        assert len(taken) == 8
        assert sum(1 for _ in lines) == 50
        taken.clear()


@pytest.mark.parametrize("width", range(1, 90, 4))
def test_columns_that_do_not_fit_are_left_out(width: int) -> None:
    columns = (Column("A"), Column("B", least=5), Column("C", rank=1), Column("D", rank=2, least=5))
    natural = (3, 40, 10, 20)
    found = fit(columns, natural, width)
    assert list(found) == [0, 1, *([2] if width >= 22 else []), *([3] if width >= 29 else [])]
    for line in fitted_lines(columns, [["x" * size for size in natural]], width):
        assert cells("".join(text for text, _ in line).rstrip()) <= width
    if width >= 10:
        assert sum(found.values()) + 2 * (len(found) - 1) <= width


def test_how_wide_text_is() -> None:
    assert [cells(text) for text in ("abc", "日本", "e\u0301", "🚀", "｡")] == [3, 4, 1, 2, 1]
    assert [cut("日本語です", width) for width in (10, 9, 6, 5, 1)] == [
        "日本語です",
        "日本語で…",
        "日本…",
        "日本…",
        "…",
    ]
    assert cut("playbooks/site.yml", 9, keep_end=True) == "…site.yml"
    assert list(wrap("one two 日本語です three", 7)) == ["one two", "日本語", "です", "three"]
    assert list(wrap("", 5)) == [""]
    assert list(table_lines(("A", "B"), [("日本", 1), ("x", 2)])) == ["A     B", "日本  1", "x     2"]
    assert plain("a\tb\nc\x1b[2J\u202e\u3000d") == "a b c?[2J? d"
    assert (plain(None), plain(""), plain(0)) == ("-", "-", "0")


def test_a_uuid_is_as_long_as_it_must_be() -> None:
    assert shorten_idents([UUID, "nightly", UUID]) == [UUID[:8], "nightly", UUID[:8]]
    assert shorten_idents([UUID, LIKE_IT]) == [UUID, LIKE_IT]
    other = UUID.replace("6f1d", "6f1c")
    assert shorten_idents([other, UUID]) == [other[:13], UUID[:13]]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "now"),
        (-1, "in 1 s"),
        (59, "59 s ago"),
        (200, "3 min ago"),
        (3600, "1 h ago"),
        (86_399, "23 h ago"),
        (200_000, "2 d ago"),
        (-200_000, "in 2 d"),
    ],
)
def test_how_long_ago(seconds: int, expected: str) -> None:
    assert relative(NOW - timedelta(seconds=seconds), NOW) == expected
