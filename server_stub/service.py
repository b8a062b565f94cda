"""Everything that `server-stub serve` runs, in one event loop.

It loads or makes the files of DIR, binds all ports, writes the config files, listens, and writes the ready file last.
Every ten minutes, messages past their `delete_after` are removed, as Kanidm does it. SIGTERM or SIGINT closes the
listeners, gives requests in flight a short while, and ends the process with 0.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import math
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from starlette.types import ASGIApp

from server_stub.api import application as api
from server_stub.api import login
from server_stub.api.access import Access
from server_stub.api.login_attempts import LoginAttempts
from server_stub.api.revoked_sessions import RevokedSessions
from server_stub.certificates import server_certificate
from server_stub.certificates.server_certificate import ServerCertificate
from server_stub.folder.directory import Directory
from server_stub.http_server import HttpServer
from server_stub.identity import identity_file, people
from server_stub.identity.identity_file import RELAY_LOGIN, Identity
from server_stub.identity.people import People
from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.misbehaviour.exchange import HangUpProtocol
from server_stub.misbehaviour.misbehaving_api import MisbehavingApi
from server_stub.page import application as web
from server_stub.queue.store import HURRIED_SECONDS, Store
from server_stub.relay import refusals, relay
from server_stub.relay.mailbox import Mailbox
from server_stub.startup.config_files import require_writable, write_configs, write_ready_file
from server_stub.startup.ports import Ports, bind, numbers

PURGE_SECONDS = 600
CROWDED_SECONDS = 10.0
Bound = dict[str, socket.socket]


@dataclass(frozen=True)
class Settings:
    """What `serve` was asked for."""

    directory: Directory
    host: str
    ports: Ports
    people: Path | None = None
    misbehave: Path | None = None
    ready_file: Path | None = None


@dataclass(frozen=True)
class Kept:
    """What lies in DIR from one start to the next."""

    identity: Identity
    certificate: ServerCertificate
    store: Store
    mailbox: Mailbox


@dataclass(frozen=True)
class Stub:
    """All that the listeners share."""

    settings: Settings
    kept: Kept
    people: People
    misbehaviour: Misbehaviour

    def servers(self, bound: Bound) -> list[HttpServer]:
        """Return the API and the page, each on its socket."""
        page = web.Web(self.kept.store, self.kept.mailbox, self.people, self.misbehaviour)
        return [
            HttpServer(self._api(), bound["api"], self.kept.certificate, HangUpProtocol),
            HttpServer(web.application(page, self.settings.host), bound["web"]),
        ]

    def relay(self) -> relay.Relay:
        """Return the relay, which does not listen yet."""
        directory, kept = self.settings.directory, self.kept
        user = relay.Login(RELAY_LOGIN, kept.identity.relay_password)
        tls = relay.RelayTls(directory, kept.certificate)
        return relay.Relay(user, kept.mailbox, directory.refusals, tls, self.misbehaviour)

    def _api(self) -> ASGIApp:
        keyring, accounts = self.kept.identity.keyring(), self.kept.identity.accounts()
        access = Access(keyring, accounts, RevokedSessions(self.settings.directory.revoked_sessions))
        password, issue = self.kept.identity.idm_admin_password, login.Issuer(keyring)
        logins = login.Login(keyring, access, LoginAttempts(accounts, self.people, password, issue))
        queue = api.Api(self.kept.store, self.people, access, self.misbehaviour)
        return MisbehavingApi(api.application(queue, login.routes(logins)), self.misbehaviour)


def run(settings: Settings, ready: Callable[[Ports], None]) -> None:
    """Serve until a signal; call `ready` once everything answers. Raises StubError if the start fails."""
    os.umask(0o077)
    with prepared(settings) as (stub, bound):
        asyncio.run(serve(stub, bound, _stop_on_signals, ready))


@contextmanager
def prepared(settings: Settings) -> Iterator[tuple[Stub, Bound]]:
    """Give all that is needed to serve, with DIR locked. Raises StubError."""
    everybody = people.load(settings.people)
    misbehaviour = Misbehaviour.load(settings.misbehave)
    directory = settings.directory
    directory.prepare()
    with directory.locked():
        if settings.ready_file:
            require_writable(settings.ready_file)
        _check_what_is_read_later(directory)
        stub = Stub(settings, _load(directory, settings.host), everybody, misbehaviour)
        with closing(stub.kept.store) as store, ExitStack() as sockets:
            bound = bind(settings.host, settings.ports)
            for listening in bound.values():
                sockets.enter_context(listening)
            _purge(store)
            misbehaviour.queue_into(store.add)
            write_configs(directory, stub.kept.identity, settings.host, numbers(bound))
            yield stub, bound


async def serve(stub: Stub, bound: Bound, stops: Callable[[], asyncio.Event], ready: Callable[[Ports], None]) -> None:
    """Serve on bound sockets until the event that `stops` returns is set; call `ready` once everything answers."""
    asyncio.get_running_loop().set_exception_handler(_Crowded())
    stop = stops()
    servers = stub.servers(bound)
    listeners = await stub.relay().listen(bound["smtps"], bound["smtp"])
    running = [await server.start() for server in servers]
    purging = asyncio.create_task(_purge_from_time_to_time(stub.kept.store))
    if stub.settings.ready_file:
        write_ready_file(stub.settings.ready_file, numbers(bound))
    ready(numbers(bound))
    await stop.wait()
    purging.cancel()
    for listener in listeners:
        await listener.close()
    for server in servers:
        server.stop()
    await asyncio.gather(*running)


def _check_what_is_read_later(directory: Directory) -> None:
    refusals.reply_for("", directory.refusals)
    RevokedSessions(directory.revoked_sessions).keys()


def _load(directory: Directory, host: str) -> Kept:
    return Kept(
        identity=identity_file.ensure(directory, int(time.time())),
        certificate=server_certificate.ensure(directory, dt.datetime.now(dt.UTC), host),
        store=Store.open(directory.queue, create=True, patience=HURRIED_SECONDS),
        mailbox=Mailbox(directory.mail),
    )


async def _purge_from_time_to_time(store: Store) -> None:
    while True:
        await asyncio.sleep(PURGE_SECONDS)
        _purge(store)


def _purge(store: Store) -> None:
    try:
        store.purge(time.time_ns())
    except sqlite3.OperationalError as error:
        typer.echo(f"Old messages could not be removed ({error}). The next try is in ten minutes.", err=True)


class _Crowded:
    """Says in a sentence, now and then, what asyncio would say in a thousand tracebacks: no descriptor is left."""

    def __init__(self) -> None:
        self._said_at = -math.inf

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in {errno.EMFILE, errno.ENFILE}:
            loop.default_exception_handler(context)
        elif loop.time() - self._said_at > CROWDED_SECONDS:
            self._said_at = loop.time()
            typer.echo("There are too many connections (ulimit -n); new ones wait until others end.", err=True)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
