"""Checks everything that has to hold before a release, to the end, and prints a line for each part.

    python -m tests.release [--extras TESTS] [--measured TESTS] -- TESTS …

TESTS are pytest's words: the tests that have to pass with the lowest and the newest dependencies. The exit status is 1
when a part failed. What was checked lies in dist/ then.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.matrix.debian import ROOT, Unprepared
from tests.release import changelog, covered, dependencies, distributions, environments, readme

Part = Callable[[], list[str]]
"""One thing to check; it returns what is wrong."""


def main() -> int:
    """Check the parts in turn; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description="Check what is to be released.")
    parser.add_argument(
        "--extras",
        metavar="TESTS",
        default="",
        help="tests of what the extras install, which have to pass with the lowest dependencies too",
    )
    parser.add_argument("--measured", metavar="TESTS", help="what coverage is measured with, in place of TESTS")
    parser.add_argument("tests", nargs="+", metavar="TESTS", help="the tests that have to pass")
    options = parser.parse_args()
    measured = shlex.split(options.measured) if options.measured else options.tests
    try:
        sdist, wheel = distributions.build()
    except Unprepared as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="release-") as directory:
        place = Path(directory)
        parts: dict[str, Part] = {
            "contents and metadata": lambda: distributions.check(sdist, wheel),
            "changelog": lambda: changelog.problems(wheel.name.split("-")[1]),
            "the demo, from the sdist": lambda: environments.demo_problems(sdist, place / "sdist"),
            "the demo, from the wheel": lambda: environments.demo_problems(wheel, place / "wheel"),
            "README.md, after installation": lambda: readme.problems_after_installing(wheel, place / "readme"),
            "lowest dependencies": lambda: _tests(
                dependencies.lowest(place / "lowest", wheel), options.tests, shlex.split(options.extras)
            ),
            "newest dependencies": lambda: _tests(dependencies.newest(place / "newest", wheel), options.tests),
            "coverage": lambda: _measure(place / "newest" / "bin" / "python", measured),
        }
        verdicts = {name: _verdict(name, part) for name, part in parts.items()}
    for name, passed in verdicts.items():
        print(f"{name}: {'passed' if passed else 'FAILED, see above'}")
    for point in distributions.open_points(wheel):
        print(f"open: {point}")
    return 0 if all(verdicts.values()) else 1


def _verdict(name: str, part: Part) -> bool:
    """Check one part and print what is wrong; true if nothing is."""
    print(f"== {name}", flush=True)
    try:
        problems = part()
    except Unprepared as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, flush=True)
    return not problems


def _tests(python: Path, *runs: Sequence[str]) -> list[str]:
    statuses = [dependencies.run_tests(python, words) for words in runs if words]
    return [f"pytest's exit status is {status}" for status in statuses if status]


def _measure(python: Path, words: Sequence[str]) -> list[str]:
    print("What fails here and passed above fails because it is measured, and does not count.", flush=True)
    share = covered.measure(python, words)
    print(f"{share} of src ran; the lines that did not are in {covered.UNCOVERED.relative_to(ROOT)}")
    return []


if __name__ == "__main__":
    sys.exit(main())
