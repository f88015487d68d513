"""What a build adds to pyproject.toml: completion scripts and man pages, made from the parsers."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup  # before distutils, which it provides
from setuptools.command.build_py import build_py

from distutils.command.install_data import install_data  # isort: skip

SOURCE = Path(__file__).parent / "src"
SCRIPTS = Path("playstream", "cli", "completions")
PAGES = "share/man/man1"

sys.path.insert(0, str(SOURCE))


class BuildScripts(build_py):
    """Also makes the completion scripts; for an editable installation in src, where git ignores them."""

    def run(self) -> None:
        super().run()
        from playstream.cli.documents import write_completions  # noqa: PLC0415 - an sdist needs no dependencies

        write_completions((SOURCE if self.editable_mode else Path(self.build_lib)) / SCRIPTS)
        # An editable installation asks for has_data, which no distribution has, before it installs data files.
        self.distribution.has_data = self.distribution.has_data_files


class InstallPages(install_data):
    """Makes and installs the man pages."""

    def run(self) -> None:
        from playstream.cli.documents import write_man_pages  # noqa: PLC0415 - as above

        self.data_files = [(PAGES, [str(path) for path in write_man_pages(Path("build", "man"))])]
        super().run()


setup(cmdclass={"build_py": BuildScripts, "install_data": InstallPages}, data_files=[(PAGES, [])])
