"""Kanidm's HTTP API, as far as its message queue reaches (wire section 3).

Each handler reads its parameters first, then asks who is calling, then acts: in that order a real server answers
when several things are wrong at once. Login, PUT on entries and misbehaviour will be further routes here.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from server_stub import credential_reset
from server_stub.access import Caller, Doorkeeper
from server_stub.entry import compose, listing, reduce, test_message, to_text
from server_stub.errors import OperationError, RejectedRequest, access_denied, not_found
from server_stub.headers import KanidmHeaders
from server_stub.parameters import Query, message_id, read_query, read_reset
from server_stub.people import People, Person
from server_stub.store import Store

READY_LIMIT = 16_384
ALLOWED = {"GET": "GET,HEAD", "POST": "POST"}


@dataclass(frozen=True)
class Api:
    """The handlers; one method for each row of wire section 3."""

    store: Store
    people: People
    doorkeeper: Doorkeeper

    async def status(self, _: Request) -> Response:
        """GET /status: true, without a token."""
        return _json(True)

    async def own_account(self, request: Request) -> Response:
        """GET /v1/self: the caller's account with its groups."""
        return _json(self._caller(request).account.youare())

    async def auth_valid(self, request: Request) -> Response:
        """GET /v1/auth/valid: null for a good token."""
        self._caller(request)
        return _json(None)

    async def own_entry(self, request: Request) -> Response:
        """GET /scim/v1/Entry/{id}: the caller's own entry; nobody else's is known here."""
        query = read_query(request.query_params)
        caller = self._caller(request)
        if not caller.account.answers_to(request.path_params["id"]):
            raise not_found()
        return _json(_presented(caller.account.entry(), query, caller.access_to_self()))

    async def ready(self, request: Request) -> Response:
        """GET /scim/v1/Message/_ready: all that is due, unpaged; 500 from 16,384 unsent on (wire section 7)."""
        if not self._caller(request).sees_messages:
            return _body(listing([], 0))
        if self.store.count_unsent() >= READY_LIMIT:
            raise OperationError(500, "backend")
        bodies = self.store.ready(time.time_ns())
        return _body(listing(bodies, len(bodies)))

    async def messages(self, request: Request) -> Response:
        """GET /scim/v1/Message: all messages, filtered and paged as asked."""
        query = read_query(request.query_params)
        caller = self._caller(request)
        bodies, total = self.store.select(query.condition, query.page) if caller.sees_messages else ([], 0)
        if query.page and query.page.start - 1 > total:
            raise OperationError(500, "sc0029paginationoutofbounds")
        return _body(listing([_shown(body, query, caller) for body in bodies], total, query.page))

    async def message(self, request: Request) -> Response:
        """GET /scim/v1/Message/{id}: one message; what is no uuid would be a name, and messages have none."""
        query = read_query(request.query_params)
        caller = self._caller(request)
        try:
            key = message_id(request.path_params["id"])
        except RejectedRequest as error:
            raise not_found() from error
        body = self.store.get(key) if caller.sees_messages else None
        if body is None:
            raise not_found()
        return _body(_shown(body, query, caller).encode())

    async def sent(self, request: Request) -> Response:
        """POST /scim/v1/Message/{id}/_sent: sets `sent_at` to now, each time anew."""
        key = message_id(request.path_params["id"])
        caller = self._caller(request)
        if not caller.sees_messages or self.store.get(key) is None:
            raise not_found()
        if not caller.may_write:
            raise access_denied()
        self.store.mark_sent(key, time.time_ns())
        return _json(None)

    async def send_test(self, request: Request) -> Response:
        """GET /scim/v1/Person/{id}/_message/_send_test: queues a test message; a GET, as there."""
        caller = self._caller(request)
        person = self._person(request)
        if not caller.sees_people:
            raise not_found()
        if not (caller.administers_messages and caller.may_write):
            raise access_denied()
        if not person.mail:
            raise OperationError(500, {"missingattribute": "mail"})
        self._queue(test_message(_displayname(person)), person.mail[0])
        return _json(None)

    async def send_reset(self, request: Request) -> Response:
        """POST /v1/person/{id}/_credential/_update_intent_send: queues a credential reset."""
        wanted = await read_reset(request)
        caller = self._caller(request)
        person = self._person(request)
        if not caller.resets_credentials:
            raise OperationError(500, "notauthorised")
        address = credential_reset.destination(person, wanted.email)
        self._queue(credential_reset.template(_displayname(person), wanted.ttl, int(time.time())), address)
        return _json(None)

    def _caller(self, request: Request) -> Caller:
        cookie = request.cookies.get("bearer")
        return self.doorkeeper.admit(request.headers.get("authorization"), cookie, time.time())

    def _person(self, request: Request) -> Person:
        person = self.people.find(request.path_params["id"])
        if person is None:
            raise not_found()
        return person

    def _queue(self, template: dict[str, object], address: str) -> None:
        self.store.add([compose(template, address, time.time_ns())])


