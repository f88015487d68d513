"""Jobs that outlive their submitter, and those who attach to them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from playstream.cli.main import main
from playstream.mesh.chunks import WHOLE, WINDOW_BYTES
from playstream.mesh.client import MeshClient
from playstream.mesh.messages import Outcome
from tests.cli.questions import answer_questions
from tests.cli.typist import Typist
from tests.conftest import MakeDir
from tests.mesh.nodes import NodeProcess, World, outcomes, wait_for_text
from tests.processes import wait_until
from tests.stages import read_events

LINK_ERROR, SILENT, LOST, DETACHED = 74, 80, 91, 130


def only_job(world: World) -> str:
    """Return the name of the only job of the submitter."""

    async def read(client: MeshClient) -> list[str]:
        found = await client.administer("STREAM.INFO.LIST_ann", {"subjects_filter": ">"})
        return [subject.rpartition(".")[2] for subject in found["state"].get("subjects") or {}]

    names = world.as_operator(read)
    assert len(names) == 1
    return str(names[0])


def wait_for(process: subprocess.Popen[bytes], path: Path) -> None:
    """Wait for a file that a process makes."""
    wait_until(lambda: path.exists() or process.poll() is not None, 60)
    assert path.exists(), process.communicate()


def released(world: World, private_data_dir: MakeDir) -> tuple[Path, Path]:
    """Return a job that waits for a file, and that file."""
    made = private_data_dir(
        {
            "wait.yml": "- hosts: all\n  gather_facts: false\n  tasks:\n"
            "  - debug: {msg: begins}\n"
            "  - wait_for: {path: '{{ gate }}', timeout: 90, sleep: 1}\n"
            "  - debug: {msg: ends}\n"
        }
    )
    return made, made / "gate"


def test_a_job_outlives_its_submitter_and_loses_nothing(
    world: World, private_data_dir: MakeDir, tmp_path: Path
) -> None:
    made, gate = released(world, private_data_dir)
    node = world.node("node1")
    run = world.start(made, "wait.yml", "-e", f"gate={gate}", "-i", "one")
    wait_for_text(made, "begins")
    run.kill()
    job = only_job(world)
    attached = [world.attach(job, tmp_path / f"here{number}") for number in range(2)]
    for number, process in enumerate(attached):
        wait_for(process, tmp_path / f"here{number}/artifacts/{job}/stdout")
    gate.touch()
    shown = []
    for process in attached:
        status, stdout, stderr = world.finish(process)
        assert status == 0, stderr
        shown.append(stdout)
    assert shown[0] == shown[1]
    assert "begins" in shown[0]
    assert "ends" in shown[0]
    node.wait_for("ended", outcome="worker")
    first, second = (read_events(tmp_path / f"here{number}/artifacts/{job}") for number in range(2))
    assert first == second
    assert [event["counter"] for event in first] == list(range(1, len(first) + 1))
    status, stdout, _stderr = world.finish(world.attach(job, "--from", str(len(first) - 1)))
    assert status == 0
    assert "begins" not in stdout
    assert "PLAY RECAP" in stdout


def orphaned(world: World, hanging: Path, node: NodeProcess) -> str:
    """Start a job that never ends, and kill its submitter; return its name."""
    run = world.start(hanging, "hang.yml")
    wait_for_text(hanging, "waiting")
    node.wait_for("started")
    run.kill()
    return only_job(world)


def test_who_detaches_lets_the_job_go_on(world: World, hanging: Path, tmp_path: Path) -> None:
    node = world.node("node1")
    job = orphaned(world, hanging, node)
    attached = world.attach(job, tmp_path / "here")
    wait_for_text(tmp_path / "here", "waiting")
    attached.send_signal(signal.SIGINT)
    status, _stdout, stderr = world.finish(attached)
    assert status == DETACHED
    assert f"the job goes on. To follow it again: playstream mesh attach {job}" in stderr
    assert (tmp_path / f"here/artifacts/{job}/status").read_text() == "running"
    assert world.processes() != []
    assert world.ends() == []


def test_a_submitter_that_dies_before_the_job_is_whole_leaves_an_error(world: World, directory: Path) -> None:
    (directory / "project" / "large").write_bytes(os.urandom(WINDOW_BYTES * 2))
    run = world.start(directory, "site.yml")
    wait_until(lambda: world.queued() == 1)
    run.kill()
    attached = world.attach(only_job(world))
    node = world.node("node1")
    ended = node.wait_for("ended")
    assert "was gone for 30 seconds before all of the job had arrived" in ended["reason"]
    assert outcomes(world.ends()) == [Outcome.FAILED]
    status, _stdout, stderr = world.finish(attached)
    assert status == LINK_ERROR
    assert "was gone for 30 seconds before all of the job had arrived" in stderr
    assert world.queued() == 0


def test_a_job_outlives_a_submitter_that_dies_while_it_waits(world: World, directory: Path) -> None:
    run = world.start(directory, "site.yml")

    async def is_whole(client: MeshClient) -> bool:
        found = await client.administer("STREAM.INFO.IN_web", {"subjects_filter": ">"})
        messages = [
            await client.find("IN_web", subject, seconds=10) for subject in found["state"].get("subjects") or {}
        ]
        return any(message is not None and WHOLE in message.headers for message in messages)

    wait_until(lambda: world.as_operator(is_whole))
    run.kill()
    attached = world.attach(only_job(world))
    world.node("node1")
    status, stdout, stderr = world.finish(attached)
    assert (status, "hello" in stdout) == (0, True), stderr


def test_a_job_without_other_nodes_is_declared_lost_by_who_attaches(world: World, hanging: Path) -> None:
    node = world.node("node1")
    job = orphaned(world, hanging, node)
    node.send(signal.SIGKILL)
    for _ in range(2):
        status, _stdout, stderr = world.finish(world.attach(job))
        assert status == LOST
        assert "the node node1 has been silent for 6 seconds" in stderr
    assert outcomes(world.ends()) == [Outcome.LOST]


def test_results_that_are_not_kept_any_more_are_an_error(world: World, directory: Path) -> None:
    node = world.node("node1")
    assert world.run(directory, "site.yml")[0] == 0
    node.wait_for("ended")
    job = only_job(world)

    async def purge(client: MeshClient) -> None:
        await client.administer("STREAM.PURGE.OUT_web")

    world.as_operator(purge)
    status, _stdout, stderr = world.finish(world.attach(job))
    assert status == LINK_ERROR
    assert "the job has ended, and its results are not kept any more" in stderr
    status, _stdout, stderr = world.finish(world.attach(job[::-1]))
    assert status == 1
    assert "is none of the submitter ann, or its results are not kept any more" in stderr
    status, _stdout, stderr = world.finish(world.attach("web"))
    assert status == 1
    assert "expected the name of a job, 26 letters and digits" in stderr


def test_a_full_stream_ends_the_job_in_an_error(world: World, private_data_dir: MakeDir, fakes: object) -> None:
    made = private_data_dir({"flood-for-ever.yml": "[]\n"})
    node = world.node("node1")

    async def shrink(client: MeshClient) -> None:
        config = (await client.administer("STREAM.INFO.OUT_web"))["config"]
        answer = await client.administer("STREAM.UPDATE.OUT_web", {**config, "max_bytes": 1 << 18})
        assert "error" not in answer

    world.as_operator(shrink)
    status, _stdout, stderr = world.run(made, "flood-for-ever.yml", "-q")
    assert status == LINK_ERROR
    assert "the server has no room for out.web.node1.ann" in stderr
    node.wait_for("ended", outcome="failed")
    assert world.processes() == []


def test_a_job_runs_on_when_who_has_followed_it_slowly_is_gone(
    world: World, private_data_dir: MakeDir, fakes: object
) -> None:
    made = private_data_dir({"flood-for-ever.yml": "[]\n"})
    world.node("node1")
    run = world.start(made, "flood-for-ever.yml", "-i", "one", "-q")
    shown = made / "artifacts/one/stdout"
    wait_until(lambda: shown.exists() and shown.stat().st_size > WINDOW_BYTES, 60)  # the node has heard of it by then
    run.send_signal(signal.SIGSTOP)

    enough = world.result_bytes() + 2 * WINDOW_BYTES
    wait_until(lambda: world.result_bytes() > enough, 90)
    run.kill()


def test_a_full_stream_of_waiting_jobs_is_an_error(world: World, directory: Path) -> None:
    """Several jobs that are left to the mesh wait, and no node reads them."""
    (directory / "project" / "large").write_bytes(os.urandom(800_000))

    async def shrink(client: MeshClient) -> None:
        config = (await client.administer("STREAM.INFO.IN_web"))["config"]
        assert "error" not in await client.administer("STREAM.UPDATE.IN_web", {**config, "max_bytes": 1 << 20})

    world.as_operator(shrink)
    status, first, stderr = detach(world, directory)
    assert status == 0, stderr
    status, stdout, stderr = detach(world, directory)
    assert (status, stdout) == (LINK_ERROR, "")
    assert "the server has no room for in.web.ann." in stderr
    assert "Jobs that wait for nodes take it: start more nodes, cancel jobs" in stderr
    node = world.node("node1")
    node.wait_for("ended", outcome="worker", job=first.strip())
    wait_until(lambda: world.queued() == 0, 60)
    assert sorted(outcome.value for outcome in outcomes(world.ends())) == ["canceled", "worker"]
    assert detach(world, directory)[0] == 0


def test_the_largest_job_and_what_encryption_adds_fit_into_a_new_group() -> None:
    from playstream.mesh.streams import Sizes  # noqa: PLC0415
    from playstream.mesh.submission import DEFAULT_JOB_BYTES  # noqa: PLC0415

    assert Sizes().input_bytes >= DEFAULT_JOB_BYTES * 1.05


def detach(world: World, directory: Path, *words: str) -> tuple[int, str, str]:
    return world.run(directory, "site.yml", "--detach", *words)


def test_a_job_that_is_left_to_the_mesh_waits_for_a_node_and_keeps_its_results(
    world: World, directory: Path, tmp_path: Path
) -> None:
    (directory / "project" / "large").write_bytes(os.urandom(2 * WINDOW_BYTES))
    status, stdout, stderr = detach(world, directory)
    assert status == 0, stderr
    job = stdout.strip()
    assert job == only_job(world)
    assert f"playstream mesh attach {job}" in stderr
    assert not (directory / "artifacts").exists()
    node = world.node("node1")
    node.wait_for("ended", outcome="worker")
    status, stdout, stderr = world.finish(world.attach(job, tmp_path / "here"))
    assert (status, "hello" in stdout) == (0, True), stderr
    assert (tmp_path / f"here/artifacts/{job}/status").read_text() == "successful"


def test_a_job_that_is_left_to_the_mesh_has_its_own_exit_status(world: World, directory: Path) -> None:
    world.node("node1")
    status, stdout, stderr = detach(world, directory, "-e", "broken=1", "-q")
    assert (status, stderr) == (0, "")
    assert world.finish(world.attach(stdout.strip()))[0] == 2


def test_a_job_that_is_too_large_is_not_sent(world: World, directory: Path) -> None:
    (directory / "project" / "large").write_bytes(bytes(1 << 20))
    status, stdout, stderr = detach(world, directory, "--max-job-bytes", "1000000")
    assert (status, stdout) == (1, "")
    assert "bytes of files, and at most 1,000,000 are kept on the server" in stderr
    assert world.queued() == 0
    assert detach(world, directory, "--max-job-bytes", "1100000")[0] == 0
    assert world.queued() == 1


def test_what_is_sent_counts_too(world: World, directory: Path) -> None:
    words = ["-e", f"text={os.urandom(3000).hex()}", "--max-job-bytes", "900"]
    status, stdout, stderr = detach(world, directory, *words)
    assert (status, stdout) == (1, "")
    assert "more than 900 bytes, and at most 900 are kept on the server" in stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--artifact-dir", "x"], "--artifact-dir: concerns the results"),
        (["--max-job-bytes", "0"], "--max-job-bytes: expected a number of bytes, 1 or more, got 0"),
    ],
)
def test_mistakes_about_detaching_are_explained(words: list[str], expected: str, world: World, directory: Path) -> None:
    status, _stdout, stderr = detach(world, directory, *words)
    assert status == 1
    assert expected in stderr


def test_only_a_mesh_takes_a_job_that_nobody_follows(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(directory), "-p", "site.yml", "--detach"]) == 1
    assert "a job can be left to a mesh only" in " ".join(capsys.readouterr().err.split())
    assert main(["run", str(directory), "-p", "site.yml", "--max-job-bytes", "1"]) == 1
    assert "--max-job-bytes concerns a job that is left to a mesh" in " ".join(capsys.readouterr().err.split())


def test_questions_of_a_job_are_answered_while_others_follow_it(
    world: World, asking: Path, begin: Callable[..., Typist], tmp_path: Path
) -> None:
    node = world.node("node1")
    user = begin("run", asking, "-p", "site.yml", "-i", "asked", "--on", world.link())
    node.wait_for("started")
    attached = world.attach(only_job(world), tmp_path / "here")
    answer_questions(user)
    status, stdout, stderr = world.finish(attached)
    assert (status, "Your name: Ada" in stdout) == (0, True), stderr
    assert "xyzzy" not in stdout


def test_a_submitter_that_is_cut_off_says_how_to_follow_its_job(patient: World, hanging: Path) -> None:
    node = patient.node("node1")
    run = patient.start(hanging, "hang.yml", "--liveness-seconds", "1")
    wait_for_text(hanging, "waiting")
    patient.mesh.signal(signal.SIGSTOP)
    status, _stdout, stderr = patient.finish(run)
    patient.mesh.signal(signal.SIGCONT)
    job = only_job(patient)
    assert status == SILENT
    assert f"The job may go on without this side: playstream mesh attach {job} follows it" in stderr
    assert node.events("ended") == []
    assert patient.processes() != []
