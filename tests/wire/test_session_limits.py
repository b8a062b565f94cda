"""A connection that takes no more mails costs none of them: a new one is opened at once, and later ones in time."""

import asyncio
import re
from dataclasses import replace

import pytest

from mail_sender.relay.pool import SmtpTransport
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Uncertain, Verdict
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, ScriptedRelay
from tests.wire.mails import MAIL, nothing, send, transport

SAID = "452 4.4.5 maximum number of messages per session"


async def send_all(way: SmtpTransport, count: int) -> list[Verdict]:
    """Send so many mails, one after the other."""
    verdicts = [await send(way, replace(MAIL, recipient=f"{number}@example.com")) for number in range(count)]
    await way.close()
    return verdicts


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("MAIL", SAID),
        ("MAIL", "450 4.7.0 later"),
        ("MAIL", "421 4.7.0 too many messages"),
        ("MAIL", "554 5.5.0 message limit for this connection reached"),
        ("MAIL", CUT),
        ("MAIL", "rubbish"),
        ("RCPT", SAID),
        ("RCPT", "421 4.4.5 bye"),
        ("RCPT", CUT),
        ("RCPT", "554 5.7.0 Error: too many transactions"),
        ("DATA", "451 4.5.3 too many mails in this session, reconnect"),
        ("DATA", "421 4.4.5 bye"),
        ("DOT", SAID),
        ("DOT", "554 5.7.0 too many messages on one connection"),
        ("DOT", "451 4.5.3 closing: message limit"),
    ],
)
async def test_a_mail_that_a_used_connection_does_not_take_goes_on_a_new_one(
    authority: Authority, verb: str, reply: str
) -> None:
    """Nine mails through a relay that takes three a connection: all are accepted, and the number is learned."""
    with ScriptedRelay(tls=authority.server(), per_connection=3, then={verb: reply}) as relay:
        verdicts = await send_all(transport(authority, relay.port), 12)
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    assert relay.connections == 4
    refusals = relay.verbs().count("MAIL") - 12
    assert refusals == (1 if re.search("session|connection|transactions|closing", reply) else 2)


async def test_connections_are_given_back_with_a_goodbye_before_the_limit(authority: Authority) -> None:
    """All but the first, on which the limit was met."""
    with ScriptedRelay(tls=authority.server(), per_connection=2, then={"MAIL": SAID}) as relay:
        await send_all(transport(authority, relay.port), 8)
    assert (relay.connections, relay.verbs().count("QUIT")) == (4, 3)


async def test_an_answer_that_a_new_connection_gets_as_well_counts(authority: Authority) -> None:
    """It is not the connection's then, and nothing is learned from it."""
    replies: dict[str, str | list[str]] = {
        "MAIL": ["250 ok", "250 ok", "451 4.3.0 later", "451 4.3.0 later", "250 ok"]
    }
    with ScriptedRelay(replies, tls=authority.server()) as relay:
        verdicts = await send_all(transport(authority, relay.port), 6)
    assert [type(verdict) for verdict in verdicts] == [Accepted, Accepted, Deferred, Accepted, Accepted, Accepted]
    assert relay.connections == 2


async def test_a_refusal_of_one_mail_is_no_reason_for_a_new_connection(authority: Authority) -> None:
    """Neither of its recipient nor of its content, for now or for good."""
    replies: dict[str, str | list[str]] = {
        "RCPT": ["250 ok", "450 4.2.1 greylisted", "550 5.1.1 no such user", "250 ok"],
        "DOT": ["250 ok", "451 4.7.1 later", "250 ok"],
    }
    with ScriptedRelay(replies, tls=authority.server()) as relay:
        verdicts = await send_all(transport(authority, relay.port), 5)
    assert [type(verdict) for verdict in verdicts] == [Accepted, Deferred, Refused, Deferred, Accepted]
    assert relay.connections == 1


@pytest.mark.parametrize(
    "reply", ["500 5.5.1 what?", "502 5.5.1 no", "421 bye", "550 no", "452 later", CUT, "rubbish"]
)
async def test_whatever_rset_gets_only_the_connection_goes(authority: Authority, reply: str) -> None:
    """The mail after a refused one goes on a new connection at once; the refused one keeps its own answer."""
    replies: dict[str, str | list[str]] = {
        "RSET": reply,
        "RCPT": ["550 5.1.1 no", "250 ok", "550 5.1.1 no", "250 ok"],
    }
    with ScriptedRelay(replies, tls=authority.server()) as relay:
        verdicts = await send_all(transport(authority, relay.port), 5)
    assert [type(verdict) for verdict in verdicts] == [Refused, Accepted, Refused, Accepted, Accepted]
    assert relay.connections == 3


async def test_a_cut_at_the_dot_is_never_answered_by_a_second_try(authority: Authority) -> None:
    """On a used connection either: the mail may have arrived."""
    with ScriptedRelay(tls=authority.server(), per_connection=1, then={"DOT": CUT}) as relay:
        verdicts = await send_all(transport(authority, relay.port), 2)
    assert isinstance(verdicts[1], Uncertain)
    assert len(relay.mails) == 2


async def test_a_relay_that_went_away_meanwhile_is_down(authority: Authority) -> None:
    """The second try's verdict is the one that counts."""
    with ScriptedRelay(tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        await send(way)
    verdict = await send(way)
    assert isinstance(verdict, RelayDown)


async def test_the_dot_is_announced_before_each_dot(authority: Authority) -> None:
    """A mail that was refused at its dot for the sake of the connection has a second one."""
    said = asyncio.Queue[str]()

    async def before_dot() -> None:
        said.put_nowait("dot")

    with ScriptedRelay(tls=authority.server(), per_connection=1, then={"DOT": SAID}) as relay:
        way = transport(authority, relay.port)
        await way.send(MAIL, nothing)
        assert isinstance(await way.send(MAIL, before_dot), Accepted)
        await way.close()
    assert said.qsize() == 2
