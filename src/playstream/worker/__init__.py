"""The worker: takes a job's records, runs Ansible under supervision, gives status, events and artifacts back.

How records become bytes, and what happens to them afterwards, is not its concern.
"""

from playstream.worker.stage import Worker, WorkerOptions, WorkResult

__all__ = ["WorkResult", "Worker", "WorkerOptions"]
