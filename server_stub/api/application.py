"""Kanidm's HTTP API, as far as its message queue reaches (docs/kanidm-wire.md, Endpoints).

Each handler reads its parameters first, then asks who is calling, then acts. If several things are wrong at once, a
real server answers in this order, too. The login adds further routes; misbehaviour is an application around this one.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server_stub.api import answers, limits, listing_faults
from server_stub.api.access import Access, Caller
from server_stub.api.entry_change import permitted, read_change, refuse_creation
from server_stub.api.headers import KanidmHeaders
from server_stub.api.json_body import read_object
from server_stub.api.listing_faults import Faultless, ListingFaults
from server_stub.api.parameters import Query, Shape, message_id, read_query, read_reset
from server_stub.api.raw_path import RawPath
from server_stub.errors import OperationError, RejectedRequest, access_denied, not_found
from server_stub.identity.naming import usual
from server_stub.identity.people import People, Person
from server_stub.queue import credential_reset
from server_stub.queue.entry import compose, listing, reduce, test_message, to_text
from server_stub.queue.filter_sql import compile_filter
from server_stub.queue.store import Store


@dataclass(frozen=True)
class Api:
    """The handlers; one method for each row of docs/kanidm-wire.md, Endpoints."""

    store: Store
    people: People
    access: Access
    faults: ListingFaults = field(default_factory=Faultless)
    clock: Callable[[], int] = time.time_ns
    pages: Iterator[int] = field(default_factory=itertools.count, repr=False)

    async def status(self, _: Request) -> Response:
        """GET /status: true, without a token."""
        return answers.json(True)

    async def own_account(self, request: Request) -> Response:
        """GET /v1/self: the caller's account with its groups."""
        return answers.json(self._caller(request).account.youare())

    async def auth_valid(self, request: Request) -> Response:
        """GET /v1/auth/valid: null for a good token."""
        self._caller(request)
        return answers.json(None)

    async def own_entry(self, request: Request) -> Response:
        """GET /scim/v1/Entry/{id}: the caller's own entry; nobody else's is known here."""
        query = read_query(request.query_params)
        caller = self._caller(request)
        if not caller.account.answers_to(usual(request.path_params["id"])):
            raise not_found()
        return answers.json(_presented(caller.account.entry(), query.shape, caller.access_to_self()))

    async def ready(self, request: Request) -> Response:
        """GET /scim/v1/Message/_ready: all that is due, unpaged, or 500 (docs/kanidm-wire.md, Listing the queue)."""
        caller = self._caller(request)
        if not caller.sees_messages:
            return answers.body(listing([], 0))
        limits.check_unsent(caller, self.store.count_unsent())
        now = self.clock()
        bodies = self.store.ready(now, listing_faults.as_of(self.faults, now))
        limits.check_ready(caller, len(bodies))
        return answers.body(listing(bodies, len(bodies)))

    async def messages(self, request: Request) -> Response:
        """GET /scim/v1/Message: all messages, filtered and paged as asked."""
        query = read_query(request.query_params)
        caller = self._caller(request)
        bodies, total = self._found(query, caller)
        if query.page and query.page.start - 1 > total:
            raise OperationError(500, "sc0029paginationoutofbounds")
        return answers.body(listing([_shown(body, query.shape, caller) for body in bodies], total, query.page))

    async def message(self, request: Request) -> Response:
        """GET /scim/v1/Message/{id}: one message; what is no uuid would be a name, and messages have none."""
        query = read_query(request.query_params)
        caller = self._caller(request)
        try:
            key = message_id(request.path_params["id"])
        except RejectedRequest as error:
            raise not_found() from error
        return answers.body(_shown(self._seen(key, caller), query.shape, caller).encode())

    async def sent(self, request: Request) -> Response:
        """POST /scim/v1/Message/{id}/_sent: sets `sent_at` to now, each time anew."""
        key = message_id(request.path_params["id"])
        caller = self._caller(request)
        self._seen(key, caller)
        if not caller.may_write:
            raise access_denied()
        self.store.mark_sent(key, self.clock())
        return answers.json(None)

    async def change_entry(self, request: Request) -> Response:
        """PUT /scim/v1/Entry: un-sends and delays messages (docs/kanidm-wire.md, Changing an entry)."""
        change = await read_change(request)
        caller = self._caller(request)
        wanted = change.resolved()
        if change.id == caller.account.uuid:
            raise access_denied()
        self._seen(change.id, caller)
        self.store.change(change.id, permitted(wanted, caller))
        return answers.body(_shown(self._seen(change.id, caller), Shape(None, change.access_check), caller).encode())

    async def make_entry(self, request: Request) -> Response:
        """POST /scim/v1/Entry: makes entries of other kinds on a real server, and no message on any."""
        attributes = await read_object(request)
        raise refuse_creation(attributes, self._caller(request))

    async def entry(self, request: Request) -> Response:
        """PUT and POST of one path, which the router takes as one route."""
        return await (self.change_entry(request) if request.method == "PUT" else self.make_entry(request))

    async def send_test(self, request: Request) -> Response:
        """GET /scim/v1/Person/{id}/_message/_send_test: queues a test message; a GET, as there."""
        caller = self._caller(request)
        person = self._person(request)
        if not caller.sees_people:
            raise not_found()
        if not (caller.administers_messages and caller.may_write):
            raise access_denied()
        address = person.primary_address()
        self._queue(test_message(person.addressed()), address)
        return answers.json(None)

    async def send_reset(self, request: Request) -> Response:
        """POST /v1/person/{id}/_credential/_update_intent_send: queues a credential reset."""
        wanted = await read_reset(request)
        caller = self._caller(request)
        person = self._person(request)
        if not caller.resets_credentials:
            raise OperationError(500, "notauthorised")
        address = credential_reset.destination(person, wanted.email)
        self._queue(credential_reset.template(person.addressed(), wanted.ttl, int(time.time())), address)
        return answers.json(None)

    def _caller(self, request: Request) -> Caller:
        cookie = request.cookies.get("bearer")
        return self.access.caller(request.headers.get("authorization"), cookie, time.time())

    def _person(self, request: Request) -> Person:
        person = self.people.find(request.path_params["id"])
        if person is None:
            raise not_found()
        return person

    def _seen(self, key: str, caller: Caller) -> str:
        body = self.store.get(key) if caller.sees_messages else None
        if body is None:
            raise not_found()
        return body

    def _found(self, query: Query, caller: Caller) -> tuple[Sequence[str], int]:
        condition = compile_filter(query.filter)
        if not caller.sees_messages:
            return [], 0
        as_of = listing_faults.as_of(self.faults, self.clock())
        turned = query.page is not None and self.faults.overlapping_pages
        turn = listing_faults.turn(query.page.count, next(self.pages)) if query.page and turned else 0
        bodies, total = self.store.select(condition, query.page, as_of, turn)
        limits.check_listed(caller, total)
        return bodies, total

    def _queue(self, template: dict[str, object], address: str) -> None:
        self.store.add([compose(template, address, self.clock())])


