"""Starts the service: `python -m flask_service --project-dir deploy`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from werkzeug.serving import make_server

from .app import create_app
from .runs import Runs

LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]"]


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m flask_service", description="Deploy by HTTP.")
    parser.add_argument("--project-dir", type=Path, default=Path("deploy"), help="private data directory (deploy)")
    parser.add_argument("--playbook", default="deploy.yml", help="playbook in its project (deploy.yml)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=5000, help="port to listen on, 0 for any that is free (5000)")
    parser.add_argument("--name", action="append", default=[], help="name by which clients may call, besides localhost")
    parser.add_argument("--max-running", type=int, default=2, help="how many runs may go on at once (2)")
    parser.add_argument("--keep", type=int, default=100, help="how many ended runs are kept (100)")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds after which a run is ended (3600)")
    options = parser.parse_args()
    if not (options.project_dir / "project" / options.playbook).is_file():
        parser.error(f"{options.playbook} is not in {options.project_dir / 'project'}")

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = Runs(options.project_dir.absolute(), options.playbook, options.max_running, options.keep, options.timeout)
    app = create_app(runs, [*LOCAL_NAMES, options.host, *options.name])
    server = make_server(options.host, options.port, app, threaded=True)
    print(f"listening on http://{options.host}:{server.port}", flush=True)
    try:
        server.serve_forever()
    finally:
        runs.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
