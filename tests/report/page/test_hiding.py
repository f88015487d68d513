"""Names of hosts and private paths in the texts of a page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.report.page.collecting import PageReport
from playstream.report.page.hiding import Names, Paths, show_all
from tests.report.events import START, result, stats
from tests.report.page.reading import page_of


def names_of(*events: dict[str, Any]) -> Names:
    names = Names()
    for event in events:
        names.add(event)
    return names


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web1.example.com", "host-1"),
        ("ssh: connect to host WEB1.example.COM port 22", "ssh: connect to host host-1 port 22"),
        ("/var/log/web1_access.log", "/var/log/host-1_access.log"),
        ("web1,db", "host-1,host-2"),
        ("web10 web", "web10 web"),
        ("10.0.0.7:22", "host-1:22"),
        ("110.0.0.7", "110.0.0.7"),
        ("the-db-host", "the-host-2-host"),
        ("Straße web1", "strasse host-1"),
        ("nothing", "nothing"),
    ],
)
def test_names(text: str, shown: str) -> None:
    facts = {"ansible_facts": {"ansible_hostname": "web1", "ansible_fqdn": "localhost"}}
    names = names_of(result("web1.example.com", remote_addr="10.0.0.7", res=facts), result("db"))
    assert names.hide()(text) == shown


def test_a_run_without_hosts_has_nothing_to_hide() -> None:
    assert names_of(START).hide() is show_all


HOSTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12),
    min_size=1,
    max_size=12,
)


@given(HOSTS, st.data())
def test_no_name_is_left(hosts: list[str], data: st.DataObject) -> None:
    """Whatever the hosts are called: a name that no letter or digit precedes or follows is not in the text."""
    events = [result(host) for host in hosts]
    hide = names_of(*events).hide()
    words = data.draw(st.lists(st.sampled_from([*hosts, " ", "-", "x y", "\n"]), max_size=12))
    shown = hide(" ".join(words)).casefold()
    for host in hosts:
        name = host.casefold()
        if re.fullmatch(r"host|-|\d+|host-\d+|-\d+|host-", name) or not name.strip():
            continue  # it is part of what is shown in place of names
        assert not re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", shown)


def test_a_page_without_names() -> None:
    events = [
        START,
        result("web1", "Ask web2", "failed", res={"msg": "web1: no", "web2": {"at": ["http://web2/x"]}}),
        result("web2", "Ask web1", res={"changed": True, "diff": {"before": "web1\n", "after": "web2\n"}}),
        stats(ok={"web2": 1, "web3": 1}, failures={"web1": 1}),
    ]
    page = page_of(events, report=PageReport(names_of(*events).hide()))
    assert page.head["hosts"] == ["host-1", "host-2", "host-3"]
    assert page.head["tasks"][0][0] == "Ask host-2"
    assert "web" not in str(page.head).replace("Web", "") + str(page.blocks)
    assert page.head["explanation"] == "host-1 failed at task 'Start': no"
    assert any("replaced" in note for note in page.head["notes"])


def test_paths_of_a_directory_that_everybody_has() -> None:
    paths = Paths("/")
    paths.start("/", {"HOME": "/tmp"})
    assert paths.hide("/tmp/x /etc/y") == "/tmp/x /etc/y"


def test_names_that_begin_with_one_another() -> None:
    names = names_of(*({"event": "runner_on_ok", "event_data": {"host": "a" * size}} for size in range(1, 2000)))
    assert names.hide()(f"{'a' * 1500} {'a' * 2000} aaa") == f"host-1500 {'a' * 2000} host-3"
