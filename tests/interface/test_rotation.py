"""Old artifacts are rotated out while other runs do the same: what vanishes is passed over, and no run notices."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import playstream
from playstream.cli.active_runs import noted
from playstream.interface.rotation import rotate
from playstream.pipeline.job.fact_cache import simplify_fact_cache
from playstream.worker.directories import is_locked_below
from tests.interface.programs import fake

ROUNDS = 100
CHURN = """
import os, sys
base = sys.argv[1]
names = [os.path.join(base, f"churn{number}") for number in range(20)]
for name in names:
    os.makedirs(os.path.join(name, "job_events"))
print("ready", flush=True)
while True:
    for name in names:
        os.rename(name, base + "-away")
        os.rename(base + "-away", name)
"""
CHURN_BASE = """
import os, sys
base = sys.argv[1]
os.makedirs(base)
print("ready", flush=True)
while True:
    os.rename(base, base + "-away")
    os.rename(base + "-away", base)
"""
CHURN_FACTS = """
import os, sys
base = sys.argv[1]
os.makedirs(base)
print("ready", flush=True)
while True:
    for number in range(20):
        with open(os.path.join(base, f"s1_host{number}"), "w") as file:
            file.write('{"__payload__": "{}"}')
    for name in os.listdir(base):
        try:
            os.unlink(os.path.join(base, name))
        except FileNotFoundError:
            pass
"""


@contextmanager
def churning(program: str, base: Path) -> Iterator[None]:
    """While the context lasts, another process lets things at `base` vanish and come again."""
    process = subprocess.Popen([sys.executable, "-c", program, str(base)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        process.communicate()


def test_what_vanishes_is_passed_over(tmp_path: Path) -> None:
    with churning(CHURN, tmp_path / "artifacts"):
        for _ in range(ROUNDS):
            assert rotate(tmp_path / "artifacts", 1000) == []


def test_the_directory_of_all_may_vanish(tmp_path: Path) -> None:
    base = tmp_path / "artifacts"
    with churning(CHURN_BASE, base):
        for number in range(ROUNDS):
            rotate(base, 1)
            is_locked_below(tmp_path)
            with noted([tmp_path / "notes"], str(number)):
                pass


def test_notes_of_runs_may_vanish(tmp_path: Path) -> None:
    """A run that ends looks at the notes of others, which another that ends removes."""
    (tmp_path / "artifacts").mkdir()
    with churning(CHURN_BASE, tmp_path / "artifacts" / ".running"):
        for number in range(ROUNDS):
            with noted([tmp_path / "artifacts"], str(number)):
                pass
            is_locked_below(tmp_path)


def test_facts_may_vanish(tmp_path: Path) -> None:
    """What a job has left running removes them behind its back."""
    with churning(CHURN_FACTS, tmp_path / "facts"):
        for _ in range(ROUNDS):
            simplify_fact_cache(tmp_path / "facts")


def test_nothing_to_rotate(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert rotate(tmp_path / "file", 1) == []
    assert rotate(tmp_path / "missing", 1) == []


def test_runs_that_rotate_one_another_out(demo: Path, tmp_path: Path) -> None:
    """Each keeps its status, and each of its handlers is called."""
    options: dict[str, Any] = {
        "private_data_dir": demo,
        "playbook": "site.yml",
        "quiet": True,
        "binary": fake(tmp_path, "true"),
        "rotate_artifacts": 1,
    }
    ended: list[tuple[str, str, int | None]] = []
    told: list[str] = []

    def run_some(name: str) -> None:
        for number in range(6):
            runner = playstream.run(
                ident=f"{name}{number}",
                artifacts_handler=lambda path: told.append(Path(path).name),
                finished_callback=lambda done: told.append(done.config.ident),
                **options,
            )
            ended.append((runner.config.ident, runner.status, runner.rc))

    threads = [Thread(target=run_some, args=(name,)) for name in "abc"]
    with churning(CHURN, demo / "artifacts"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    idents = [f"{name}{number}" for name in "abc" for number in range(6)]
    assert sorted(ended) == [(ident, "successful", 0) for ident in idents]
    assert sorted(told) == sorted(idents * 2)
