"""Keys that a user types go to a job in a container, which has a terminal of its own."""

from __future__ import annotations

from pathlib import Path

from tests.cli.typist import QUESTIONS, Typist, check_answers
from tests.stages import PLAYSTREAM, Stages
from tests.worker.isolation.image import IMAGE


def test_questions_are_answered(stages: Stages, podman_storage: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "demo" / "project"
    project.mkdir(parents=True)
    (project / "site.yml").write_text(QUESTIONS)
    words = ["run", str(tmp_path / "demo"), "-p", "site.yml", "-i", "asked"]
    words += ["--process-isolation", "--container-image", IMAGE, "--container-option=--network=none"]
    user = Typist([*PLAYSTREAM, *words], {**stages.env, **podman_storage, "TERM": "xterm-256color"})
    try:
        user.wait_for("Your name: ")
        user.wait_for_keys()
        user.type("Ada\r")
        user.wait_for("Your word: ")
        user.wait_for_keys()
        user.type("xyzzy-plugh\r")
        user.wait_for("A value:")
        user.wait_for_keys()
        user.type("42\r")
        check_answers(user)
    finally:
        user.close()
    assert "xyzzy" not in (tmp_path / "demo" / "artifacts" / "asked" / "stdout").read_text()
