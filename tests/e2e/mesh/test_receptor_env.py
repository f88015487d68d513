"""Where receptor is fetched from: the machine's own sources of Debian, with another release's name."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.mesh.receptor_env import sources_of_release

PARAGRAPHS = """\
Types: deb deb-src
# A mirror.
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://other.example/debian
Suites: bookworm
Components: main
"""
LINES = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb http://other.example/packages bookworm stable
"""


def test_both_forms(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(LINES)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(PARAGRAPHS)
    (tmp_path / "sources.list.d" / "other.list").write_text("deb http://other.example/ nodistro main\n")
    (tmp_path / "sources.list.d" / "other.list.disabled").write_text(LINES)
    assert sources_of_release(tmp_path, "bookworm") == {
        "sources.list": "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian trixie main\n",
        "debian.sources": "Types: deb\n# A mirror.\nURIs: http://mirror.example/debian\nSuites: trixie\n"
        "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
    }


def test_none(tmp_path: Path) -> None:
    assert sources_of_release(tmp_path, "bookworm") == {}
