"""ASGI middleware around the API that applies the rules to each call."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.misbehaviour.api_rule import ApiAct, call_of
from server_stub.misbehaviour.canned_answer import canned
from server_stub.misbehaviour.exchange import Exchange, lose_answer, reset, truncate


class MisbehavingApi:
    """ASGI middleware, the outermost: a proxy's answers carry none of Kanidm's headers.

    The server's protocol must be `exchange.HangUpProtocol`.
    """

    def __init__(self, app: ASGIApp, misbehaviour: Misbehaviour) -> None:
        self.app = app
        self.misbehaviour = misbehaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do to this request what the rules want."""
        exchange = Exchange(self.app, scope, receive, send)
        if scope["type"] != "http":
            await exchange.pass_on()
            return
        act = self.misbehaviour.at_call(call_of(scope["method"], scope["path"]))
        await asyncio.sleep(act.latency_ms / 1000)
        await _act(act, exchange)


async def _act(act: ApiAct, exchange: Exchange) -> None:
    if act.cut == "before":
        await reset(exchange)
    elif act.cut == "in_body":
        await truncate()(exchange)
    elif act.lose_answer:
        await lose_answer(exchange)
    elif act.status:
        await canned(act)(exchange.scope, exchange.receive, exchange.send)
    else:
        await exchange.pass_on()
