"""A private data directory with requirements on local paths, and a cache of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.galaxy.material import REQUIREMENTS, SITE, build_collection, commit_role


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the cache; Ansible has a directory of the test's own too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    return tmp_path / "cache" / "playstream" / "galaxy"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tarball of mine.tools 1.0.0."""
    place = tmp_path_factory.mktemp("built")
    return build_collection(place / "source", place, "1.0.0")


@pytest.fixture
def material(tmp_path: Path, built: Path) -> Path:
    """A directory with the tarball and the repository of a role, both of which a test may change."""
    place = tmp_path / "material"
    place.mkdir()
    (place / "mine-tools.tar.gz").write_bytes(built.read_bytes())
    commit_role(place / "role", "hello")
    return place


@pytest.fixture
def directory(private_data_dir: MakeDir, material: Path) -> Path:
    """A private data directory whose playbook needs the collection and the role."""
    found = private_data_dir({"site.yml": SITE})
    text = REQUIREMENTS.format(tarball=material / "mine-tools.tar.gz", role=f"file://{material / 'role'}")
    (found / "project" / "requirements.yml").write_text(text)
    return found
