"""The Flask service as a process, and requests to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = "python -m flask_service --project-dir"
LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        assert self.headers["Content-Type"] == "application/json", self
        return json.loads(self.text)


@dataclass
class Service:
    """A running service on a port of its own."""

    examples: Path
    env: dict[str, str]
    words: list[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        command = [*COMMAND.split(), *self.words, "--port", "0"]
        self.process = subprocess.Popen(
            command, cwd=self.examples, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", first)
        assert match, first + (self.process.communicate(timeout=LIMIT_SECONDS)[0] or "")
        self.port = int(match[1])
        self._reader = threading.Thread(target=self._read)  # a full pipe would stop the service
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def request(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """One request; the target goes out exactly as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_SECONDS)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            data = None
            if body is not None:
                sent.setdefault("Content-Type", "application/json")
                data = body if isinstance(body, str) else json.dumps(body)
            connection.request(method, target, data, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read().decode())
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Answer:
        """A GET request."""
        return self.request("GET", target, **headers)

    def deploy(self, body: Any, **headers: str) -> Answer:
        """A request for a run."""
        return self.request("POST", "/deploy", body, **headers)

    def deploy_when_free(self, body: Any) -> Answer:
        """A request that is made again while there are too many runs: one ends a moment after its last status."""
        return self._ask(lambda: self.deploy(body), lambda answer: answer.status != 429)

    def wait(self, run_id: str, *statuses: str) -> dict[str, Any]:
        """Poll until the run has one of the statuses."""
        answer = self._ask(lambda: self.get(f"/status/{run_id}"), lambda answer: answer.json["status"] in statuses)
        found: dict[str, Any] = answer.json
        return found

    def _ask(self, request: Callable[[], Answer], is_it: Callable[[Answer], bool]) -> Answer:
        """Make a request again and again, until the answer is the one that is waited for."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not is_it(answer := request()):
            assert time.monotonic() < deadline, answer
            time.sleep(0.1)
        return answer

    def stop(self) -> int:
        """End it as a service manager does."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        status = self.process.wait(LIMIT_SECONDS)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status