def _shown(body: str, shape: Shape, caller: Caller) -> str:
    if not shape.changes_entries:
        return body
    entry = json.loads(body)
    return to_text(_presented(entry, shape, caller.access_to_message())) if isinstance(entry, dict) else body


def _presented(entry: dict[str, object], shape: Shape, access: dict[str, object]) -> dict[str, object]:
    reduced = reduce(entry, shape.attributes)
    if not shape.access_check:
        return reduced
    head = {key: reduced[key] for key in ("schemas", "id") if key in reduced}
    return head | {"extAccessCheck": access} | reduced


def application(api: Api, extra_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the API as an ASGI application; `extra_routes` are further ones of Kanidm's, the login's."""
    routes = [
        *extra_routes,
        Route("/status", api.status),
        Route("/v1/self", api.own_account),
        Route("/v1/auth/valid", api.auth_valid),
        Route("/v1/person/{id:segment}/_credential/_update_intent_send", api.send_reset, methods=["POST"]),
        Route("/scim/v1/Entry", api.entry, methods=["POST", "PUT"]),
        Route("/scim/v1/Entry/{id:segment}", api.own_entry),
        Route("/scim/v1/Message", api.messages),
        Route("/scim/v1/Message/_ready", api.ready),
        Route("/scim/v1/Message/{id:segment}", api.message),
        Route("/scim/v1/Message/{id:segment}/_sent", api.sent, methods=["POST"]),
        Route("/scim/v1/Person/{id:segment}/_message/_send_test", api.send_test),
    ]
    app = Starlette(
        routes=routes, exception_handlers=answers.ERRORS, middleware=[Middleware(KanidmHeaders), Middleware(RawPath)]
    )
    # Kanidm knows no trailing slashes: they are other paths, and those do not exist.
    app.router.redirect_slashes = False
    return app
