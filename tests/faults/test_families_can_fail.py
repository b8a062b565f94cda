"""Each family finds what it is there to find: one fault in the program for each, put there on purpose."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from unittest.mock import patch

import pytest

from mail_sender.errors import LedgerFault, ServerFault
from mail_sender.ledger.base import Delivery, Imprint, Ledger
from mail_sender.ledger.postgres import claims
from mail_sender.mail import display_name, render
from mail_sender.relay import redaction
from mail_sender.source.base import Source, Standing
from server_stub.misbehaviour.exchange import status
from tests.faults import (
    f02,
    f05,
    f09,
    f10,
    f11,
    f12,
    f14,
    f15,
    f17,
    f19,
    f20,
    ledger_faults,
    rig_tap,
    saboteurs,
    setting,
)
from tests.faults.api_faults import READY
from tests.faults.broken import broken_by
from tests.faults.family import Family, Play
from tests.faults.hostile import Hostile
from tests.faults.killing import Point
from tests.faults.lives import lived
from tests.faults.rig import Rig
from tests.faults.rig_clock import FastClock
from tests.faults.rig_tap import overridden
from tests.faults.rig_wire import Cut, How
from tests.faults.setting import Setting
from tests.support.postgres import Postgres

# A connection that a case cut, or a process that it killed, is closed when asyncio gets to it, perhaps after the end.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

AFTER_A_MAIL = Point("transport.send", "after", 1)


def case_of(family: Family, name: str) -> Play:
    """Return the play of a family's case."""
    return next(case.play for case in family.cases(1) if case.name == name)


def test_f5_finds_a_dot_that_is_not_committed() -> None:
    """Who does not write down that the mail may be out sends another mail after the kill, and a third one."""

    async def play(rig: Rig) -> None:
        rig.mail()
        for _ in range(2):
            await lived(rig, "kill", AFTER_A_MAIL, saboteur="without_dot")

    assert {"I2", "I3", "I10"} <= broken_by(play).keys()


def test_f5_finds_a_recovery_that_takes_a_mail_at_the_dot_for_one_that_was_not_sent() -> None:
    """It goes out anew, as another mail, and nobody knows that there are two."""

    def forgetful(ledger: Ledger) -> Ledger:
        async def interrupted() -> Sequence[Delivery]:
            return [replace(found, dot=False) for found in await ledger.interrupted()]

        return overridden(ledger, interrupted=interrupted)

    async def play(rig: Rig) -> None:
        rig.wraps.ledger = forgetful
        await f05.play(rig, "plain", AFTER_A_MAIL, 1)

    assert {"I3", "I10"} <= broken_by(play).keys()


def test_f9_finds_a_mail_whose_dot_the_disk_did_not_take() -> None:
    """A sender that goes on where its ledger cannot write is no better than one without a ledger."""

    def careless(ledger: Ledger) -> Ledger:
        async def dot(delivery: Delivery, imprint: Imprint) -> None:
            with suppress(LedgerFault):
                await ledger.dot(delivery, imprint)

        return overridden(ledger, dot=dot)

    async def play(rig: Rig) -> None:
        original = rig_tap.tapped
        with patch.object(ledger_faults, "tapped", lambda *of, **hooks: careless(original(*of, **hooks))):
            await f09.disk_fault(rig, "gone", Point("ledger.dot", "before", 1))

    found = broken_by(play, exactly_once=True).get("end", "")
    assert "without its dot" in found or "could not write down" in found


def test_f10_finds_mail_that_goes_out_under_a_token_that_cannot_mark_it() -> None:
    """A source that calls every standing good is found out."""

    def blind(source: Source) -> Source:
        async def standing() -> Standing:
            with suppress(ServerFault):
                await source.standing()
            return Standing("mail-sender", may_write=True)

        return overridden(source, standing=standing)

    async def play(rig: Rig) -> None:
        rig.wraps.source = blind
        await case_of(f10.FAMILY, "the token is read-only for a while")(rig)

    assert "end" in broken_by(play)


def test_f10_finds_a_server_that_is_not_left_alone() -> None:
    """Who does not hear a Retry-After asks again too soon."""

    async def play(rig: Rig) -> None:
        with patch("mail_sender.source.answers.retry_after", lambda _: None):
            rig.place = replace(rig.place, poll="* * * * * *")
            await f10.asked_to_wait(rig, 503, "120", "120", READY)

    assert "was asked again after" in broken_by(play).get("end", "")


