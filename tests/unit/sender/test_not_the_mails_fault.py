"""Refusals that are not the mail's fault: the account, a quota, the pace. No mail fails, and each goes out once."""

from collections import Counter
from datetime import timedelta

import pytest

from mail_sender.ledger.states import State
from mail_sender.verdict import Stage, Verdict
from tests.support.known_replies import on
from tests.support.samples import DAY, HOUR, MINUTE, NO, NOW, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

SEND_AS = on(Stage.DOT, "554 5.2.252 SendAsDenied; a@example.net not allowed to send as idm@example.com")
LIMIT = on(Stage.RCPT, "550 5.4.5 Daily user sending limit exceeded")
HOUR_USED_UP = on(Stage.RCPT, "450 4.7.1 this account has used up its mails for this hour")
DISK_FULL = on(Stage.DOT, "451 4.3.0 Error: queue file write error")
NO_DNS = on(Stage.RCPT, "450 4.1.2 <a@example.com>: Recipient address rejected: Domain not found")
POLICY = on(Stage.DOT, "554 5.7.1 rejected by policy")
DOMAIN_BUSY = on(Stage.RCPT, "450 4.7.1 rate limited, try again in 5 minutes")
RATE = on(Stage.DOT, "454 Throttling failure: Maximum sending rate exceeded")
EACH_MINUTE = "0 * * * * *"
REJECTED = on(Stage.DOT, "550 rejected")


@pytest.mark.parametrize(("refusal", "domains"), [(SEND_AS, 6), (LIMIT, 1)], ids=str)
async def test_two_days_of_it_end_with_every_mail_sent_once_that_has_not_expired(
    refusal: Verdict, domains: int
) -> None:
    """One mail at a time probes, the log says it once, and nothing is final but what ran out of time."""
    messages = [
        message(f"{number}@{number % domains}.example", send_after=NOW + number * HOUR, number=number + 1)
        for number in range(48)
    ]
    async with bench(*messages, schedule="0 */10 * * * *") as table:
        await refused_for(table, refusal, 2 * DAY)
        table.transport.always(None)
        await table.run(HOUR.total_seconds())
        found = await table.counts()
        assert found[State.SENT] >= 22
        assert found[State.SENT] + found[State.EXPIRED] == 48
        assert {*Counter(mail.recipient for mail in table.transport.arrived).values()} == {1}
        assert table.said("relay_down", "relay_up", "failed", "abandoned") == ["relay_down", "relay_up"]


@pytest.mark.parametrize("refusal", [HOUR_USED_UP, DISK_FULL], ids=str)
async def test_temporary_refusals_of_that_kind_cost_no_mail_an_attempt(refusal: Verdict) -> None:
    """However long they last, and however few mails there are."""
    of = message("a@example.com")
    async with bench(of, schedule=EACH_MINUTE) as table:
        await refused_for(table, refusal, 3 * HOUR)
        assert [found.attempts for found in await table.deliveries(of)] == [0]


async def refused_for(table: Bench, refusal: Verdict, lasts: timedelta) -> None:
    """Have the relay refuse every mail for so long, and see that it costs none of them anything but its time."""
    table.transport.always(refusal)
    await table.run(lasts.total_seconds())
    assert set(await table.counts()) <= {State.QUEUED, State.EXPIRED}
    assert table.said("relay_down", "relay_up", "failed", "abandoned") == ["relay_down"]
    assert len({*table.transport.times}) == len(table.transport.times)


async def test_the_log_says_once_what_to_do_about_a_quota() -> None:
    """And not that the login is wrong."""
    async with bench(message("a@example.com"), message("b@example.com"), schedule=EACH_MINUTE) as table:
        table.transport.always(LIMIT)
        await table.run(3600)
        (down,) = table.facts("relay_down")
        assert "used up what it may send" in down["message"]
        assert "raise the limit at the provider" in down["message"]
        assert len(table.transport.tried) <= 12


