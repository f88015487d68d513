"""A real PostgreSQL server on a loopback port, with a cluster of its own and a user who has to give a password."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from tests.processes import wait_until

USER = "keeper"
PASSWORD = "s3cret/with:odd%chars"  # noqa: S105 - of a server that lives as long as the tests
QUOTED_PASSWORD = "s3cret%2Fwith%3Aodd%25chars"  # noqa: S105 - the same, as a URL has it
_LIMIT_SECONDS = 60


class Postgresql:
    """One server, which ends with the thread that started it.

    Args:
        durable: False if what it has written may be lost with the machine, which is faster.

    Raises:
        RuntimeError: Debian's package is not installed.
    """

    def __init__(self, *, durable: bool = False) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        if not found:
            raise RuntimeError("PostgreSQL is missing; apt-get install --no-install-recommends postgresql")
        self._programs = found[-1]
        self._directory = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
        # It refuses to run as root. pytest's temporary directories are closed to others.
        root = os.geteuid() == 0
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if root else []
        if root:
            owner = pwd.getpwnam("postgres")
            os.chown(self._directory, owner.pw_uid, owner.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._databases = 0
        self._make_cluster()
        self._log = self._directory / "log"
        # A setting of the processes below it that the kernel keeps: it ends when this one is killed, too.
        setpriv = [*(self._as or ["setpriv"]), "--pdeathsig=INT"]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                [
                    *setpriv,
                    self._programs / "postgres",
                    "-D",
                    self._directory / "cluster",
                    "-p",
                    str(self.port),
                    "-h",
                    "127.0.0.1",
                    "-k",
                    "",
                    "-c",
                    "max_connections=50",
                    "-c",
                    f"fsync={'on' if durable else 'off'}",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd="/",
            )
        wait_until(self._answers, _LIMIT_SECONDS)

    def _make_cluster(self) -> None:
        password = self._directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)  # in a directory that only postgres and root can enter
        subprocess.run(
            [
                *self._as,
                self._programs / "initdb",
                "-D",
                self._directory / "cluster",
                "-U",
                USER,
                "-A",
                "scram-sha-256",
                f"--pwfile={password}",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            timeout=_LIMIT_SECONDS,
            cwd="/",
        )
        password.unlink()

    def _answers(self) -> bool:
        assert self._server.poll() is None, self._log.read_text()
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the test's own, where each statement is a transaction."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        )

    def make_database(self) -> str:
        """The name of a new database."""
        self._databases += 1
        name = f"runs{self._databases}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def url(self, database: str, password: str = QUOTED_PASSWORD) -> str:
        """A store's URL."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def close(self) -> None:
        """Stop the server; who is connected is cut off."""
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
            raise
        finally:
            shutil.rmtree(self._directory)
