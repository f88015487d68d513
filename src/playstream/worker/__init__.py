"""The worker: takes a job's records, runs Ansible under supervision, gives status, events and artifacts back.

How records become bytes, and what happens to them afterwards, is not its concern.
"""

from playstream.worker.stage import DEFAULT_KEEPALIVE_SECONDS, Worker, WorkerOptions

__all__ = ["DEFAULT_KEEPALIVE_SECONDS", "Worker", "WorkerOptions"]
