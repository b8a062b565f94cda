"""What the page's buttons do: the same as the API's calls and the command line, or the same refusal in words."""

from __future__ import annotations

import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server_stub.errors import StubError, not_found
from server_stub.identity.people import People, Person
from server_stub.page.snapshot import Misbehaving
from server_stub.queue import credential_reset
from server_stub.queue.entry import compose, test_message
from server_stub.queue.store import Store
from server_stub.relay.mailbox import Mailbox


@dataclass(frozen=True)
class Actions:
    """The handlers of everything that changes something; each answers with a sentence about what it did."""

    store: Store
    mailbox: Mailbox
    people: People
    misbehaviour: Misbehaving

    def routes(self) -> list[Route]:
        """Return all of them, POST only."""
        handlers = {
            "/queue/test/{person}": self.queue_test,
            "/queue/reset/{person}": self.queue_reset,
            "/queue/{key}/sent": self.mark,
            "/queue/{key}/unsent": self.unsend,
            "/mail/{number}/delete": self.delete,
            "/mail/delete": self.delete_all,
            "/misbehaviour": self.misbehave,
            "/misbehaviour/clear": self.behave,
        }
        return [Route(path, handler, methods=["POST"]) for path, handler in handlers.items()]

    async def queue_test(self, request: Request) -> Response:
        """Queue a test message to a person."""
        person = self._person(request)
        address = person.primary_address()
        return self._queue(test_message(person.addressed()), address)

    async def queue_reset(self, request: Request) -> Response:
        """Queue a credential reset to a person, for as long as Kanidm's default."""
        person = self._person(request)
        address = credential_reset.destination(person, None)
        return self._queue(credential_reset.template(person.addressed(), None, int(time.time())), address)

    async def mark(self, request: Request) -> Response:
        """Say that an entry was sent."""
        if not self.store.mark_sent(request.path_params["key"], time.time_ns()):
            raise not_found()
        return done("Marked as sent.")

    async def unsend(self, request: Request) -> Response:
        """Make an entry as if it had not been sent."""
        key = request.path_params["key"]
        if not self.store.unsend(key):
            raise not_found()
        return done(
            "Un-sent: the queue lists it again. If mail-sender has mailed it, it does not mail it again by itself: "
            f"it logs “unsent” 15 minutes after the mark. “mail-sender queue resend {key[:8]}” mails it at once."
        )

    async def delete(self, request: Request) -> Response:
        """Delete one mail; one that is gone already is no fault."""
        self.mailbox.delete([request.path_params["number"]])
        return done("Deleted.")

    async def delete_all(self, _: Request) -> Response:
        """Delete all mails."""
        count = self.mailbox.clear()
        return done(f"Deleted {count} mail{'' if count == 1 else 's'}.")

    async def misbehave(self, request: Request) -> Response:
        """Take over the rules in the body, TOML."""
        try:
            text = (await request.body()).decode()
        except UnicodeDecodeError as error:
            raise StubError("The rules are not UTF-8.") from error
        self.misbehaviour.set(text)
        return done("Applied: the rules act from the next request on.")

    async def behave(self, _: Request) -> Response:
        """Drop all rules."""
        self.misbehaviour.clear()
        return done("Cleared: no rule is active.")

    def _person(self, request: Request) -> Person:
        person = self.people.find(request.path_params["person"])
        if person is None:
            raise not_found()
        return person

    def _queue(self, template: dict[str, object], address: str) -> Response:
        (key,) = self.store.add([compose(template, address, time.time_ns())])
        return done(f"Queued for {address}.", key=key)


def done(sentence: str, **more: str) -> Response:
    """Answer what was done."""
    return JSONResponse({"done": sentence, **more})
