"""Runs the property tests for a given time and says how many examples each has seen: `make fuzz`.

Each property gets the same share of the time. An example that fails is made as small as it gets, shown, and makes the
exit status 1; it belongs into the corpus of tests/stress/hostile, or into a test beside what it breaks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis

from tests.pipeline.tree.conftest import open_arena
from tests.process.store.test_exchange_of_events import make_exchange
from tests.stress.hostile.test_any_input import make_job_directory

PROPERTIES = {
    "tests.pipeline.protocol.test_mutations": (
        "test_damage_invents_nothing",
        "test_any_bytes_at_all",
        "test_any_payload_in_a_valid_frame",
        "test_any_content_in_valid_frames",
        "test_any_payload_of_a_record",
    ),
    "tests.pipeline.runner_dialect.test_stream": ("test_damage_gives_records_or_one_of_our_errors",),
    "tests.pipeline.runner_dialect.test_zip_table": (
        "test_what_is_taken_is_what_zipfile_takes",
        "test_end_records_that_disagree",
    ),
    "tests.captures.test_native": ("test_before_damage_is_what_was_sent", "test_any_bytes_at_all"),
    "tests.captures.test_other_formats": (
        "test_any_byte_may_be_another",
        "test_any_lines",
        "test_any_byte_of_a_recording_may_be_another",
    ),
    "tests.captures.test_player": ("test_any_keys", "test_blocks_change_nothing"),
    "tests.captures.test_index": ("test_any_byte_of_an_index_may_be_another", "test_any_bytes_as_an_index"),
    "tests.process.test_record_blocks": (
        "test_the_same_records_come_out",
        "test_a_block_that_is_left_out_has_nothing_that_is_wanted",
        "test_any_bytes_at_all",
        "test_any_byte_may_be_another",
    ),
    "tests.process.store.test_exchange_of_events": ("test_any_content_is_imported_or_refused",),
    "tests.captures.test_offered": (
        "test_any_tree_with_parts_lost",
        "test_any_tree_of_hostile_listings",
        "test_any_stream_with_an_offer",
    ),
    "tests.report.test_formats": ("test_any_events",),
    "tests.report.test_comparison": ("test_any_runs",),
    "tests.report.test_trace": ("test_any_events",),
    "tests.pipeline.tree.test_tree_hostile": ("test_any_records", "test_any_beginning"),
    "tests.stress.hostile.test_any_input": (
        "test_any_first_bytes",
        "test_any_lines",
        "test_any_archive",
        "test_any_event",
        "test_any_run",
        "test_any_recording",
        "test_any_kwargs",
        "test_any_stream_through_process",
        "test_any_tree_archive_through_process",
    ),
    "tests.stress.hostile.test_any_result": ("test_any_results", "test_any_order_of_statuses"),
    "tests.stress.hostile.test_any_offer": (
        "test_any_bytes_as_a_directory",
        "test_any_bytes_as_all_listings",
        "test_any_bytes_as_a_short_listing",
        "test_any_answers_to_a_worker",
        "test_any_tree_for_a_worker",
        "test_any_stream_with_an_offer",
        "test_any_questions_to_a_sender",
    ),
    "tests.worker.cache.test_assembly": ("test_any_trees_one_after_another", "test_any_bytes_as_a_listing"),
    "tests.stress.hostile.test_any_consumer": ("test_any_event_for_any_consumer",),
    "tests.pipeline.io.test_json_text": ("test_any_value",),
    "tests.pipeline.io.test_age_batches": (
        "test_a_stream_that_is_cut_anywhere",
        "test_any_flipped_bit",
        "test_anything_put_in_between",
        "test_batches_that_are_lost_duplicated_or_reordered",
        "test_batches_of_another_stream",
        "test_any_bytes_at_all",
        "test_any_content_of_an_age_file",
    ),
    "tests.links.test_listen_admission": (
        "test_any_bytes_are_waited_for_or_refused",
        "test_an_encrypted_job_in_batches",
    ),
    "tests.stress.hostile.test_any_job": ("test_any_native_job", "test_any_job_made_ready", "test_any_job_served"),
    "tests.interface.test_terminal_text": (
        "test_a_terminal_gets_text_and_colours_alone",
        "test_what_is_cut_anywhere_does_not_slip_through",
        "test_json_keeps_its_values",
    ),
}
AT_ONCE = 100
"""Examples between two looks at the clock."""


@dataclass(frozen=True)
class Outcome:
    """What became of one property."""

    name: str
    examples: int
    seconds: float
    failure: str | None


def run_property(module: str, name: str, seconds: float) -> Outcome:
    """Run one property again and again for so many seconds."""
    test = getattr(import_module(module), name)
    count = 0

    def counting(inner: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(inner)
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            return inner(*args, **kwargs)

        return counted

    test.hypothesis.inner_test = counting(test.hypothesis.inner_test)
    test = hypothesis.settings(
        max_examples=AT_ONCE, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )(test)
    start, failure = time.monotonic(), None
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        needed: dict[str, Callable[[], dict[str, Any]]] = {
            "test_any_records": lambda: {"make_arena": open_arena},
            "test_any_beginning": lambda: {"make_arena": open_arena},
            "test_any_kwargs": lambda: {"job_directory": make_job_directory(place)},
            "test_any_byte_of_an_index_may_be_another": lambda: {"place": place},
            "test_any_bytes_as_an_index": lambda: {"place": place},
            "test_any_content_is_imported_or_refused": lambda: make_exchange(place),
        }
        arguments = needed.get(name, dict)()
        while time.monotonic() - start < seconds and failure is None:
            try:
                test(**arguments)
            except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
                failure = traceback.format_exc()
    return Outcome(f"{module.removeprefix('tests.')}.{name}", count, time.monotonic() - start, failure)


def main() -> int:
    """Run them all; the exit status is 1 if one has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="in all (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="WORD", help="properties that have this in their name")
    parser.add_argument("--processes", type=int, default=2, help="at a time (default: %(default)s)")
    flags = parser.parse_args()
    names = [(module, name) for module, tests in PROPERTIES.items() for name in tests]
    names = [(module, name) for module, name in names if flags.only in f"{module}.{name}"]
    if not names:
        parser.error(f"--only: no property has {flags.only!r} in its name")
    share = flags.seconds * flags.processes / len(names)
    outcomes = []
    with ProcessPoolExecutor(flags.processes) as pool:
        futures = [pool.submit(run_property, module, name, share) for module, name in names]
        for future in futures:
            outcome = future.result()
            outcomes.append(outcome)
            rate = outcome.examples / outcome.seconds
            state = "FAILED" if outcome.failure else "ok"
            print(f"{state:6} {outcome.examples:9,} examples {rate:8,.0f}/s  {outcome.name}", flush=True)
    failed = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failed:
        print(f"\n{outcome.name}\n{outcome.failure}", file=sys.stderr)
    total = sum(outcome.examples for outcome in outcomes)
    print(f"{total:,} examples of {len(outcomes)} properties, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
