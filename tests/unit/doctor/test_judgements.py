"""What is only seen, judged: how soon something ends, how full a disk is, how far two clocks differ, what a name is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mail_sender.doctor import clock, ehlo_name, expiry
from mail_sender.doctor import ledger as state
from mail_sender.doctor.finding import Level, Topic
from mail_sender.ledger.outlook import Space
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.sender import skew
from mail_sender.source.token import Claims
from mail_sender.tls.certificate import Certificate

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
OK, WARNING, FAULT = Level.OK, Level.WARNING, Level.FAULT


@pytest.mark.parametrize(
    ("left", "level", "said"),
    [
        (timedelta(days=90), OK, "90 days left"),
        (timedelta(days=21), OK, "21 days left"),
        (timedelta(days=20, hours=23), WARNING, "20 days left"),
        (timedelta(days=3), WARNING, "3 days left"),
        (timedelta(days=1, hours=1), FAULT, "1 day left"),
        (timedelta(hours=1), FAULT, "less than a day left"),
        (timedelta(hours=-1), FAULT, "it has expired"),
    ],
)
def test_a_certificate_warns_three_weeks_before_its_end(left: timedelta, level: Level, said: str) -> None:
    """Three days before, somebody has to act today."""
    found = expiry.of_certificate(Topic.RELAY, "relay_certificate", "relay:465", Certificate(NOW + left), NOW)
    assert found.level is level
    assert said in found.seen
    assert (found.advice is None) == (level is OK)


@pytest.mark.parametrize(("days", "level"), [(21, OK), (20, WARNING), (1, WARNING), (-30, WARNING)])
def test_a_pinned_certificate_stops_nothing_when_it_ends(days: int, level: Level) -> None:
    """It is warned of, because whoever renews it may give it another key."""
    pinned = Certificate(NOW + timedelta(days=days), is_pinned=True)
    found = expiry.of_certificate(Topic.RELAY, "relay_certificate", "relay:465", pinned, NOW)
    assert (found.level, "mail goes on" in (found.advice or "")) == (level, level is WARNING)


@pytest.mark.parametrize(
    ("claims", "level", "said"),
    [
        (Claims(None, may_write=True, is_persons=False), OK, "does not expire"),
        (Claims(NOW + timedelta(days=14), may_write=True, is_persons=False), OK, "14 days left"),
        (Claims(NOW + timedelta(days=13), may_write=True, is_persons=False), WARNING, "13 days left"),
        (Claims(None, may_write=True, is_persons=True), WARNING, "a person's login"),
    ],
)
def test_a_token_warns_two_weeks_before_its_end(claims: Claims, level: Level, said: str) -> None:
    """A person's login is no token for a service, however long it lasts."""
    found = expiry.of_token(Topic.SERVER, claims, NOW)
    assert (found.level, said in found.seen) == (level, True)


@pytest.mark.parametrize(
    ("free", "has_inodes", "level"),
    [
        (2**40, True, OK),
        (32 * 2**20, True, OK),
        (32 * 2**20 - 1, True, WARNING),
        (512 * 2**10, True, WARNING),
        (512 * 2**10 - 1, True, FAULT),
        (0, True, FAULT),
        (2**40, False, FAULT),
    ],
)
def test_a_disk_is_full_where_the_sender_begins_nothing_new(free: int, has_inodes: bool, level: Level) -> None:
    """Without room for the reserve nothing is sent; a disk that takes no more files is as full."""
    found = state.disk(StateFolder(Path("/state")), Space(free, has_inodes))
    assert found.level is level
    assert (found.advice is None) == (level is OK)


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, OK), (60, OK), (-60, OK), (61, WARNING), (-300, WARNING), (301, FAULT), (-301, FAULT)]
)
def test_clocks_may_differ_by_a_minute(seconds: int, level: Level) -> None:
    """From five minutes on the sender reports it too."""
    ahead = timedelta(seconds=seconds)
    assert clock.judged(ahead, skew.described(ahead, servers_counts=True)).level is level


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("localhost", WARNING),
        ("LocalHost.", WARNING),
        ("localhost.localdomain", WARNING),
        ("mailhost", WARNING),
        ("[192.168.1.1]", WARNING),
        ("[IPv6:fd00::1]", WARNING),
        ("[9.9.9.9]", OK),
        ("[IPv6:2620:fe::9]", OK),
    ],
)
def test_an_ehlo_name_is_judged_by_its_form(name: str, level: Level) -> None:
    """What every machine is called, or what nobody can look up, is not liked."""
    found = ehlo_name._by_its_form(name)
    assert found is not None
    assert found.level is level


def test_a_full_ehlo_name_is_looked_up() -> None:
    """Its form says nothing against it."""
    assert ehlo_name._by_its_form("mail.example.com") is None
