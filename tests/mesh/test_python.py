"""`playstream.mesh`: jobs of a mesh from Python."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from playstream import mesh
from playstream.pipeline.errors import ConfigurationError
from tests.conftest import MakeDir
from tests.matrix.debian import ROOT
from tests.mesh.nodes import World
from tests.processes import wait_until

PAGE = (ROOT / "docs" / "mesh.md").read_text(encoding="utf-8")
EXAMPLES = [
    textwrap.dedent(block)
    for block in re.findall(r"\n\n((?:(?: {4}[^\n]*)?\n)+)", PAGE)
    if "from playstream import mesh" in block
]


@pytest.fixture
def as_ann(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("PLAYSTREAM_MESH", str(world.mesh.path("ann")))
    return world


def submit(directory: Path, **options: Any) -> str:
    return mesh.submit(private_data_dir=directory, playbook="site.yml", on="nats:///web", **options)


def test_the_examples_of_the_page(world: World, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "demo", ignore=lambda *_: {"artifacts"})
    world.node("node1")
    env = {**world.stages.env, "PLAYSTREAM_MESH": str(world.mesh.path("ann"))}
    assert len(EXAMPLES) == 2
    for example in EXAMPLES:
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "successful 0" in done.stdout


def test_a_job_is_submitted_listed_and_followed(as_ann: World, directory: Path, tmp_path: Path) -> None:
    job = submit(directory)
    (listed,) = mesh.jobs()
    assert (listed.job, listed.state, listed.outcome) == (job, "queued", None)
    as_ann.node("node1")
    events: list[int] = []

    def note(event: dict[str, Any]) -> bool:
        events.append(event["counter"])
        return True

    runner = mesh.attach(
        job,
        private_data_dir=tmp_path / "here",
        from_event=3,
        quiet=True,
        event_handler=note,
    )
    assert (runner.status, runner.rc) == ("successful", 0)
    assert runner.config.artifact_dir == str(tmp_path / "here" / "artifacts" / job)
    kept = [event["counter"] for event in runner.events]
    assert kept == list(range(1, len(kept) + 1))
    assert events == kept[2:]
    assert mesh.jobs(identity=as_ann.mesh.path("admin"))[0].outcome == "successful"
    assert not mesh.cancel(job)


def test_a_job_is_canceled(as_ann: World, directory: Path) -> None:
    assert mesh.cancel(submit(directory))
    assert [(job.state, job.outcome) for job in mesh.jobs()] == [("ended", "canceled")]


def test_a_job_is_followed_with_asyncio_and_goes_on_when_nobody_does(
    as_ann: World, hanging: Path, tmp_path: Path
) -> None:
    as_ann.node("node1")

    async def follow() -> None:
        job = await mesh.asubmit(private_data_dir=hanging, playbook="hang.yml", on="nats:///web")
        async with mesh.stream(job) as events:
            async for event in events:
                assert event["counter"] == 1
                break
        assert events.runner is not None
        assert events.runner.status == "running"
        assert "the job goes on" in str(events.runner.explanation)
        following = asyncio.create_task(mesh.aattach(job, private_data_dir=tmp_path / "here", quiet=True))
        shown = tmp_path / "here" / "artifacts" / job / "stdout"
        await asyncio.to_thread(wait_until, shown.exists, 60)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        assert [each.state for each in await mesh.ajobs()] == ["running"]
        assert len(mesh.jobs()) == 1  # from a thread in which a loop runs, as in a notebook
        assert await mesh.acancel(job)
        runner = await mesh.aattach(job, quiet=True)
        assert (runner.status, runner.exit_status) == ("canceled", 254)

    asyncio.run(asyncio.wait_for(follow(), 90))


def test_mistakes_are_explained(as_ann: World, directory: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^event_handler: concerns the results of a job .* pass it to attach"):
        submit(directory, event_handler=print)
    with pytest.raises(ConfigurationError, match="expected on='nats://HOST/GROUP'"):
        mesh.submit(private_data_dir=directory, playbook="site.yml")
    with pytest.raises(ConfigurationError, match="unexpected keyword argument 'playbok'; did you mean 'playbook'"):
        submit(directory, playbok="x")
    with pytest.raises(ConfigurationError, match=r"attach\(\) got an unexpected keyword argument 'playbook'"):
        mesh.attach("x", playbook="site.yml")  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="from_event: expected the counter of an event, 0 or more, got -1"):
        mesh.attach("x", from_event=-1)
    assert mesh.jobs() == []


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("nats", "jobs()"),
        ("nats", "cancel('x')"),
        ("nats", "attach('x')"),
        ("nats", "submit(**job)"),
        ("pyrage", "submit(**job)"),
    ],
)
def test_a_missing_library_is_explained(as_ann: World, private_data_dir: MakeDir, missing: str, call: str) -> None:
    made = private_data_dir({"site.yml": "[]\n"})
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from playstream import ConfigurationError, mesh\n"
        f"job = dict(private_data_dir={str(made)!r}, playbook='site.yml', on='nats:///web')\n"
        f"try:\n    mesh.{call}\nexcept ConfigurationError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=as_ann.stages.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be imported" in done.stdout
    assert "playstream[" in done.stdout
