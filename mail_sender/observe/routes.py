"""What the listener answers: whether the sender is alive and ready, its metrics, and a page for people.

1. Alive: the loops turn. Whoever is not alive gets restarted, so that a ledger that is slow is not asked.
2. Ready: polls succeed and the relay's breaker is closed. A sender that stands by is alive, and not ready.
3. Nobody logs in here. Names, kinds and times are told; no text of a server or relay, no address, no secret.
"""

from collections.abc import Callable, Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mail_sender.observe.metrics import CONTENT_TYPE, Metrics
from mail_sender.observe.page.routes import page_routes
from mail_sender.observe.status import ConditionStatus, Status
from mail_sender.observe.watched import STANDING_BY, TOO_BUSY, Watched
from mail_sender.web.gate import FAULTS
from mail_sender.web.kept import Kept


def application(watched: Callable[[], Watched | None], metrics: Metrics) -> Starlette:
    """Return the application; `watched` gives what it shows, None while the sender stands by."""

    async def alive(_: Request) -> Response:
        late = [] if (now := watched()) is None else now.late()
        why = [f"the loop {one.loop} is {one.seconds:.0f} s late" for one in late]
        return _health("alive", why)

    async def ready(_: Request) -> Response:
        if (now := watched()) is None:
            return _health("ready", [STANDING_BY])
        if (status := await now.status_in_time()) is None:
            return _health("ready", [TOO_BUSY])
        is_ready = status.sender is not None and status.sender.ready
        warnings = [_said(one) for one in status.conditions if not one.blocks]
        return _health("ready", [] if is_ready else [*_why_not_ready(status)], warnings=warnings)

    async def metrics_now() -> Response:
        status = None if (now := watched()) is None else await now.status_in_time()
        text = metrics.exposition(status, is_standing_by=now is None)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    routes = [
        *page_routes(watched),
        Route("/health/alive", alive),
        Route("/health/ready", ready),
        Route("/metrics", Kept(metrics_now).answer),
    ]
    found = Starlette(routes=routes, exception_handlers=FAULTS)
    found.router.redirect_slashes = False  # it would redirect to whatever host the request names
    return found


def _health(name: str, why: list[str], **more: list[str]) -> Response:
    return JSONResponse({name: not why, "why": why, **more}, 503 if why else 200)


def _said(one: ConditionStatus) -> str:
    return f"{one.name}: {one.kind} since {one.since:%Y-%m-%dT%H:%M:%SZ}"


def _why_not_ready(status: Status) -> Iterator[str]:
    yield from (_said(one) for one in status.conditions if one.blocks)
    if status.relay is not None and not status.relay.carries and status.stand_in is None:
        yield f"the breaker of the relay is {status.relay.breaker}"
    yield "`mail-sender status` says more"
