"""What a build adds to pyproject.toml: completion scripts and man pages, made from the parsers."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SOURCE = Path(__file__).parent / "src"
SCRIPTS = Path("playstream", "cli", "completions")


class BuildDocuments(build_py):
    """Also makes what is made from the parsers; for an editable installation, scripts that git ignores in src."""

    def run(self) -> None:
        super().run()
        sys.path.insert(0, str(SOURCE))
        from playstream.cli.documents import write_completions, write_man_pages  # noqa: PLC0415 - it is there now

        write_completions((SOURCE if self.editable_mode else Path(self.build_lib)) / SCRIPTS)
        pages = write_man_pages(Path("build", "man"))
        self.distribution.data_files = [("share/man/man1", [str(path) for path in pages])]


setup(cmdclass={"build_py": BuildDocuments})
