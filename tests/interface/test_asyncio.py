"""asyncio: events as they come, and a run that is awaited; both end their job when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import CallbackError, ConfigurationError
from tests.interface.programs import INVENTORY, debug, fake, leftovers, messages, play
from tests.processes import marked_processes

PLAYS = [play()]
ENDLESS = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"


def assert_nothing_is_left(temporary: Path, runner: playstream.Runner | None = None) -> None:
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith(("playstream", "asyncio"))]
    assert names == []
    gc.collect()  # an exception and its traceback hold one another
    assert marked_processes(temporary) == []
    kept = set() if runner is None else {Path(runner.config.artifact_dir).parent.parent.name}
    assert set(leftovers(temporary)) <= kept


def test_events_as_they_come(temporary: Path) -> None:
    async def main() -> tuple[playstream.EventStream, list[dict[str, Any]]]:
        events = playstream.stream(playbook=[play(debug("hello"))], inventory=INVENTORY)
        assert events.runner is None
        found = [event async for event in events]
        return events, found

    events, found = asyncio.run(main())
    runner = events.runner
    assert runner is not None
    assert (runner.status, runner.rc) == ("successful", 0)
    assert messages(found) == ["hello"]
    assert found == list(runner.events)
    assert_nothing_is_left(temporary, runner)


def test_an_awaited_run_lets_the_loop_go_on(temporary: Path, tmp_path: Path) -> None:
    async def main() -> tuple[playstream.Runner, int]:
        ticks = 0
        task = asyncio.create_task(playstream.arun(binary=fake(tmp_path, "sleep 0.5"), playbook=PLAYS, quiet=True))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.01)
        return await task, ticks

    runner, ticks = asyncio.run(main())
    assert runner.status == "successful"
    assert ticks > 5
    assert_nothing_is_left(temporary, runner)


def test_more_than_a_pool_has_threads(tmp_path: Path) -> None:
    async def main() -> list[playstream.Runner]:
        script = fake(tmp_path, "sleep 0.2")
        return await asyncio.gather(*(playstream.arun(binary=script, playbook=PLAYS, quiet=True) for _ in range(12)))

    assert [runner.status for runner in asyncio.run(main())] == ["successful"] * 12


@pytest.mark.parametrize("held", [True, False])
def test_breaking_out_of_the_loop_ends_the_job(temporary: Path, tmp_path: Path, held: bool) -> None:
    runners: list[playstream.Runner] = []

    async def main() -> None:
        kept = []

        def start() -> playstream.EventStream:
            stream = playstream.stream(binary=fake(tmp_path, ENDLESS), playbook=PLAYS, finished_callback=runners.append)
            if held:
                kept.append(stream)
            return stream

        async for event in start():
            if event["stdout"] == "3":
                break
        while not runners:  # the event loop ends it
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 60))
    assert (runners[0].status, runners[0].explanation) == ("canceled", "the event stream was closed")
    assert_nothing_is_left(temporary, runners[0])


def test_closing_waits_for_the_end(temporary: Path, tmp_path: Path) -> None:
    async def main() -> playstream.Runner | None:
        async with playstream.stream(binary=fake(tmp_path, ENDLESS), playbook=PLAYS) as events:
            async for _ in events:
                break
            with pytest.raises(ConfigurationError, match="once"):
                events.__aiter__()
        assert events.runner is not None
        assert events.runner.wait(0)
        return events.runner

    runner = asyncio.run(main())
    assert runner is not None
    assert runner.status == "canceled"
    assert_nothing_is_left(temporary, runner)


def test_an_exception_in_the_loop_ends_the_job(temporary: Path, tmp_path: Path) -> None:
    runners: list[playstream.Runner] = []

    async def main() -> None:
        events = playstream.stream(binary=fake(tmp_path, ENDLESS), playbook=PLAYS, finished_callback=runners.append)
        async for _ in events:
            raise KeyError("of the loop's own")

    with pytest.raises(KeyError, match="own"):
        asyncio.run(main())
    assert runners[0].status == "canceled"
    assert_nothing_is_left(temporary, runners[0])


@pytest.mark.parametrize("how", ["arun", "stream"])
def test_cancelling_the_task_cancels_the_job(temporary: Path, tmp_path: Path, how: str) -> None:
    runners: list[playstream.Runner] = []
    running = threading.Event()

    def note(data: dict[str, Any], runner_config: Any) -> None:
        if data["status"] == "running":
            running.set()

    options: dict[str, Any] = {
        "binary": fake(tmp_path, "exec sleep 100"),
        "playbook": PLAYS,
        "quiet": True,
        "status_handler": note,
        "finished_callback": runners.append,
    }

    async def use() -> None:
        if how == "arun":
            await playstream.arun(**options)
        else:
            async for _ in playstream.stream(**options):
                pass

    async def main() -> None:
        task = asyncio.create_task(use())
        await asyncio.to_thread(running.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [runner.status for runner in runners] == ["canceled"]
        assert marked_processes(temporary) == []

    asyncio.run(main())
    assert_nothing_is_left(temporary, runners[0])


@pytest.mark.parametrize("how", ["arun", "stream"])
def test_a_loop_that_ends_ends_its_jobs(temporary: Path, tmp_path: Path, how: str) -> None:
    """A task that nobody waits for is cancelled by asyncio.run, together with all others."""
    runners: list[playstream.Runner] = []
    running = threading.Event()
    options: dict[str, Any] = {
        "binary": fake(tmp_path, "echo 1; exec sleep 100"),
        "playbook": PLAYS,
        "quiet": True,
        "status_handler": lambda *_, **__: running.set(),
        "finished_callback": runners.append,
    }

    async def use() -> None:
        if how == "arun":
            await playstream.arun(**options)
        else:
            async for _ in playstream.stream(**options):
                pass

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(use())
        await asyncio.to_thread(running.wait, 60)
        return task

    assert asyncio.run(main()).cancelled()
    assert [runner.status for runner in runners] == ["canceled"]
    assert_nothing_is_left(temporary, runners[0])


def test_a_slow_reader_makes_the_job_wait(temporary: Path, tmp_path: Path) -> None:
    """Of twenty thousand lines no more than the queue's 256 are ahead of the reader."""
    ahead = 0
    made = 0

    def count(event: dict[str, Any]) -> bool:
        nonlocal made
        made = event["counter"]
        return False

    async def main() -> int:
        nonlocal ahead
        taken = 0
        script = fake(tmp_path, "seq 1 20000")
        async for _ in playstream.stream(binary=script, playbook=PLAYS, event_handler=count):
            taken += 1
            if taken % 500 == 0:
                await asyncio.sleep(0.01)
            ahead = max(ahead, made - taken)
        return taken

    taken = asyncio.run(main())
    assert taken == made > 1
    assert ahead <= 258


def test_what_handlers_raise(temporary: Path, tmp_path: Path) -> None:
    def explode(*_: object, **__: object) -> bool:
        raise LookupError("boom")

    async def read(**options: Any) -> None:
        async for _ in playstream.stream(binary=fake(tmp_path, "echo 1"), playbook=PLAYS, **options):
            pass

    with pytest.raises(LookupError, match="boom"):
        asyncio.run(read(event_handler=explode))
    with pytest.raises(CallbackError, match="finished_callback raised LookupError"):
        asyncio.run(read(finished_callback=explode))
    with pytest.raises(LookupError, match="boom"):
        asyncio.run(playstream.arun(binary=fake(tmp_path, "echo 1"), playbook=PLAYS, quiet=True, event_handler=explode))
    assert_nothing_is_left(temporary)


def test_bad_input(temporary: Path) -> None:
    async def read() -> None:
        async for _ in playstream.stream(playbook="nope.yml"):
            pass

    with pytest.raises(ConfigurationError, match=r"nope\.yml"):
        asyncio.run(read())
    with pytest.raises(ConfigurationError, match="streamer: expected None"):
        playstream.stream(streamer="worker")
    assert_nothing_is_left(temporary)
