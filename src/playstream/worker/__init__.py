"""The worker: takes a job's records, runs Ansible under supervision, gives status, events and artifacts back.

How records become bytes, and what happens to them afterwards, is not its concern.
"""

from playstream.worker.stage import Served, Worker, WorkerOptions

__all__ = ["Served", "Worker", "WorkerOptions"]
