"""The service's addresses, and what it accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Flask, Response, abort, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

import playstream

from .runs import Runs, TooManyRuns, describe, read_stdout

VERSION = re.compile(r"latest|[0-9]{1,6}(\.[0-9]{1,6}){0,3}(-[0-9A-Za-z]{1,20}(\.[0-9A-Za-z]{1,20}){0,3})?")
"""Letters, digits, dots and hyphens in their places: nothing that a shell, a template or a path could misread."""
ENVIRONMENTS = ("staging", "production")
MAX_REQUEST_BYTES = 4096


def create_app(runs: Runs, trusted_hosts: list[str] | None = None) -> Flask:
    """The application, for any WSGI server; in one process, since the runs are in its memory.

    Args:
        runs: what starts runs.
        trusted_hosts: names by which clients may call the service; a web page that points its own name at this
            address is refused. None for any.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    app.config["TRUSTED_HOSTS"] = trusted_hosts
    app.url_map.merge_slashes = False  # an address is right or wrong, and never nearly right

    # A UUID in the address is a UUID before any function here sees it. Whatever else stands there (a path, `..` in
    # any spelling, a NUL) belongs to no address of this service, and the answer is 404.
    app.add_url_rule("/deploy", view_func=lambda: _deploy(runs), endpoint="deploy", methods=["POST"])
    app.add_url_rule("/runs", view_func=lambda: _list(runs), endpoint="runs")
    app.add_url_rule("/status/<uuid:run_id>", view_func=lambda run_id: _status(runs, run_id), endpoint="status")
    app.add_url_rule("/events/<uuid:run_id>", view_func=lambda run_id: _events(runs, run_id), endpoint="events")
    app.add_url_rule("/stdout/<uuid:run_id>", view_func=lambda run_id: _stdout(runs, run_id), endpoint="stdout")
    app.register_error_handler(HTTPException, _explain)
    app.after_request(_add_headers)
    return app


def _deploy(runs: Runs) -> tuple[Response, int]:
    try:
        data = request.get_json()  # wants the content type of JSON, and so is closed to web forms
    except RecursionError:
        abort(400, "the JSON is nested too deeply")
    extravars = check_request(data)
    try:
        run_id, runner = runs.start(extravars)
    except TooManyRuns:
        abort(429, "as many runs go on as may at once; try again later")
    except playstream.PlaystreamError as error:
        current_app.logger.warning("the run cannot be started: %s", error)  # it names paths of this host
        abort(500, "the run cannot be started; the service's log says why")
    response = jsonify(run_id=run_id, status=runner.status)
    response.headers["Location"] = f"/status/{run_id}"
    return response, 202


def check_request(data: Any) -> dict[str, Any]:
    """The playbook's variables that a request asks for; a request with anything wrong ends with 400."""
    if not isinstance(data, dict):
        abort(400, "expected a JSON object")
    unknown = data.keys() - {"version", "environment", "rollback"}
    if unknown:
        abort(400, "expected no fields but version, environment and rollback")
    version = data.get("version", "latest")
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        abort(400, "version: expected latest, or numbers and dots like 2.5.0 or 2.5.0-rc.1")
    environment = data.get("environment", "staging")
    if environment not in ENVIRONMENTS:
        abort(400, f"environment: expected one of {', '.join(ENVIRONMENTS)}")
    rollback = data.get("rollback", False)
    if not isinstance(rollback, bool):
        abort(400, "rollback: expected true or false")
    return {"app_version": version, "deploy_env": environment, "rollback": rollback}


def _list(runs: Runs) -> Response:
    return jsonify(runs=[{"run_id": run_id, **describe(runner)} for run_id, runner in runs.all().items()])


def _status(runs: Runs, run_id: UUID) -> Response:
    return jsonify(run_id=str(run_id), **describe(_find(runs, run_id)))


def _events(runs: Runs, run_id: UUID) -> Response:
    """JSON lines; while the run goes on, each event as it comes."""
    runner = _find(runs, run_id)

    def lines() -> Iterator[str]:
        for event in runner.events:
            yield json.dumps(event) + "\n"

    return Response(lines(), mimetype="application/x-ndjson")


def _stdout(runs: Runs, run_id: UUID) -> Response:
    return Response(read_stdout(_find(runs, run_id)), mimetype="text/plain")


def _find(runs: Runs, run_id: UUID) -> playstream.Runner:
    runner = runs.get(str(run_id))
    if runner is None:
        abort(404, "this service has no such run")
    return runner


def _explain(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code or 500


def _add_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"  # what a host printed is never a page
    response.headers["Cache-Control"] = "no-store"
    return response
