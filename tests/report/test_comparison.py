"""The page of a comparison: whatever the runs are called and say, it is one file that runs nothing."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.captures.comparison import Difference, Outline, compare
from playstream.cli.comparison import make_page
from playstream.report.failures import clean, name_of
from tests.captures import outlines
from tests.captures.reading import a_run, an_event
from tests.report.pages import Element, read_page
from tests.stages import Stages

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}{% for x in y %}",
    "&lt;b&gt; &#60;",
    "<!-- ",
    "]]>",
    "javascript:alert(1)",
    "\x1b[2J",
    "\x00",
    "\ud800",
    "\u202egnp.exe",
    "x" * 5000,
    " ",
]
ANY_TEXT = st.sampled_from(HOSTILE) | st.text(max_size=20)


outline = partial(outlines.outline, seconds=1.0)
"""A run whose results took a second each."""


def page_of(before: Outline, after: Outline, names: tuple[str, str] = ("monday", "tuesday")) -> Element:
    return read_page("".join(make_page(names, (before, after), list(compare(before, after)))))


def sections_of(page: Element) -> dict[str, list[list[str]]]:
    """By the name of each section, the texts of its rows."""
    return {
        section.attributes["id"]: [
            [cell.text for cell in row.children] for body in section.all("tbody") for row in body.children
        ]
        for section in page.all("section")
    }


def test_everything_that_differs() -> None:
    before = outline(("a", "One", "ok"), ("b", "One", "ok"), ("a", "Gone", "changed"), ("a", "Same", "ok"))
    before.add("a", "web", "Slow", "command", outcome="ok", seconds=1, res={"msg": "x"})
    before.add("a", None, "Facts", "setup", outcome="ok", seconds=1, res={"ansible_facts": {"ansible_kernel": 1}})
    after = outline(
        ("a", "One", "failed"), ("b", "One", "failed"), ("b", "New", "skipped"), ("a", "Same", "ok"), status="failed"
    )
    after.add("a", "web", "Slow", "command", outcome="ok", seconds=9, res={"msg": "y"})
    after.add("a", None, "Facts", "setup", outcome="ok", seconds=1, res={"ansible_facts": {"ansible_kernel": 2}})
    page = page_of(before, after)
    assert sections_of(page) == {
        "outcomes": [["One", "ok", "failed", "a b"]],
        "tasks": [["Gone", "changed", "-", "a"], ["New", "-", "skipped", "b"]],
        "durations": [["web : Slow", "1.0 s", "9.0 s", "a"]],
        "results": [["web : Slow", "msg", "a"]],
        "facts": [["a", "ansible_kernel"]],
    }
    body = page.children[1].text
    for text in ("The outcomes differ.", "monday", "tuesday", "successful", "failed, return code 2"):
        assert text in body
    assert "6 results on 2 hosts" in body
    assert [element.attributes["class"] for element in page.all("span") if element.text == "failed"] == ["value failed"]


def test_nothing_differs() -> None:
    page = page_of(outline(("a", "One", "ok")), outline(("a", "One", "ok")))
    assert sections_of(page) == {}
    assert "The runs do not differ." in page.text
    assert "1 result on 1 host" in page.text


def test_only_values_differ() -> None:
    page = page_of(outline(("a", "One", "ok")), outline(("a", "One", "ok"), seconds=5.0))
    assert "The outcomes are the same." in page.text
    assert list(sections_of(page)) == ["durations"]


def test_many_hosts_are_in_a_list_that_opens() -> None:
    hosts = [f"host{number:03}" for number in range(200)]
    page = page_of(
        outline(*((host, "One", "ok") for host in hosts)), outline(*((host, "One", "failed") for host in hosts))
    )
    ((_task, _before, _after, cell),) = sections_of(page)["outcomes"]
    assert cell == "200 hosts " + " ".join(hosts)
    (inner,) = (each for each in page.all("details") if "open" not in each.attributes)
    assert [item.text for item in inner.all("li")] == hosts


def test_any_hostile_value() -> None:
    """The page has the shape of one with harmless values, and shows the hostile ones as text."""
    for text in HOSTILE:
        pages = [
            page_of(
                outline((word, word, "ok"), res={word: 1}, role=word),
                outline((word, word, "ok"), res={word: 2}, role=word, status=word),
                (word, word),
            )
            for word in ("harmless", text)
        ]
        assert pages[0].shape == pages[1].shape
        (row,) = sections_of(pages[1])["results"]
        shown = f"{clean(text)} : {clean(text)}"
        assert row == [" ".join(each.split()) for each in (shown, clean(text), name_of(text))]


@given(
    st.lists(st.tuples(ANY_TEXT, ANY_TEXT, st.sampled_from(["ok", "failed"]) | ANY_TEXT), max_size=5),
    st.lists(st.tuples(ANY_TEXT, ANY_TEXT, st.sampled_from(["ok", "failed"]) | ANY_TEXT), max_size=5),
    ANY_TEXT,
)
def test_any_runs(before: Sequence[tuple[str, str, str]], after: Sequence[tuple[str, str, str]], name: str) -> None:
    first, second = outline(*before), outline(*after, status=name)
    page = page_of(first, second, (name, name))
    found = list(compare(first, second))
    rows = sections_of(page).get("outcomes", [])
    groups = {(each.task, each.before, each.after) for each in found if each.change == "outcome"}
    assert len(rows) == len(groups)
    for row in page.all("tr"):
        for cell in row.all("span"):
            assert cell.attributes["class"] in {"host", "value", "value ok", "value failed"}


def kept(path: Path, *tasks: tuple[str, str], rc: int = 0) -> Path:
    """A capture of a run with these tasks and how they ended on a host."""
    events = [
        an_event(number, f"runner_on_{status}", event_data={"host": "<b>a</b>", "task": task, "res": {}})
        for number, (task, status) in enumerate(tasks, 1)
    ]
    path.write_bytes(a_run(*events, rc=rc))
    return path


def test_the_command(stages: Stages, tmp_path: Path) -> None:
    before = kept(tmp_path / "before", ("One", "ok"), ("Two", "ok"))
    after = kept(tmp_path / "after", ("One", "ok"), ("Two", "failed"), rc=2)
    done = stages.call("diff", before, after, "--html")
    assert done.returncode == 3
    assert sections_of(read_page(done.stdout.decode())) == {"outcomes": [["Two", "ok", "failed", "<b>a</b>"]]}
    file = tmp_path / "page.html"
    again = stages.call("diff", before, after, "--html", "-o", file)
    assert (again.returncode, again.stdout, again.stderr) == (3, b"", b"")
    assert file.read_bytes() == done.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stages.call("diff", before, before, "--html", "-o", file).returncode == 0
    assert b"The runs do not differ." in file.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "x"), b"--output: concerns the page of --html: pass --html too"),
        (("--html", "--json"), b"--html: cannot be combined with --json"),
        (("--html", "-o", "/nowhere/x"), b"--output: '/nowhere/x' cannot be written"),
        (("--html", "-o", "/"), b"--output: '/' cannot be written"),
    ],
)
def test_flags_that_contradict(stages: Stages, tmp_path: Path, words: tuple[str, ...], message: bytes) -> None:
    run = kept(tmp_path / "run", ("One", "ok"))
    done = stages.call("diff", run, run, *words)
    assert (done.returncode, done.stdout) == (1, b"")
    assert message in done.stderr


def test_without_jinja2(stages: Stages, tmp_path: Path) -> None:
    package = tmp_path / "missing" / "jinja2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('jinja2 is not installed')\n")
    run = kept(tmp_path / "run", ("One", "ok"))
    stages.variables["PYTHONPATH"] = str(tmp_path / "missing")
    assert stages.call("diff", run, run).returncode == 0
    done = stages.call("diff", run, run, "--html")
    assert (done.returncode, done.stdout) == (71, b"")
    assert b"HTML requires Jinja2, which is not installed: run " in done.stderr
    assert b"-m pip install 'playstream[report]'" in done.stderr


def test_differences_without_a_task() -> None:
    """Facts are those of a host, and the status is that of the run."""
    found = [Difference("facts", None, None, None, "x")]  # type: ignore[arg-type]
    page = read_page("".join(make_page(("a", "b"), (Outline(), Outline()), found)))
    assert sections_of(page) == {"facts": [["-", "x"]]}
