"""The libraries that are in the page: python -m tests.report.page.vendor gets them from npm again.

VENDOR says where each file comes from. virtual-core is published as modules that import each other, so esbuild puts
them into one script.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.matrix.debian import ROOT

PLACE = ROOT / "src" / "playstream" / "report" / "page" / "vendor"
TABLE = PLACE / "VENDOR"
_PACKAGES = {"uplot": "1", "@tanstack/virtual-core": "3", "esbuild": "0.28"}
"""The packages, and the versions that are taken: the newest that begin so."""
_HEAD = "Libraries in the page of a report, from npm. `make vendor` writes this file and those that it lists.\n\n"


class File(NamedTuple):
    """A file, and where it comes from."""

    name: str
    package: str
    version: str
    licence: str
    sha256: str


def listed() -> Iterator[File]:
    """The files that VENDOR lists."""
    for line in TABLE.read_text(encoding="utf-8").split("\n\n", 1)[1].splitlines()[1:]:
        yield File(*line.split())


def digest_of(name: str) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256((PLACE / name).read_bytes()).hexdigest()


def refresh() -> None:
    """Get the newest versions, and write the files and the table."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        words = [f"{name}@{version}" for name, version in _PACKAGES.items()]
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", directory, *words], check=True)
        modules = root / "node_modules"
        uplot, virtual = modules / "uplot", modules / "@tanstack" / "virtual-core"
        shutil.copy(uplot / "dist" / "uPlot.iife.min.js", PLACE)
        shutil.copy(uplot / "dist" / "uPlot.min.css", PLACE)
        shutil.copy(uplot / "LICENSE", PLACE / "uPlot.LICENSE")
        shutil.copy(virtual / "LICENSE", PLACE / "virtual-core.LICENSE")
        options = ["--bundle", "--minify", "--format=iife", "--global-name=VirtualCore", "--target=es2022"]
        source = virtual / "dist" / "esm" / "index.js"
        target = PLACE / "virtual-core.js"
        subprocess.run(
            [modules / ".bin" / "esbuild", source, *options, "--legal-comments=none", f"--outfile={target}"], check=True
        )
        names = {
            uplot: ["uPlot.LICENSE", "uPlot.iife.min.js", "uPlot.min.css"],
            virtual: ["virtual-core.LICENSE", "virtual-core.js"],
        }
        rows = [
            File(name, about["name"], about["version"], about["license"], digest_of(name))
            for package, files in names.items()
            for about in [json.loads((package / "package.json").read_text(encoding="utf-8"))]
            for name in files
        ]
    lines = [File("FILE", "PACKAGE", "VERSION", "LICENCE", "SHA256"), *rows]
    text = "".join(
        f"{row.name:20}  {row.package:22}  {row.version:8}  {row.licence:7}  {row.sha256}\n" for row in lines
    )
    TABLE.write_text(_HEAD + text, encoding="utf-8")


if __name__ == "__main__":
    refresh()
