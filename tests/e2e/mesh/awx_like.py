"""A controller that uses ansible-runner and receptorctl as libraries, as AWX does. Run in ansible-runner's environment.

Arguments: the control socket, the private data directory, the flags of the worker. Prints one JSON object.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import Any

import ansible_runner  # type: ignore[import-not-found,unused-ignore]
from receptorctl.socket_interface import ReceptorControl  # type: ignore[import-not-found,unused-ignore]


def main(control: str, directory: str, params: str) -> dict[str, Any]:
    """Run site.yml on the node `execution`."""
    ours, theirs = socket.socketpair()

    def transmit() -> None:
        with ours.makefile("wb") as output:
            ansible_runner.interface.run(
                streamer="transmit", _output=output, private_data_dir=directory, playbook="site.yml"
            )
        ours.shutdown(socket.SHUT_WR)

    transmitting = threading.Thread(target=transmit)
    transmitting.start()
    receptor = ReceptorControl(control)
    with theirs.makefile("rb") as payload:
        unit = receptor.submit_work("ansible-runner", payload, node="execution", params={"params": params})["unitid"]
    transmitting.join()
    results, file = receptor.get_work_results(unit, return_socket=True, return_sockfile=True)
    statuses: list[str] = []
    kinds: list[str] = []

    def take(event: dict[str, Any]) -> bool:
        kinds.append(event["event"])
        assert {"stdout", "start_line", "end_line"} <= event.keys()
        return False

    runner = ansible_runner.interface.run(
        streamer="process",
        _input=file,
        private_data_dir=directory,
        quiet=True,
        event_handler=take,
        status_handler=lambda data, **_: statuses.append(data["status"]),
    )
    results.close()
    receptor.simple_command(f"work release {unit}")
    return {"status": runner.status, "statuses": statuses, "events": kinds}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
