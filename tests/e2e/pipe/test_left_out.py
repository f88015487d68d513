"""A pattern that leaves out what the job names is found before a byte is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.stages import Stages


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    demo = private_data_dir({"site.yml": "[]\n", "linked.yml": "[]\n"})
    (demo / "project" / "link.yml").symlink_to("linked.yml")
    (demo / "roles" / "greet" / "tasks").mkdir(parents=True)
    (demo / "more").mkdir()
    (demo / "artifacts").mkdir()
    (demo / "artifacts" / "old.yml").write_text("[]\n")
    return demo


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
@pytest.mark.parametrize(
    ("words", "pattern", "expected"),
    [
        (("-p", "site.yml"), "site.yml", "playbook 'project/site.yml' would not reach the worker: excluded by {}"),
        (("-p", "site.yml"), "/project/", "playbook 'project/site.yml' would not reach the worker: excluded by {}"),
        (("-p", "link.yml"), "linked.yml", "playbook 'project/link.yml' would not reach the worker: excluded by {}"),
        (("-p", "site.yml", "--inventory", "inventory/hosts"), "hosts", "inventory 'inventory/hosts' would not reach"),
        (("-r", "greet", "--hosts", "all"), "roles/", "role 'roles/greet' would not reach the worker: excluded by {}"),
        (("-p", "site.yml", "--roles-path", "more"), "more", "--roles-path 'more' would not reach the worker"),
        (
            ("-p", "site.yml", "--cmdline", "--diff -e @linked.yml"),
            "linked.yml",
            "extra variables 'project/linked.yml'",
        ),
        (
            ("-p", "site.yml", "--cmdline", "-i../inventory/hosts"),
            "hosts",
            "inventory 'inventory/hosts' would not reach",
        ),
        (
            ("-m", "ping", "--cmdline", "--vault-id=dev@linked.yml"),
            "linked*",
            "vault password 'project/linked.yml' would",
        ),
        (("-p", "old.yml", "--project-dir", "artifacts"), "x", "artifacts/ is never sent"),
    ],
)
def test_it_is_refused(
    stages: Stages, demo: Path, words: tuple[str, ...], pattern: str, expected: str, dialect: str
) -> None:
    done = stages.call("transmit", demo, *words, "--exclude", pattern, "--dialect", dialect)
    assert (done.returncode, done.stdout) == (1, b"")
    assert expected.format(f"--exclude {pattern!r}") in done.stderr.decode()
    (demo / ".playstreamignore").write_text(f"# a comment\n{pattern}\n")
    done = stages.call("transmit", demo, *words, "--dialect", dialect)
    assert (done.returncode, done.stdout) == (1, b"")
    assert expected.format(f"{demo}/.playstreamignore, line 2: {pattern!r}") in done.stderr.decode()


@pytest.mark.parametrize(
    "words",
    [
        ("-p", "site.yml", "--exclude", "*.yml", "--exclude", "!site.yml"),
        ("-p", "site.yml", "--exclude", "roles/"),
        ("-m", "ping", "--exclude", "/project/"),
        ("-p", "site.yml", "--exclude", "linked.yml", "--cmdline", "-e linked.yml=1 -i linked.yml,"),
    ],
)
def test_what_is_not_named_may_be_left_out(stages: Stages, demo: Path, words: tuple[str, ...]) -> None:
    assert stages.call("transmit", demo, *words).returncode == 0


def test_a_playbook_that_the_file_args_names(stages: Stages, demo: Path) -> None:
    (demo / "args").write_text("ansible-playbook -i ../inventory/hosts --diff site.yml\n")
    for left_out, expected in (("site.yml", "playbook 'project/site.yml'"), ("hosts", "inventory 'inventory/hosts'")):
        done = stages.call("transmit", demo, "--exclude", left_out)
        assert (done.returncode, done.stdout) == (1, b"")
        assert f"{expected} would not reach the worker: excluded by --exclude" in done.stderr.decode()
    assert stages.call("transmit", demo, "--exclude", "linked.yml").returncode == 0
