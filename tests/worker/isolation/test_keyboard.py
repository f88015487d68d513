"""Keys that a user types go to a job in a container, which has a terminal of its own."""

from __future__ import annotations

from pathlib import Path

from tests.cli.typist import Typist
from tests.stages import PLAYSTREAM, Stages
from tests.worker.isolation.image import IMAGE

SITE = """\
- hosts: localhost
  gather_facts: false
  vars_prompt:
    - {name: who, prompt: Your name, private: false}
    - {name: word, prompt: Your word}
  tasks:
    - name: answers
      ansible.builtin.debug:
        msg: "{{ who }} has {{ word | length }}"
    - name: value
      ansible.builtin.pause: {prompt: A value}
      register: value
    - ansible.builtin.debug:
        msg: "value {{ value.user_input }}."
"""


def test_questions_are_answered(stages: Stages, podman_storage: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "demo" / "project"
    project.mkdir(parents=True)
    (project / "site.yml").write_text(SITE)
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
        assert user.end() == 0
        shown = "\n".join(user.lines)
        assert "Ada has 11" in shown
        assert "value 42." in shown
        assert "xyzzy" not in shown
        assert [shown.count(text) for text in ("Your name: Ada", "Your word:", "A value:")] == [1, 1, 1]
        user.wait_for_restored()
    finally:
        user.close()
    assert "xyzzy" not in (tmp_path / "demo" / "artifacts" / "asked" / "stdout").read_text()
