"""A running sender looks at the DNS of its From domain, where there is one, and says once what is wrong."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mail_sender.doctor.config import DoctorConfig
from mail_sender.doctor.nameserver import Nameserver
from mail_sender.observe import domain_watch
from mail_sender.observe.advisories import Advisories
from mail_sender.observe.domain_watch import EVERY, FIRST_AFTER, DomainWatch
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.relay_url import Security
from tests.support.fake_clock import FakeClock
from tests.support.samples import MAIL, NOW
from tests.support.virtual_time import VIRTUAL_TIME

RELAY = RelayConfig("relay.example.org", 465, Security.IMPLICIT, "example.org")
FILES = (Path("client"), Path("sender"))
PUBLIC = replace(MAIL, from_address="idm@mail-sender.dev", reply_to_address="idm@mail-sender.dev")


@pytest.mark.parametrize(
    ("mail", "relay", "doctor", "looks"),
    [
        (PUBLIC, RELAY, DoctorConfig(), True),
        (MAIL, RELAY, DoctorConfig(nameservers=(Nameserver("127.0.0.1", 5353),)), True),
        (MAIL, RELAY, DoctorConfig(), False),
        (PUBLIC, RELAY, DoctorConfig(daily=False), False),
        (PUBLIC, FolderConfig(Path("mails")), DoctorConfig(), False),
    ],
)
def test_only_a_domain_of_the_public_dns_is_looked_up(
    mail: object, relay: object, doctor: DoctorConfig, looks: bool
) -> None:
    """Unless a resolver is named; not in a dry run, and not where it is switched off."""
    found = domain_watch.command(FILES, mail, relay, doctor)  # type: ignore[arg-type]  # one of each kind
    assert (found is not None) == looks
    if found:
        assert found[-9:] == ["-m", "sender", "doctor", "-o", "json", "--only", "domain", "--only", "ehlo_name"]


def finding(check: str, level: str = "fault") -> dict[str, str | None]:
    """Return a finding as the doctor's JSON has it."""
    return {"topic": "domain", "check": check, "level": level, "seen": "there is none", "advice": "publish one"}


@VIRTUAL_TIME
async def test_what_is_wrong_is_logged_once_and_known_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is well or skipped is nobody's concern; a day without DNS, or with nonsense, changes nothing."""
    looks: list[list[str]] = []
    wrong = [finding("spf"), finding("mx", "ok"), finding("dmarc", "warning"), finding("ptr", "skipped")]
    nothing = [[finding("resolver", "warning")], [finding("spf", "skipped")], None]
    days = [wrong, wrong, *nothing, [finding("dmarc", "warning")]]

    async def report_of(command: list[str]) -> bytes:
        looks.append(command)
        return json.dumps({"findings": days[len(looks) - 1]}).encode()

    monkeypatch.setattr(domain_watch, "_report_of", report_of)
    clock = FakeClock(NOW)
    advisories = Advisories(clock)
    watch, known = DomainWatch(advisories, clock), []
    with capture_logs() as log:
        await watch.follow(["doctor"])
        await asyncio.sleep(FIRST_AFTER - 1)
        assert looks == []
        for _ in days:
            await asyncio.sleep(2)
            known.append([fault.kind for fault in advisories.faults])
            await asyncio.sleep(EVERY - 2)
        await watch.follow(None)
    assert known == [["spf", "dmarc"]] * 5 + [["dmarc"]]
    assert advisories.faults == []
    assert [(line["event"], line["kind"]) for line in log] == [
        ("domain_down", "spf"),
        ("domain_down", "dmarc"),
        ("domain_up", "spf"),
        ("domain_up", "dmarc"),
    ]
