"""The stub's API and relay with rules of misbehaviour, in the test's own event loop, on real sockets and with real TLS.

`BadApi` puts `MisbehavingApi` around an application that writes down which calls reached it; `BadRelay` is the relay
as it ships. Both are asked by the same clients as the real ones.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosmtplib
import httpx
from starlette.types import Receive, Scope, Send

from server_stub.certificates import server_certificate
from server_stub.folder.directory import Directory
from server_stub.http_server import HttpServer
from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.misbehaviour.exchange import HangUpProtocol
from server_stub.misbehaviour.misbehaving_api import MisbehavingApi
from server_stub.relay.mailbox import Mailbox
from server_stub.relay.relay import Login, Relay, RelayTls

SECONDS = 10.0  # a test that meets this deadline has failed
USER, PASSWORD = "mail-sender", "a-password"
SENDER, ELLIE, BOB = "idm@example.com", "ellie@example.com", "bob@example.com"
MAIL = b"From: idm@example.com\r\nTo: ellie@example.com\r\nSubject: Hello\r\n\r\nHi\r\n"
ANSWER = b'{"schemas":[],"totalResults":0,"resources":[]}'


def _directory(folder: Path) -> Directory:
    directory = Directory.at(folder / "stub")
    directory.prepare()
    return directory


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


class BadApi:
    """An API whose calls are written down as `reached`; all are answered by the same small list."""

    def __init__(self, folder: Path, text: str) -> None:
        directory = _directory(folder)
        self.misbehaviour = Misbehaviour()
        self.misbehaviour.set(text)
        self.reached: list[str] = []
        self._certificate = server_certificate.ensure(directory, dt.datetime.now(dt.UTC))
        self._trust = ssl.create_default_context(cafile=str(directory.ca))

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        self.reached.append(scope["path"])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Serve, and give a client that trusts this server."""
        bound = _listening()
        api = MisbehavingApi(self._application, self.misbehaviour)
        site = HttpServer(api, bound, self._certificate, HangUpProtocol)
        serving = await site.start()
        url = f"https://localhost:{bound.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, verify=self._trust, trust_env=False, timeout=SECONDS) as client:
            yield client
        site.stop()
        await serving


class BadRelay:
    """The relay under rules."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.directory = _directory(folder)
        self.misbehaviour = Misbehaviour()
        self.misbehaviour.set(text)
        self.certificate = server_certificate.ensure(self.directory, dt.datetime.now(dt.UTC))
        self.ports: dict[str, int] = {}

    @property
    def trust(self) -> ssl.SSLContext:
        """A client context that trusts the stub's CA."""
        return ssl.create_default_context(cafile=str(self.directory.ca))

    @property
    def mails(self) -> int:
        """How many mails were taken."""
        return len(list(self.directory.mail.glob("*.eml")))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[BadRelay]:
        """Listen."""
        bound = {"smtps": _listening(), "smtp": _listening()}
        self.ports = {name: one.getsockname()[1] for name, one in bound.items()}
        tls = RelayTls(self.directory, self.certificate)
        mailbox = Mailbox(self.directory.mail)
        relay = Relay(Login(USER, PASSWORD), mailbox, self.directory.refusals, tls, self.misbehaviour)
        listeners = await relay.listen(bound["smtps"], bound["smtp"])
        try:
            yield self
        finally:
            for listener in listeners:
                await listener.close()

    def client(self, listener: str, trust: ssl.SSLContext | None = None, timeout: float = SECONDS) -> aiosmtplib.SMTP:
        """Return a client that is not connected yet; with `smtp` it starts TLS by itself."""
        return aiosmtplib.SMTP(
            hostname="localhost",
            port=self.ports[listener],
            use_tls=listener == "smtps",
            start_tls=listener == "smtp",
            tls_context=trust or self.trust,
            timeout=timeout,
        )

    @asynccontextmanager
    async def logged_in(
        self, listener: str = "smtps", trust: ssl.SSLContext | None = None
    ) -> AsyncIterator[aiosmtplib.SMTP]:
        """Give a client that may send."""
        client = self.client(listener, trust)
        await client.connect()
        await client.login(USER, PASSWORD)
        try:
            yield client
        finally:
            client.close()

    async def send(self, *recipients: str, listener: str = "smtps") -> None:
        """Send one mail on a connection of its own."""
        async with self.logged_in(listener) as client:
            await client.sendmail(SENDER, list(recipients or (ELLIE,)), MAIL)
