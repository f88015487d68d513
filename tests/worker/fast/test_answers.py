"""What hosts have answered about sudo, and the file in which that is remembered."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.tree.user_cache import state_place
from playstream.worker.fast import answers
from playstream.worker.fast.answers import KEPT_SECONDS, MAX_ANSWERS, Answer, Login, State, as_items, read_answer

WEB, DB = Login("web1", 22, "deploy"), Login("192.0.2.7")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "playstream"


def test_answers_are_kept(place: Path) -> None:
    State(directory=place).add({WEB: Answer.WORKS})
    State(directory=place).add({DB: Answer.TERMINAL})
    assert State(directory=place).read() == {WEB: Answer.WORKS, DB: Answer.TERMINAL}
    assert [path.name for path in place.iterdir()] == ["sudo.json"]
    assert (place / "sudo.json").stat().st_mode & 0o777 == 0o600
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o700, 0o700)


def test_a_later_answer_replaces_an_earlier_one(place: Path) -> None:
    state = State(directory=place)
    state.add({WEB: Answer.WORKS})
    state.add({WEB: Answer.TERMINAL})
    assert state.read() == {WEB: Answer.TERMINAL}


def test_what_is_not_clear_is_not_kept(place: Path) -> None:
    State(directory=place).add({WEB: Answer.UNCLEAR, DB: Answer.MISSING})
    assert not place.exists()


def test_an_image_has_answers_of_its_own(place: Path) -> None:
    State("quay.io/ee:1", place).add({WEB: Answer.WORKS})
    assert State(directory=place).read() == {}
    State(directory=place).add({WEB: Answer.TERMINAL})
    assert State("quay.io/ee:1", place).read() == {WEB: Answer.WORKS}
    assert State(directory=place).read() == {WEB: Answer.TERMINAL}


def test_the_oldest_answers_are_left_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    state = State(directory=place)
    state.add({WEB: Answer.WORKS})
    monkeypatch.setattr(time, "time", lambda: 1_000_001.0)
    state.add({Login(f"h{number}"): Answer.WORKS for number in range(MAX_ANSWERS)})
    assert len(state.read()) == MAX_ANSWERS
    assert WEB not in state.read()


def test_an_answer_counts_for_some_days(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    state = State(directory=place)
    state.add({WEB: Answer.WORKS})
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0 + KEPT_SECONDS - 1)
    assert state.read() == {WEB: Answer.WORKS}
    for now in (1_000_000.0 + KEPT_SECONDS, 999_999.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert state.read() == {}
    state.add({DB: Answer.WORKS})
    assert "web1" not in (place / "sudo.json").read_text()


ADD = """\
import sys
from pathlib import Path
from playstream.worker.fast.answers import Answer, Login, State
State(directory=Path(sys.argv[1])).add({Login(sys.argv[2]): Answer.WORKS})
"""


def test_workers_at_the_same_time_lose_nothing(place: Path) -> None:
    names = [f"h{number}" for number in range(4)]
    writers = [subprocess.Popen([sys.executable, "-c", ADD, place, name]) for name in names]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert State(directory=place).read() == {Login(name): Answer.WORKS for name in names}


def test_a_lock_that_is_kept_is_not_waited_for(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(directory=place)
    state.add({WEB: Answer.WORKS})
    monkeypatch.setattr(answers, "_LOCK_SECONDS", 0.0)
    monkeypatch.setattr(answers, "try_lock", lambda _: False)
    state.add({DB: Answer.WORKS})
    assert state.read() == {WEB: Answer.WORKS}


def test_what_a_killed_worker_has_left_is_replaced(place: Path) -> None:
    place.mkdir(parents=True, mode=0o700)
    (place / ".sudo.json").write_text("half of a fi")
    State(directory=place).add({WEB: Answer.WORKS})
    assert [path.name for path in place.iterdir()] == ["sudo.json"]


@pytest.mark.parametrize("directory", ["relative", "/proc/self/no"])
def test_a_directory_that_cannot_be_made_is_no_error(
    directory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = State(directory=Path(directory))
    state.add({WEB: Answer.WORKS})
    assert state.read() == {}


def test_the_place_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    for value, expected in (("/state", "/state"), ("relative", "/home/user/.local/state"), ("", None)):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert state_place() == Path(expected or "/home/user/.local/state") / "playstream"


def write(place: Path, data: bytes) -> State:
    place.mkdir(parents=True, mode=0o700, exist_ok=True)
    path = place / "sudo.json"
    path.write_bytes(data)
    path.chmod(0o600)
    return State(directory=place)


def content(*items: Any) -> bytes:
    return json.dumps({"form": 1, "answers": list(items)}).encode()


def test_entries_that_are_wrong_are_left_out(place: Path) -> None:
    now = int(time.time())
    right = ["", "web1", 22, "deploy", "works", now]
    wrong = [
        ["", "", 22, "deploy", "works", now],
        ["", "web1\n", 22, "deploy", "works", now],
        ["", "w" * 256, 22, "deploy", "works", now],
        ["", "web1", 65536, "deploy", "works", now],
        ["", "web1", True, "deploy", "works", now],
        ["", "web1", 22, None, "works", now],
        ["", "web1", 22, "deploy", "maybe", now],
        ["", "web1", 22, "deploy", ["works"], now],
        ["", "web1", 22, "deploy", "works", "now"],
        ["", "web1", 22, "deploy", "works"],
        [3, "web1", 22, "deploy", "works", now],
        "web1",
        None,
    ]
    for item in wrong:
        assert write(place, content(item)).read() == {}, item
    assert write(place, content(*wrong, right, *wrong)).read() == {WEB: Answer.WORKS}


def test_a_directory_in_its_place_is_no_error(place: Path) -> None:
    (place / "sudo.json" / "x").mkdir(parents=True)
    place.chmod(0o700)
    State(directory=place).add({WEB: Answer.WORKS})
    assert State(directory=place).read() == {}
    assert [path.name for path in place.iterdir()] == ["sudo.json"]


def test_a_file_that_is_too_large_is_not_read(place: Path) -> None:
    data = content(["", "web1", 22, "deploy", "works", int(time.time())])
    assert write(place, data + b" " * (4 << 20)).read() == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["works", ""]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()) | st.lists(JSON).map(content))
def test_any_file_can_be_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    place = tmp_path_factory.getbasetemp() / "any"
    state = write(place / "playstream", data.replace(b"NaN", b"0"))
    assert isinstance(state.read(), dict)
    state.add({WEB: Answer.WORKS})
    assert state.read()[WEB] is Answer.WORKS


@given(JSON)
def test_any_item_is_an_answer_or_refused(item: Any) -> None:
    try:
        login, answer = read_answer(item)
    except ValueError:
        return
    assert [list(found) for found in as_items([(login, answer)])] == [item]
