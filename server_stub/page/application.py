"""The web page: the queue on the left, the mail that arrived on the right.

Its files lie in `files/` and are plain HTML, CSS and JavaScript; this module answers their requests. GET reads, POST
changes (`actions`); `same_origin` checks both. A mail's HTML is served by itself, for a sandboxed frame.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler

from server_stub.errors import OperationError, StubError
from server_stub.identity.people import People
from server_stub.page import clean_html, mail_view, refusal
from server_stub.page.actions import Actions
from server_stub.page.mail_parts import parse
from server_stub.page.queue_view import Entry
from server_stub.page.same_origin import SameOriginOnly
from server_stub.page.snapshot import Misbehaving, Watch
from server_stub.queue.store import Store
from server_stub.relay.mailbox import Mail, Mailbox

FILES = Path(__file__).with_name("files")
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Web:
    """The handlers of everything that only looks."""

    store: Store
    mailbox: Mailbox
    people: People
    misbehaviour: Misbehaving

    def routes(self) -> list[Route]:
        """Return all of them, those of the page's files first."""
        watch = Watch(self.store, self.mailbox, self.misbehaviour)

        async def state(request: Request) -> Response:
            return _snapshot(request, watch)

        return [
            *(_file(path) for path in sorted(FILES.iterdir()) if path.suffix in KINDS),
            Route("/state", state),
            Route("/people", self.everybody),
            Route("/presets", self.presets),
            Route("/queue/{key}", self.entry),
            Route("/mail/{number}", self.mail),
            Route("/mail/{number}/html", self.html),
        ]

    async def everybody(self, _: Request) -> Response:
        """Answer to whom messages can go."""
        people = self.people.everybody
        return JSONResponse([{"name": one.name, "displayname": one.displayname, "mail": one.mail} for one in people])

    async def presets(self, _: Request) -> Response:
        """Answer ready-made misbehaviour."""
        return JSONResponse(
            [_preset(path.read_text(encoding="utf-8")) for path in sorted(FILES.glob("presets/*.toml"))]
        )

    async def entry(self, request: Request) -> Response:
        """Answer one entry in full."""
        body = self.store.get(request.path_params["key"])
        if body is None:
            raise HTTPException(404, "There is no such entry in the queue (any more).")
        return _json(Entry.parse(body).detail(time.time_ns()))

    async def mail(self, request: Request) -> Response:
        """Answer what the tabs show of a mail."""
        return _json(await asyncio.to_thread(mail_view.reading, self._mail(request)))

    async def html(self, request: Request) -> Response:
        """Answer a mail's HTML with its pictures in it, under a policy of its own."""
        html = await asyncio.to_thread(_cleaned, self._mail(request))
        return HTMLResponse(html.encode("utf-8", "replace"), headers={"content-security-policy": clean_html.POLICY})

    def _mail(self, request: Request) -> Mail:
        mail = self.mailbox.read(request.path_params["number"], mail_view.READ)
        if mail is None:
            raise HTTPException(404, "There is no such mail (any more).")
        return mail


def _cleaned(mail: Mail) -> str:
    parts = parse(mail.content)
    return clean_html.clean((parts.html or "")[: mail_view.SHOWN], parts.pictures)


def application(web: Web, host: str = "localhost") -> ASGIApp:
    """Return the page as an ASGI application; `host` is what the stub listens on."""
    actions = Actions(web.store, web.mailbox, web.people, web.misbehaviour)
    app = Starlette(routes=[*web.routes(), *actions.routes()], exception_handlers=ERRORS)
    return SameOriginOnly(app, host)


def _file(path: Path) -> Route:
    content, kind = path.read_bytes(), KINDS[path.suffix]

    async def answer(_: Request) -> Response:
        return Response(content, media_type=kind)

    return Route("/" if path.name == "index.html" else f"/{path.name}", answer)


def _preset(text: str) -> dict[str, str]:
    # Its first line is a comment, `# name: what it does`.
    name, _, about = text.partition("\n")[0].lstrip("# ").partition(": ")
    return {"name": name, "about": about, "text": text}


def _snapshot(request: Request, watch: Watch) -> Response:
    snapshot = watch.snapshot(time.time_ns())
    headers = {"etag": snapshot.etag}
    if request.headers.get("if-none-match") == snapshot.etag:
        return Response(status_code=304, headers=headers)
    return Response(snapshot.body, media_type="application/json", headers=headers)


def _json(value: object) -> Response:
    return Response(json.dumps(value).encode(), media_type="application/json")


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, OperationError):
        raise error
    who = request.path_params.get("person", "The entry")
    return _sentence(409, refusal.sentence(error, who))


def _wrong(_: Request, error: Exception) -> Response:
    return _sentence(422, str(error))


def _locked(_: Request, error: Exception) -> Response:
    return _sentence(503, f"The queue cannot be used right now ({error}); try again.")


def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _broken(_: Request, error: Exception) -> Response:
    return _sentence(500, f"The stub itself failed ({type(error).__name__}); please report how.")


def _sentence(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


ERRORS: dict[int | type[Exception], ExceptionHandler] = {
    HTTPException: _http,
    OperationError: _refused,
    StubError: _wrong,
    sqlite3.OperationalError: _locked,
    Exception: _broken,
}