def _displayname(person: Person) -> str:
    if person.displayname is None:
        raise OperationError(500, {"missingattribute": "displayname"})
    return person.displayname


def _shown(body: str, query: Query, caller: Caller) -> str:
    if not query.changes_entries:
        return body
    entry = json.loads(body)
    return to_text(_presented(entry, query, caller.access_to_message())) if isinstance(entry, dict) else body


def _presented(entry: dict[str, object], query: Query, access: dict[str, object]) -> dict[str, object]:
    reduced = reduce(entry, query.attributes)
    if not query.access_check:
        return reduced
    head = {key: reduced[key] for key in ("schemas", "id") if key in reduced}
    return head | {"extAccessCheck": access} | reduced


def _body(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


def _json(value: object, status: int = 200) -> Response:
    return _body(to_text(value).encode(), status)


def _operation_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, OperationError):
        raise error
    response = _json(error.body, error.status)
    if error.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _queue_is_locked(_: Request, __: Exception) -> Response:
    return _json("databaselockacquisitiontimeout", 500)


def _rejected(_: Request, error: Exception) -> Response:
    if not isinstance(error, RejectedRequest):
        raise error
    return PlainTextResponse(error.text, error.status)


def _route_not_found(_: Request, __: Exception) -> Response:
    return PlainTextResponse("Route not found", 404)


def _method_not_allowed(_: Request, error: Exception) -> Response:
    # The router's own list stands in no order; Kanidm's has one.
    allowed = error.headers or {} if isinstance(error, HTTPException) else {}
    method = "POST" if "POST" in allowed.get("Allow", "") else "GET"
    return Response(status_code=405, headers={"allow": ALLOWED[method]})


ERRORS: dict[int | type[Exception], ExceptionHandler] = {
    404: _route_not_found,
    405: _method_not_allowed,
    OperationError: _operation_error,
    RejectedRequest: _rejected,
    sqlite3.OperationalError: _queue_is_locked,
}


def application(api: Api) -> Starlette:
    """Return the API as an ASGI application."""
    routes = [
        Route("/status", api.status),
        Route("/v1/self", api.own_account),
        Route("/v1/auth/valid", api.auth_valid),
        Route("/v1/person/{id}/_credential/_update_intent_send", api.send_reset, methods=["POST"]),
        Route("/scim/v1/Entry/{id}", api.own_entry),
        Route("/scim/v1/Message", api.messages),
        Route("/scim/v1/Message/_ready", api.ready),
        Route("/scim/v1/Message/{id}", api.message),
        Route("/scim/v1/Message/{id}/_sent", api.sent, methods=["POST"]),
        Route("/scim/v1/Person/{id}/_message/_send_test", api.send_test),
    ]
    app = Starlette(routes=routes, exception_handlers=ERRORS, middleware=[Middleware(KanidmHeaders)])
    # Kanidm knows no trailing slashes: they are other paths, and those do not exist.
    app.router.redirect_slashes = False
    return app
