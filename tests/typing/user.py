"""A user's program, for mypy --strict. Never run. Each `type: ignore` is a mistake that mypy has to find."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, assert_type

import playstream
from playstream import (
    CallbackError,
    ConfigurationError,
    EventStream,
    ItemResult,
    PlaystreamError,
    RunCode,
    Runner,
    RunnerConfig,
    TaskResult,
    TaskResults,
)


def keep(event: dict[str, Any]) -> bool:
    return bool(event["event"] != "verbose")


def look(event: dict[str, Any]) -> None:
    print(event["event"])


def status_handler(data: dict[str, Any], runner_config: RunnerConfig) -> None:
    print(data["status"], runner_config.command)


def finished(runner: Runner) -> None:
    print(runner.status)


def sync(directory: Path) -> None:
    runner = playstream.run(
        private_data_dir=directory,
        playbook="site.yml",
        event_handler=keep,
        status_handler=status_handler,
        finished_callback=finished,
        cancel_callback=lambda: False,
        artifacts_handler=print,
        ident=5,
    )
    assert_type(runner, Runner)
    assert_type(runner.rc, int | None)
    assert_type(runner.status, str)
    assert_type(runner.errored, bool)
    assert_type(runner.stdout, TextIO)
    assert_type(runner.events, Iterator[dict[str, Any]])
    assert_type(runner.stats, dict[str, Any] | None)
    assert_type(runner.host_events("x"), Iterator[dict[str, Any]])
    assert_type(runner.get_fact_cache("x"), dict[str, Any])
    assert_type(runner.config, RunnerConfig)
    assert_type(runner.run_code, RunCode)
    assert_type(RunCode.FAILED_HOSTS in runner.run_code, bool)
    assert_type(runner.results, TaskResults)
    assert_type(runner.results.by_host["x"], list[TaskResult])
    assert_type(next(iter(runner.results)).items, tuple[ItemResult, ...])
    assert_type(runner.config.env, dict[str, str])
    assert_type(playstream.run_async(module="ping", inventory=["a,"]), tuple[threading.Thread, Runner])
    assert_type(playstream.run_command("ls", ["-l"]), tuple[str, str, int | None])
    assert_type(playstream.interface.run(module="ping"), Runner)
    assert_type(playstream.init_runner(playbook=[{"hosts": "all"}], event_handler=look), Runner)
    assert_type(Runner(config=RunnerConfig(directory, tags="a")).run(), tuple[str, int | None])
    assert_type(playstream.get_ansible_config("dump"), tuple[str, str])
    try:
        playstream.run(playbook="x", extravars={"a": [1]}, envvars={"A": 1}, roles_path=[directory], tags=["a"])
    except (ConfigurationError, CallbackError, playstream.JobError, playstream.StoreError, PlaystreamError) as error:
        print(error.exit_status)


async def asynchronous() -> None:
    stream = playstream.stream(playbook="site.yml")
    assert_type(stream, EventStream)
    async for event in stream:
        assert_type(event, dict[str, Any])
    async with playstream.stream(module="ping") as again:
        assert_type(again, EventStream)
    assert_type(await playstream.arun(module="ping"), Runner)


def mistakes() -> None:
    playstream.run(playbok="site.yml")  # type: ignore[call-arg]
    playstream.run(forks="5")  # type: ignore[arg-type]
    playstream.run(playbook=5)  # type: ignore[arg-type]
    playstream.run(event_handler=lambda: True)  # type: ignore[arg-type,misc]
    playstream.run(status_handler=keep)  # type: ignore[arg-type]
    playstream.run(streamer="teleport")  # type: ignore[arg-type]
    playstream.run_command(["ls"])  # type: ignore[arg-type]
    playstream.run_command("ls", inventory="x")  # type: ignore[call-arg]
    playstream.get_inventory("list")  # type: ignore[call-arg]
    RunnerConfig(event_handler=keep)  # type: ignore[call-arg]
    Runner()  # type: ignore[call-arg]
    playstream.run(module="ping").rc + 1  # type: ignore[operator]
    _ = playstream.no_such_name  # type: ignore[attr-defined]