async def test_a_relay_that_wants_mail_more_slowly_gets_it_so_and_the_log_says_how() -> None:
    """No attempt is counted, and the mail arrives."""
    async with bench(first := message("a@example.com")) as table:
        table.transport.script("a@example.com", RATE, RATE)
        await table.run(60)
        assert await table.counts() == {State.SENT: 1}
        assert [found.attempts for found in await table.deliveries(first)] == [1]
        pace = [event["message"] for event in table.facts("throttled")]
        assert pace[-1] == "the relay wants mail more slowly: it gets one every 0.5 s; no attempt is counted"
        assert table.said("relay_down", "deferred") == []


async def test_a_relay_that_finds_no_recipients_domain_for_hours_has_no_mail_abandoned() -> None:
    """Its DNS may fail. What looks like greylisting costs attempts for a quarter of an hour, and then none."""
    async with bench(*(message(f"{n}@{n}.example") for n in range(12)), schedule=EACH_MINUTE) as table:
        table.transport.always(NO_DNS)
        await table.run(2 * 3600)
        assert await table.counts() == {State.QUEUED: 12}
        assert table.said("relay_down", "relay_up") == ["relay_down"]
        table.transport.always(None)
        await table.run(300)
        assert await table.counts() == {State.SENT: 12}


@pytest.mark.parametrize("refusal", [HOUR_USED_UP, RATE, DOMAIN_BUSY], ids=str)
async def test_a_mail_that_alone_meets_a_limit_holds_up_nobody_and_costs_nothing(refusal: Verdict) -> None:
    """Its recipient's domain may have a limit of its own: it is tried every two minutes, and others keep their pace."""
    people = [message(f"{n}@{n}.example", send_after=NOW + n * MINUTE / 3, number=n + 9_000) for n in range(90)]
    async with bench(alone := message("a@example.com"), *people, schedule="*/20 * * * * *") as table:
        table.transport.script("a@example.com", *[refusal] * 100)
        await table.run(30 * 60 + 10)
        assert await table.counts() == {State.SENT: 90, State.QUEUED: 1}
        assert [found.attempts for found in await table.deliveries(alone)] == [0]
        assert 5 <= len(table.transport.times_of("a@example.com")) <= 18
        assert table.said("relay_down", "throttled", "deferred").count("relay_down") <= 1
        assert len(table.said("throttled", "deferred")) <= 3


async def test_a_connection_is_kept_for_the_next_mail_to_a_relay_that_wants_them_slowly() -> None:
    """A login for each mail would be one more thing to limit."""
    people = [f"{number}@{number}.example" for number in range(20)]
    async with bench(*map(message, people)) as table:
        for to in people[:2]:
            table.transport.script(to, RATE)
        await table.run(8)
        assert len(table.transport.arrived) > 8
        assert table.transport.closed <= 1  # before the first poll


async def test_a_second_refusal_alike_is_called_the_relays_fault_only_if_the_probe_fails_too() -> None:
    """Here it does not: the second mail is refused for itself afterwards."""
    people = ["a@example.com", "b@example.com", "c@example.com"]
    async with bench(*(message(to, send_after=NOW - (9 - n) * MINUTE) for n, to in enumerate(people))) as table:
        for to in people[:2]:
            table.transport.script(to, *[REJECTED] * 3)
        await table.run(300)
        assert await table.counts() == {State.FAILED: 2, State.SENT: 1}
        assert table.said("relay_down", "put_off") == ["put_off"]


async def test_an_unknown_recipient_is_not_named_as_what_is_wrong_with_a_relay_that_is_down() -> None:
    """It may be the probe of an outage whose cause is known."""
    people = [f"{number}@{number}.example" for number in range(24)]
    async with bench(*map(message, people)) as table:
        for number, to in enumerate(people):
            table.transport.script(to, *[NO if number % 3 == 0 else POLICY] * 50)
        await table.run(600)
        (down,) = table.facts("relay_down")
        assert "policy" in down["message"]
        assert len(table.transport.tried) > 12


async def test_unknown_people_of_one_domain_fail_at_once_and_hold_up_nobody() -> None:
    """However many they are."""
    people = [f"{number}@example.com" for number in range(20)]
    async with bench(*map(message, [*people, "good@example.com"])) as table:
        for to in people:
            table.transport.script(to, NO)
        await table.run(5)
        assert await table.counts() == {State.FAILED: 20, State.SENT: 1}
        assert table.said("relay_down", "put_off") == []
