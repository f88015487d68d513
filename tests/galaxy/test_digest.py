"""Which files name requirements, and what on this host the digest covers."""

from __future__ import annotations

from pathlib import Path

import pytest

from playstream.galaxy.digest import digest_requirements
from playstream.galaxy.requirements import find_requirements
from playstream.pipeline.errors import ConfigurationError
from tests.galaxy.material import commit_role, git


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    return project


def digest(project: Path, env: dict[str, str] | None = None, version: str = "2.19.1") -> str:
    return digest_requirements(find_requirements(project), project, version, env or {})


def test_the_places(project: Path) -> None:
    for directory in ("collections", "roles"):
        (project / directory).mkdir()
    (project / "requirements.yaml").write_text("collections: [a.b]\nroles: [x.y]\n")
    (project / "collections" / "requirements.yml").write_text("collections:\n- {name: c.d, version: '>=1'}\n")
    (project / "collections" / "requirements.yaml").write_text("collections: [not.this]\n")
    (project / "roles" / "requirements.yml").write_text("- x.z\n- src: https://example.invalid/r.tar.gz\n")
    found = find_requirements(project)
    assert [(item.name, item.versions, len(item.roles)) for item in found] == [
        ("requirements.yaml", {"a.b": "*"}, 1),
        ("collections/requirements.yml", {"c.d": ">=1"}, 0),
        ("roles/requirements.yml", {}, 2),
    ]


@pytest.mark.parametrize("text", ["a: [", "{a: 1, b", "\t"])
def test_what_is_no_yaml(project: Path, text: str) -> None:
    (project / "requirements.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"requirements\.yml: not valid YAML"):
        find_requirements(project)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"ANSIBLE_GALAXY_SERVER_LIST": "hub"}),
        ({}, {"ANSIBLE_GALAXY_DISABLE_GPG_VERIFY": "1"}),
        ({"ANSIBLE_GALAXY_IGNORE": "0"}, {"ANSIBLE_GALAXY_IGNORE": "1"}),
    ],
)
def test_variables_that_count(project: Path, before: dict[str, str], after: dict[str, str]) -> None:
    (project / "requirements.yml").write_text("collections: [a.b]\n")
    assert digest(project, before) != digest(project, after)


@pytest.mark.parametrize("name", ["HUB_TOKEN", "HUB_PASSWORD", "HUB_USERNAME", "HUB_CLIENT_SECRET"])
def test_variables_that_do_not(project: Path, name: str) -> None:
    (project / "requirements.yml").write_text("collections: [a.b]\n")
    name = f"ANSIBLE_GALAXY_SERVER_{name}"
    assert digest(project, {name: "one"}) == digest(project, {name: "two"}) == digest(project, {"OTHER": "x"})


def test_the_version_counts(project: Path) -> None:
    (project / "requirements.yml").write_text("collections: [a.b]\n")
    assert digest(project) != digest(project, version="2.19.2")


def test_a_password_in_a_url_does_not_count(project: Path) -> None:
    seen = set()
    for user in ("me:sesame@", "me:other@", "token@", ""):
        (project / "requirements.yml").write_text(f"roles: ['git+https://{user}host.invalid/r.git']\n")
        seen.add(digest(project))
    assert len(seen) == 1
    (project / "requirements.yml").write_text("roles: ['git+https://host.invalid/r.git,v2']\n")
    assert digest(project) not in seen


@pytest.mark.parametrize(
    "item",
    [
        "collections: [../local/thing]",
        "collections: [{name: ../local/thing}]",
        "collections: [{name: a.b, source: ../local/thing, type: dir}]",
        "collections: [{source: ../local, type: subdirs}]",
        "roles: [../local/thing/file]",
        "roles: [{src: ../local/thing/file, name: x}]",
        "roles: ['file://{tmp}/local/thing/file']",
        "roles: [{src: 'file://{tmp}/local/thing/file'}]",
        "- {include: ../local/more.yml}",
        "roles: [{include: ../local/more.yml}]",
    ],
)
def test_local_files_count(project: Path, tmp_path: Path, item: str) -> None:
    local = tmp_path / "local"
    (local / "thing").mkdir(parents=True)
    (local / "thing" / "file").write_text("one")
    (local / "more.yml").write_text("- src: ../local/thing/file\n")
    (project / "requirements.yml").write_text(item.replace("{tmp}", str(tmp_path)) + "\n")
    first = digest(project)
    assert digest(project) == first
    (local / "thing" / "file").write_text("two")
    assert digest(project) != first


@pytest.mark.parametrize(
    "item",
    [
        "roles: [{src: '{url}', scm: git}]",
        "roles: ['git+{url},main,name']",
        "collections: [{name: '{url}', type: git, version: main}]",
        "collections: ['git+{url}#/below/,main']",
    ],
)
@pytest.mark.parametrize("bare", [False, True])
def test_local_repositories_count(project: Path, tmp_path: Path, item: str, bare: bool) -> None:
    url = commit_role(tmp_path / "role", "one")
    if bare:
        git(tmp_path, "clone", "--quiet", "--bare", "role", "bare.git")
        url = f"file://{tmp_path}/bare.git"
    (project / "requirements.yml").write_text(item.replace("{url}", url) + "\n")
    first = digest(project)
    assert digest(project) == first
    commit_role(tmp_path / "role", "two")
    if bare:
        git(tmp_path / "role", "push", "--quiet", str(tmp_path / "bare.git"), "main")
    assert digest(project) != first


@pytest.mark.parametrize("item", ["collections: [1, null, [x], {name: 2}]", "roles: [1, null, {src: [x]}]", "[7]"])
def test_items_that_ansible_galaxy_will_refuse(project: Path, item: str) -> None:
    (project / "requirements.yml").write_text(item + "\n")
    assert digest(project)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("collections: {name: a.b}\n", "collections: expected a list, as in `- name: NAME`, got a mapping"),
        ("roles: greet\n", "roles: expected a list, as in `- name: NAME`, got 'greet'"),
        ("7\n", "roles: expected a list, as in `- name: NAME`, got 7"),
        ("roles: [\n", "not valid YAML: .* in line 2"),
    ],
)
def test_a_file_of_another_form(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "requirements.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        find_requirements(tmp_path)