def test_f11_finds_a_mark_that_is_forgotten() -> None:
    """The ledger says that the server knows, and it does not."""

    async def play(rig: Rig) -> None:
        rig.wraps.source = saboteurs.without_retry_of_marks
        await f11.unheard(rig, status(503), 1)

    assert "I10" in broken_by(play)


def test_f12_finds_a_clock_that_jumps_with_the_machines() -> None:
    """A machine that is set a day ahead makes links look dead that live."""

    class Jumping(FastClock):
        def __init__(self, right: FastClock) -> None:
            super().__init__(right.epoch)
            machine = f12._machine.get()
            assert machine is not None
            self.machine = machine

        def now(self) -> datetime:
            return self.machine.right.now() + self.machine.offset

    async def play(rig: Rig) -> None:
        with patch.object(f12, "ShippedClock", Jumping):
            await f12.during_a_deferral(rig, f12.SHIFTS["a day ahead"], restart=False)

    assert "I1" in broken_by(play)


def test_f14_finds_a_name_that_is_not_cleaned() -> None:
    """What the name brings along breaks the mail, or the program."""

    async def play(rig: Rig) -> None:
        # Two stages clean: either alone keeps the mail whole.
        with (
            patch.object(display_name, "clean", lambda name: name),
            patch.object(render, "_UNSENDABLE", re.compile("(?!)")),
        ):
            await f14.play(rig, entries=lambda: [Hostile(name="\0\v\x1b[2J")])

    assert "end" in broken_by(play)


@pytest.mark.parametrize("name", ["RCPT 450 quotes the link", "AUTH 550 quotes the password"])
def test_f15_finds_replies_that_are_kept_as_they_come(name: str) -> None:
    """A relay's words are the quickest way of a secret into log and ledger."""

    async def play(rig: Rig) -> None:
        with patch.object(redaction, "cleaned", lambda text, *_: text):
            await case_of(f15.FAMILY, name)(rig)

    assert "I7" in broken_by(play)


def test_f17_finds_a_second_copy_that_goes_to_the_other_relay() -> None:
    """A sender that forgets which relay had the dot is found out."""
    cut_after_its_dot = Cut("up", f02.measured()[0] - len("QUIT\r\n"), How.FIN)

    async def play(rig: Rig) -> None:
        with patch("mail_sender.sender.route.owner", lambda *_: None):
            await f17.Cutting(cut_after_its_dot)(rig)

    assert "I13" in broken_by(play)


async def _killed_with_claims(rig: Rig) -> None:
    """Have the sender be killed when claims are committed, and nothing else of their mails."""
    await f19.killed(rig, "begin", "after", later=200.0)


def test_f19_finds_claims_that_are_taken_for_mails_at_their_dots() -> None:
    """What was not sent is not ambiguous."""

    def anxious(ledger: Ledger) -> Ledger:
        async def interrupted() -> Sequence[Delivery]:
            return [replace(found, dot=True) for found in await ledger.interrupted()]

        return overridden(ledger, interrupted=interrupted)

    async def play(rig: Rig) -> None:
        rig.wraps.ledger = anxious
        await _killed_with_claims(rig)

    assert "I10" in broken_by(play)


def test_f19_finds_claims_that_are_counted_as_attempts() -> None:
    """No relay gave a verdict on it."""

    def strict(ledger: Ledger) -> Ledger:
        async def interrupted() -> Sequence[Delivery]:
            return [replace(found, attempts=found.attempts + 1) for found in await ledger.interrupted()]

        return overridden(ledger, interrupted=interrupted)

    async def play(rig: Rig) -> None:
        rig.wraps.ledger = strict
        await _killed_with_claims(rig)

    assert "an attempt without a verdict is counted" in broken_by(play).get("end", "")


@pytest.mark.debian("postgresql")
def test_f20_finds_a_dot_without_its_fence(postgres: Postgres) -> None:
    """A replica that comes back after another one took over sends what that one has sent."""
    wherever = claims.DOT.replace("d.state = 'processing' AND d.claim = asked.claim", "true")
    assert wherever != claims.DOT
    unfenced = wherever.replace("d.replica = %(replica)s", "true").replace(claims.LASTS, "true")
    unfenced = unfenced.replace("SET dot = true,", "SET")  # of a row that is settled that would be refused

    async def play(rig: Rig) -> None:
        with patch.object(claims, "DOT", unfenced):
            await case_of(f20.FAMILY, "a replica is back with its dots")(rig)

    with setting.using(Setting(server=postgres)):
        assert {"I2", "end"} <= broken_by(play, exactly_once=True).keys()
