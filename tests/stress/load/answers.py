"""Peak memory of what reads and writes many results: python -m tests.stress.load.answers --help.

Each figure is VmHWM of a process of its own, less that of the same one with a store or a run of nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from playstream.pipeline.protocol import Event
from playstream.pipeline.protocol.order import Direction
from playstream.process.store import RunWriter, open_store, schema
from tests.process.store.events import FIRST, many_results
from tests.process.store.postgresql import Postgresql
from tests.stress.hostile.streams import ENDED, STARTING, native

RES = {"changed": True, "rc": 0, "cmd": ["true"], "stdout": "all is well", "stderr": "", "delta": "0:00:00.004371"}
HOSTS = 100
PROGRAM = """
import sys
{work}
with open("/proc/self/status") as status:
    sys.stderr.write(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""
COMMAND = "from playstream.cli.main import main; assert main(sys.argv[1:]) == 0; sys.stdout.flush()"
OF_STORE = "from playstream.process.store import *; store = open_store(sys.argv[1], writable=False); "
SUMMARY = (
    "import json; from playstream.process.summary import summarize\n"
    "whole = summarize(map(json.loads, open(sys.argv[1], 'rb')), ident='x', status='successful', rc=0)"
)


def peak(work: str, *words: str | Path, source: Path | None = None) -> int:
    """KiB that a program held at most."""
    with (source or Path("/dev/null")).open("rb") as given:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(work=work), *map(str, words)],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
    return int(done.stderr)


def fill(url: str, results: int, runs: int) -> None:
    """A store with one large run, and many runs of nothing."""
    with open_store(url) as store:
        with RunWriter(store) as writer:
            for event in events(results):
                writer.take(event)
            writer.save("large", "successful", 0)
        counts = dict.fromkeys(schema.HOST_COUNTS, 0)
        with store.write() as connection:
            for first in range(0, runs, 1000):
                connection.execute(
                    insert(schema.runs),
                    [
                        {
                            "ident": f"nightly-{number}",
                            "digest": f"{number}",
                            "status": "successful",
                            "rc": 0,
                            "started": FIRST,
                            "ended": FIRST,
                            "playbook": "site.yml",
                            "events": 0,
                            "results": 0,
                            "hosts": 0,
                            **counts,
                        }
                        for number in range(first, min(runs, first + 1000))
                    ],
                )


def events(results: int) -> Iterator[dict[str, Any]]:
    """Those of a run, in their order."""
    for number, event in enumerate(many_results(HOSTS, results // HOSTS, RES), 1):
        yield {**event, "counter": number}


def stream_of(path: Path, results: int) -> Path:
    """A run's capture."""
    records = (Event(event["counter"], json.dumps(event).encode()) for event in events(results))
    path.write_bytes(native([STARTING, *records, ENDED], Direction.RESULT))
    return path


def lines_of(path: Path, results: int) -> Path:
    """The events of a run, one a line."""
    with path.open("w") as file:
        file.writelines(json.dumps(event) + "\n" for event in events(results))
    return path


def rows_of(urls: Sequence[str], scratch: Path, results: int) -> Iterator[tuple[str, list[int]]]:
    """What was done, and KiB by store."""
    large, small = urls
    for what, words in (
        ("show --json", ("show", "large", "--json")),
        ("runs", ("runs",)),
        ("runs --json", ("runs", "--json")),
    ):
        yield what, [peak(COMMAND, *words, "--store", url) for url in (large, small)]
    for what, work in (
        ("iter_results", "run = list_runs(store, host='host0')[0].id; [None for _ in iter_results(store, run)]"),
        ("list(iter_results)", "run = list_runs(store, host='host0')[0].id; kept = list(iter_results(store, run))"),
        ("changed_on", "kept = changed_on(store, 'host0')"),
        ("iter_runs", "[None for _ in iter_runs(store)]"),
        ("list_runs", "kept = list_runs(store)"),
    ):
        yield what, [peak(OF_STORE + work, url) for url in (large, small)]
    streams = [stream_of(scratch / f"{number}.stream", number) for number in (results, HOSTS)]
    yield (
        "process --store",
        [peak(COMMAND, "process", scratch, "-q", "--store", f"{small}", source=stream) for stream in streams],
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.load.answers", description=__doc__)
    parser.add_argument("--results", type=int, default=200_000, metavar="N", help="of one run (%(default)s)")
    parser.add_argument("--runs", type=int, default=200_000, metavar="N", help="of the store (%(default)s)")
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="of a summary (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm"), metavar="DIR", help="(%(default)s)")
    options = parser.parse_args()
    server = Postgresql()
    try:
        with tempfile.TemporaryDirectory(prefix="answers-", dir=options.scratch) as name:
            scratch = Path(name)
            for database in ("SQLite", "PostgreSQL"):
                urls = [
                    str(scratch / f"{size}.db") if database == "SQLite" else server.url(server.make_database())
                    for size in ("large", "small")
                ]
                fill(urls[0], options.results, options.runs)
                fill(urls[1], HOSTS, 1)
                for what, (large, small) in rows_of(urls, scratch, options.results):
                    print(f"{database}: {what}: {(large - small) / 1024:.1f} MiB above {small / 1024:.0f}", flush=True)
            sizes = options.events, HOSTS
            streams = [stream_of(scratch / f"summary{number}.stream", number) for number in sizes]
            large, small = (
                peak(COMMAND, "process", scratch, "-q", "--summary", scratch / "summary", source=stream)
                for stream in streams
            )
            print(f"process --summary: {(large - small) / 1024:.1f} MiB above {small / 1024:.0f}", flush=True)
            large, small = (peak(SUMMARY, lines_of(scratch / f"{number}.lines", number)) for number in sizes)
            print(f"summary(): {(large - small) / 1024:.1f} MiB above {small / 1024:.0f}")
    finally:
        server.close()


if __name__ == "__main__":
    main()
