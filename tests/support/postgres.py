"""A real PostgreSQL, from Debian's packages, for the ledgers of tests: on a unix socket in a folder of its own.

On a port of 127.0.0.1 it listens, too, and demands TLS and a password there. `bouncing` runs a real PgBouncer before it.
It runs as the user `postgres` where the tests run as root, who may not run it, and as the same user anywhere else. It
touches nothing of a PostgreSQL that may be configured here, and `stop` ends only the process that `start` started.
Each test gets a schema of its own; the cluster is thrown away at the end. `POSTGRES_PROGRAMS=/folder/bin` chooses the
programs of another version.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from psycopg import errors
from psycopg.conninfo import make_conninfo

from mail_sender.ledger.postgres import target
from mail_sender.ledger.postgres.target import Target

DEADLINE_SECONDS = 30
_PROGRAMS = "/usr/lib/postgresql/*/bin"
_SETTINGS = {  # what is written is thrown away at the end, and a crash of the machine loses nothing
    "fsync": "off",
    "ssl": "on",
    "full_page_writes": "off",
    "password_encryption": "scram-sha-256",  # up to PostgreSQL 13 it is another one by default
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "deadlock_timeout": "50ms",
}
FOR_MANY = {"max_connections": "400", "shared_buffers": "64MB", "autovacuum": "off"}
"""Settings of a server for hundreds of ledgers that live for seconds."""
_HBA = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
_BOUNCER = """\
[databases]
mail = host={server.folder} port={server.port} dbname=mail
[pgbouncer]
unix_socket_dir = {folder}
listen_port = {server.port}
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = 2
logfile = {folder}/log
"""
_schemas = count(1)


class Postgres:
    """One cluster in `folder`, with a database `mail`; `settings` are the server's own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.ca_pem = folder / "ca.pem"
        self.password = "correct horse, battery staple"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        own = {"unix_socket_directories": str(folder), "port": str(self.port)}
        self._settings = {**_SETTINGS, **own, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        options = "--no-sync --auth trust --username postgres --encoding UTF8 --locale C"
        made = self._do("initdb", "--pgdata", str(self.data), *options.split())
        assert made.returncode == 0, made.stderr.decode()
        (self.data / "pg_hba.conf").write_text(_HBA)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_pem))
        leaf = authority.issue_cert("localhost")
        leaf.cert_chain_pems[0].write_to_path(str(self.data / "server.crt"))
        leaf.private_key_pem.write_to_path(str(self.data / "server.key"))
        (self.data / "server.key").chmod(0o600)
        if self.user:
            shutil.chown(self.data / "server.key", self.user)

    def start(self) -> None:
        """Start it; back only when it answers."""
        log = (self.folder / "log").open("ab")
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        self._process = subprocess.Popen(
            [_program("postgres"), "-D", str(self.data), *settings], stdout=log, stderr=log, cwd=self.folder, user=self.user
        )  # fmt: skip
        log.close()
        self._wait()

    @property
    def first_process(self) -> int:
        """The process id of the one that has started all others."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._process is not None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: quickly with SIGINT, as a crash with SIGQUIT; back when it has ended."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(DEADLINE_SECONDS)

    def wait_for_end_of(self, processes: Iterable[int]) -> None:
        """Wait until processes of the server have ended whose first one was killed: another one does not start before."""
        for _ in range(DEADLINE_SECONDS * 20):
            if not any(map(_lives, processes)):
                return
            threading.Event().wait(0.05)
        pytest.fail("PostgreSQL did not end")

    def execute(self, statement: str, role: str = "postgres", database: str = "mail", **values: Any) -> list[Any]:
        """Do a statement as a superuser, or as another role."""
        place = make_conninfo(host=str(self.folder), port=str(self.port), user=role, dbname=database)
        with psycopg.connect(place, autocommit=True) as connection:
            found = connection.execute(statement, values or None)
            return found.fetchall() if found.description else []

    async def until(self, statement: str) -> None:
        """Do a statement until it returns something."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await asyncio.to_thread(self.execute, statement):
                pass

    @contextmanager
    def holding(self, statement: str) -> Iterator[None]:
        """Do a statement, and keep its transaction open."""
        place = make_conninfo(host=str(self.folder), port=str(self.port), user="postgres", dbname="mail")
        with psycopg.connect(place) as connection:
            connection.execute(statement)
            yield
            connection.rollback()

    def target(self, schema: str | None = None, **parameters: str) -> Target:
        """Return where a ledger of its own lies."""
        schema = schema or f"ledger_{os.getpid()}_{next(_schemas)}"
        place = {"host": str(self.folder), "port": str(self.port), "user": "mail", "dbname": "mail"}
        return target.of(make_conninfo(**{**place, **parameters}), schema=schema, environment={})

    def empty(self, of: Target) -> None:
        """Empty a ledger, as far as there is one."""
        tables = "message, delivery, attempt, beginning, replica, poller, relay, allowance"
        with suppress(errors.UndefinedTable, errors.InvalidSchemaName):
            names = ", ".join(f'"{of.schema}".{table}' for table in tables.split(", "))
            self.execute(f"TRUNCATE {names} RESTART IDENTITY")

    def move_clock(self, of: Target, by: timedelta) -> None:
        """Move all that the database's clock has written into a ledger, as if the clock had gone the other way."""
        columns = {"delivery": ["lease_until"], "replica": ["since", "seen_at"], "poller": ["since", "lease_until"]}
        columns["relay"] = ["failed_at", "retry_at", "worked_at", "try_until", "reported_at"]
        updates = [
            f'UPDATE "{of.schema}".{table} SET {column} = {column} + %(by)s'  # noqa: S608 - names of ours
            for table in columns for column in columns[table]
        ]  # fmt: skip
        for update in updates:
            self.execute(update, by=by)

    def log(self) -> str:
        """Return what it has logged."""
        return (self.folder / "log").read_text()

    def _wait(self) -> None:
        assert self._process is not None
        for _ in range(DEADLINE_SECONDS * 20):
            with suppress(psycopg.OperationalError):
                self.execute("SELECT", database="postgres")
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                break
        pytest.fail(f"PostgreSQL did not start:\n{self.log()}")

    def _do(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [_program(name), *arguments], capture_output=True, cwd=self.folder, user=self.user, check=False
        )


