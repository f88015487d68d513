"""docs/links.md and docs/cache.md: what they show works as it is written, on a host that is reached by ssh."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from playstream.links import find_link
from tests.galaxy.material import commit_role
from tests.matrix.debian import ROOT
from tests.release import readme

TEXT = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")


BARE = re.search(r"^## Bare servers\n(?:.*\n)*?(?=## )", TEXT, re.MULTILINE)
"""A section that is tested alone: what it sends takes long."""


def blocks() -> tuple[list[str], list[str]]:
    """Return the commands of the page, but those of the section on bare servers, and its links alone."""
    assert BARE is not None
    lines = re.findall(r"^    (\S.*)", TEXT.replace(BARE[0], ""), re.MULTILINE)
    commands = [line for line in lines if line.startswith(("playstream ", "export "))]
    links = [line for line in lines if line.startswith("exec:")]
    shown = [line for line in lines if line not in (*commands, *links)]
    asked = [["(ssh://host)", "Your"]] * 2
    assert [line.split()[:2] for line in shown] == [*asked, ["LINK", "OK"], ["ssh://host", "yes"]]
    return commands, links


def make_place(tmp_path: Path) -> Path:
    """Make a directory with the example that the pages use, as a new clone has it."""
    place = tmp_path / "place"
    place.mkdir()
    shutil.copytree(ROOT / "examples" / "demo", place / "demo", ignore=lambda *_: {"artifacts"})
    return place


def run_beside_a_host(
    commands: Sequence[str], tmp_path: Path, place: Path, installed: Path
) -> subprocess.CompletedProcess[str]:
    """Run commands of a page in a directory; `host` is reached by ssh."""
    with readme.a_host(tmp_path / "host") as ssh:
        path = f"{ssh}:{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"
        return readme.run("\n".join(commands), cwd=place, installed=installed, path=path)


@pytest.mark.timeout(400)  # six runs of Ansible
def test_the_commands(tmp_path: Path) -> None:
    installed = tmp_path / "opt"
    installed.symlink_to(sys.prefix)
    python = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    commands = [*blocks()[0], *(f"python - <<'END'\n{block}END" for block in python)]
    place = make_place(tmp_path)
    role = commit_role(tmp_path / "role", "hello")
    (place / "demo" / "project" / "requirements.yml").write_text(f"roles: ['git+{role},main,greet']\n")
    done = run_beside_a_host(commands, tmp_path, place, installed)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PLAY RECAP") == 3, done.stdout
    assert "successful 0" in done.stdout
    assert "started nightly" in done.stdout
    assert re.search(r"^ssh://host +yes ", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.timeout(400)  # and wheels from pip's index
def test_the_commands_for_bare_servers(tmp_path: Path) -> None:
    assert BARE is not None
    commands = re.findall(r"^    (\S.*)", BARE[0], re.MULTILINE)
    place = make_place(tmp_path)
    done = run_beside_a_host(commands, tmp_path, place, tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PLAY RECAP") == 1, done.stdout
    assert re.search(r"^ssh://host +yes ", done.stdout, re.MULTILINE), done.stdout
    assert done.stdout.count("ssh://host: removed ") == 1
    assert done.stdout.count("ssh://host: ready: playstream ") == 2


@pytest.mark.timeout(400)
def test_the_commands_of_the_cache(tmp_path: Path) -> None:
    installed = tmp_path / "opt"
    installed.symlink_to(sys.prefix)
    text = (ROOT / "docs" / "cache.md").read_text(encoding="utf-8").replace("/run/playstream/", f"{tmp_path}/")
    over_ssh, listen, run, pipe, *others = re.findall(r"^    (playstream .*(?:(?<=\|)\n.*)*)", text, re.MULTILINE)
    assert "worker --listen" in listen
    wait = "until grep -q ' listening ' listener; do kill -0 $!; sleep 0.1; done"
    tree = 'grep -o \'"tree": "[a-z0-9]*:\' demo/artifacts/command'
    script = [f"{listen} 2>listener & trap 'kill %1; wait' EXIT", wait, over_ssh, run, pipe, pipe, tree, *others]
    place = make_place(tmp_path)
    done = run_beside_a_host(script, tmp_path, place, installed)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PLAY RECAP") == 4, done.stdout
    assert '"tree": "blake' in done.stdout
    assert "playstream/trees" in done.stdout
    assert "0 B left" in done.stdout


def test_the_links() -> None:
    """They can be understood; the programs need not be here."""
    links = blocks()[1]
    assert len(links) == 3
    for link in links:
        program = link.removeprefix("exec:").split()[0]
        assert find_link(link.replace(program, "sh", 1)) is not None
