"""The identity server of a campaign: the stub's own API over real HTTP, a queue for each case, and faults on order.

One server carries all cases; the bearer token says whose queue is meant. A queue keeps the stub's store in memory,
and a log of every call: what was asked, what was answered, and what it changed. Faults are the stub's, in front of its
application, so that a mark can be applied and its answer lost.

    rig.api.fault(status(503, retry_after="2"), path="_ready", times=3)
    rig.api.fault(lose_answer, path="_sent")
    rig.api.mend()                                  # no more faults from here on
"""

import asyncio
import json
import re
import socket
import sqlite3
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Self, cast

from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import Message, Receive, Scope, Send

from server_stub.api.access import Access
from server_stub.api.application import Api, application
from server_stub.http_server import HttpServer
from server_stub.identity import accounts
from server_stub.identity.identity_file import api_payload
from server_stub.identity.people import People
from server_stub.identity.tokens import Keyring
from server_stub.misbehaviour.exchange import Exchange, Fault, HangUpProtocol
from server_stub.queue import entry, store
from tests.faults.rig_changes import Changes
from tests.faults.rig_clock import FastClock

_SENT = re.compile(r"^/scim/v1/Message/([0-9a-f-]{36})/_sent$")


@dataclass(frozen=True)
class Call:
    """One request, and what became of it: `status` is None where no answer went out whole.

    `marks` is the message whose mark was applied by it.
    """

    at: datetime
    method: str
    path: str
    status: int | None
    marks: uuid.UUID | None


@dataclass
class _Rule:
    fault: Fault
    method: str
    path: str
    times: int


class ApiQueue:
    """One case's queue, with its token, its faults and its log.

    `store` is the stub's. While it is `deaf`, every connection is cut: whoever asks is dead already.
    """

    def __init__(self, token: str, access: Access, clock: FastClock, changes: Changes) -> None:
        self.token = token
        self.calls: list[Call] = []
        self.deaf = False
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.executescript(store.SCHEMA)
        self.store = store.Store(connection)
        self._app = application(Api(self.store, People(), access))
        self._clock = clock
        self._changes = changes
        self._rules: list[_Rule] = []

    def fault(self, fault: Fault, *, path: str = "", method: str = "", times: int = 1) -> None:
        """Have the next calls fail whose path holds `path` and whose method is `method`, where that is given."""
        self._rules.append(_Rule(fault, method, path, times))

    def mend(self) -> None:
        """Take all faults away."""
        self._rules.clear()

    def add(self, message: dict[str, object]) -> uuid.UUID:
        """Queue an entry; what it leaves out is filled in as the stub does it."""
        (id_,) = self.store.add([entry.complete(message, time.time_ns())])
        return uuid.UUID(id_)

    def sent_at(self, message: uuid.UUID) -> str | None:
        """Return when a message was marked as sent."""
        body = self.store.get(str(message))
        found = json.loads(body).get("sent_at") if body else None
        return cast("str | None", found)

    def marks(self, message: uuid.UUID) -> list[Call]:
        """Return the calls that marked a message as sent."""
        return [call for call in self.calls if call.marks == message]

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; faults first."""
        if self.deaf:
            await Exchange(self._app, scope, receive, send).cut()
            return
        at, answered = self._clock.now(), list[int]()

        async def note(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                answered.append(message["status"])

        exchange = Exchange(self._app, scope, receive, note)
        marks = self._marked_by(scope)
        before = self.sent_at(marks) if marks else None
        rule = self._rule(scope)
        try:
            await (rule.fault(exchange) if rule else exchange.pass_on())
        finally:
            applied = marks if marks and self.sent_at(marks) != before else None
            whole = answered[0] if answered else None
            self.calls.append(Call(at, scope["method"], scope["path"], whole, applied))
            self._changes.ring()

    def close(self) -> None:
        """Forget the queue."""
        self.store.close()

    def _rule(self, scope: Scope) -> _Rule | None:
        for rule in self._rules:
            if rule.times > 0 and rule.path in scope["path"] and rule.method in {"", scope["method"]}:
                rule.times -= 1
                return rule
        return None

    def _marked_by(self, scope: Scope) -> uuid.UUID | None:
        found = _SENT.match(scope["path"])
        return uuid.UUID(found[1]) if found else None


class ApiServer:
    """The server of all queues, on a free port of loopback."""

    def __init__(self) -> None:
        self._keyring = Keyring(b"a key of the campaign's own", ec.generate_private_key(ec.SECP256R1()))
        account = accounts.Account(accounts.SENDER, str(uuid.uuid4()), f"{0:032}-{uuid.uuid4()}")
        self._account = account.uuid
        self._access = Access(self._keyring, {account.uuid: account})
        self._queues: dict[str, ApiQueue] = {}

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._site = HttpServer(self, listener, protocol=HangUpProtocol)
        self._serving = await self._site.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._site.server.should_exit = self._site.server.force_exit = True
        await self._serving

    def open_queue(self, clock: FastClock, changes: Changes) -> ApiQueue:
        """Return a new queue with a token of its own."""
        label = uuid.uuid4().hex
        token = self._keyring.sign_for_service(api_payload(self._account, label, "readwrite", int(time.time())))
        self._queues[token] = ApiQueue(token, self._access, clock, changes)
        return self._queues[token]

    def close_queue(self, queue: ApiQueue) -> None:
        """Drop a queue."""
        del self._queues[queue.token]
        queue.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the queue that its token opens: an ASGI application."""
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode("ascii", "replace")
        queue = self._queues.get(authorization.removeprefix("Bearer "))
        if queue is None:
            await Exchange(_nobody, scope, receive, send).answer(401, b'"notauthenticated"')
        else:
            await queue.serve(scope, receive, send)


async def _nobody(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.sleep(0)
