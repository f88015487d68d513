"""The worker: receives a job's records, runs Ansible under supervision, and sends status, events and artifacts.

The encoding of records, and what happens to them afterwards, do not belong here.
"""

from playstream.worker.stage import Worker, WorkerOptions, WorkResult

__all__ = ["WorkResult", "Worker", "WorkerOptions"]