def _lives(process: int) -> bool:
    """Say whether a process has not ended; one that has may still be listed, as a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _program(name: str) -> str:
    if folder := os.environ.get("POSTGRES_PROGRAMS"):
        return str(Path(folder) / name)
    found = sorted(Path("/").glob(f"{_PROGRAMS}/{name}".lstrip("/")), key=lambda path: int(path.parts[-3]))
    assert found, "Debian's package postgresql is not installed"
    return str(found[-1])


@contextmanager
def running(**settings: str) -> Iterator[Postgres]:
    """Run a PostgreSQL of one's own, with the role and the database `mail`."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    try:
        made = Postgres(folder, **settings)
        made.start()
        try:
            made.execute(f"CREATE ROLE mail LOGIN PASSWORD '{made.password}'", database="postgres")
            made.execute("CREATE DATABASE mail OWNER mail", database="postgres")
            yield made
        finally:
            made.stop(signal.SIGQUIT)  # nothing of it is to last
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for all tests of this worker. The test is marked `debian("postgresql")`."""
    with running() as made:
        yield made


@contextmanager
def bouncing(server: Postgres, mode: str = "transaction") -> Iterator[str]:
    """Run a PgBouncer before a server; give the folder of its socket, where it listens on the server's port."""
    folder = Path(tempfile.mkdtemp(prefix="bouncer-"))
    if server.user:
        shutil.chown(folder, server.user)
    (folder / "users").write_text('"mail" ""\n')
    (folder / "ini").write_text(_BOUNCER.format(server=server, folder=folder, mode=mode))
    process = subprocess.Popen(["/usr/sbin/pgbouncer", "-q", str(folder / "ini")], user=server.user, cwd=folder)
    try:
        listens = folder / f".s.PGSQL.{server.port}"
        for _ in range(DEADLINE_SECONDS * 20):
            assert process.poll() is None, (folder / "log").read_text()
            if listens.exists():
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield str(folder)
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)
        shutil.rmtree(folder)
