"""The names of a run's artifacts, which worker and process have to agree on; the layout is ansible-runner's."""

from __future__ import annotations

EVENT_FILES = "job_events"
FACT_CACHE = "fact_cache"
OUTPUTS = frozenset({"stdout", "stderr"})
KNOWN_FILES = OUTPUTS | {"rc", "status", "command"}
KNOWN_DIRECTORIES = frozenset({EVENT_FILES, FACT_CACHE})
KNOWN_NAMES = KNOWN_FILES | KNOWN_DIRECTORIES
