"""Running the examples of the documents this project was created from."""

from __future__ import annotations

import contextlib
import io
import textwrap
from pathlib import Path

import playstream

EXAMPLE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Tagged
      tags: my_tag
      command: echo "{{ app_version | default('none') }} {{ rollback | default(true) }}"
    - name: Ignored
      command: 'false'
      ignore_errors: true
"""


def run_example(text: str, directory: Path, **names: object) -> str:
    """Run an example; returns what it printed, without Ansible's own output."""
    text = textwrap.dedent(text)
    for path in ("/tmp/demo", "/path/to/project", '"project"'):
        text = text.replace(path, repr(str(directory)) if path.startswith('"') else str(directory))
    printed: list[str] = []
    shown = io.StringIO()

    def note(*words: object) -> None:
        printed.append(" ".join(map(str, words)))

    with contextlib.redirect_stdout(shown):
        exec(compile(text, "example", "exec"), {"ansible_runner": playstream, "print": note, **names})  # noqa: S102
    return "\n".join(printed)
