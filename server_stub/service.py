"""Everything that `server-stub serve` runs, in one event loop.

What is kept is loaded or made, then all ports are bound, then the files for people are written, then everything
listens, and only then the ready file appears. SIGTERM or SIGINT closes the listeners, lets answers under way finish
for a short while, and ends the process with 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import socket
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import typer
import uvicorn
from starlette.applications import Starlette

from server_stub import api, certificates, identity, people, web
from server_stub.access import Doorkeeper
from server_stub.certificates import ServerCertificate
from server_stub.configs import write_configs, write_ready_file
from server_stub.directory import Directory
from server_stub.identity import RELAY_LOGIN, Identity
from server_stub.mailbox import Mailbox
from server_stub.ports import Ports, bind, numbers
from server_stub.relay import Login, Relay
from server_stub.store import Store

GRACE_SECONDS = 2


@dataclass(frozen=True)
class Settings:
    """What `serve` was asked for."""

    directory: Directory
    host: str
    ports: Ports
    people: Path | None
    ready_file: Path | None


@dataclass(frozen=True)
class Kept:
    """What lies in DIR from one start to the next."""

    identity: Identity
    certificate: ServerCertificate
    store: Store
    mailbox: Mailbox


def run(settings: Settings) -> None:
    """Serve until a signal. Raises StubError where the start fails."""
    os.umask(0o077)
    everybody = people.load(settings.people)
    directory = settings.directory
    directory.prepare()
    directory.lock()
    if settings.ready_file:
        settings.ready_file.unlink(missing_ok=True)
    kept = _load(directory)
    bound = bind(settings.host, settings.ports)
    write_configs(directory, kept.identity, numbers(bound))
    asyncio.run(_serve(settings, kept, everybody, bound))
    kept.store.close()


def _load(directory: Directory) -> Kept:
    return Kept(
        identity=identity.ensure(directory, int(time.time())),
        certificate=certificates.ensure(directory, dt.datetime.now(dt.UTC)),
        store=Store.open(directory.queue, create=True),
        mailbox=Mailbox(directory.mail),
    )


async def _serve(settings: Settings, kept: Kept, everybody: people.People, bound: dict[str, socket.socket]) -> None:
    stop = _stop_on_signals()
    doorkeeper = Doorkeeper(kept.identity.keyring(), kept.identity.accounts())
    login = Login(RELAY_LOGIN, kept.identity.relay_password)
    relay = Relay(login, kept.mailbox, settings.directory.refusals, kept.certificate.context())
    sites = [
        Site(api.application(api.Api(kept.store, everybody, doorkeeper)), bound["api"], kept.certificate),
        Site(web.application(web.Web(kept.store, kept.mailbox)), bound["web"]),
    ]
    listeners = await relay.listen(bound["smtps"], bound["smtp"])
    running = [await site.start() for site in sites]
    _announce(settings, numbers(bound))
    await stop.wait()
    for listener in listeners:
        listener.close()
    for site in sites:
        site.server.should_exit = True
    await asyncio.gather(*running)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _announce(settings: Settings, ports: Ports) -> None:
    folder = settings.directory
    typer.echo(f"The stub identity server is running on {settings.host}; its files are in {folder.root}")
    typer.echo(f"  API        https://localhost:{ports.api}")
    typer.echo(f"  relay      smtps://localhost:{ports.smtps} and smtp://localhost:{ports.smtp} (STARTTLS)")
    typer.echo(f"  queue and mail, to look at: http://localhost:{ports.web}/")
    typer.echo("Next, in another terminal:")
    typer.echo(f"  server-stub message-queue send-test-message ellie --dir {folder.root}")
    typer.echo(f"  mail-sender -c {folder.client_config} -m {folder.sender_config}")
    typer.echo("Ctrl-C stops it; its queue and mail stay.")
    if settings.ready_file:
        write_ready_file(settings.ready_file, ports)
    typer.echo("ready")


class Site:
    """One uvicorn server on a bound socket, with TLS where it has a certificate."""

    def __init__(self, app: Starlette, bound: socket.socket, certificate: ServerCertificate | None = None) -> None:
        config = uvicorn.Config(
            app,
            ssl_certfile=certificate.chain if certificate else None,
            ssl_keyfile=str(certificate.key) if certificate else None,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self.server = _Server(config)
        self._bound = bound

    async def start(self) -> asyncio.Task[None]:
        """Return the task that serves, once it answers."""
        serving = asyncio.create_task(self.server.serve([self._bound]))
        await self.server.listening.wait()
        return serving


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
